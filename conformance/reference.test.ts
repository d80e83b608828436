/**
 * The same scripts against the real ASP.NET Core server and against Hubward.
 *
 * `HUBWARD_REFERENCE=record` writes the transcripts anew, `HUBWARD_REFERENCE=1` compares the real server with the
 * kept ones; both need the .NET SDK. `HUBWARD_REFERENCE=docs` writes the page of the intended differences.
 */

import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canonical, expected, over, type Difference } from "./reference/compare.js";
import { documentPath, renderDocument } from "./reference/differences/document.js";
import { differences } from "./reference/differences/index.js";
import { intended, type IntendedName } from "./reference/differences/intended.js";
import { startHubward, type HubwardServer } from "./reference/hubward-app.js";
import type { Target } from "./reference/runner/run.js";
import { transcribe, type Script } from "./reference/runner/script.js";
import { scripts } from "./reference/scripts/index.js";
import { startReference, type ReferenceServer } from "./reference/start.js";
import { unsignedToken } from "./reference/runner/unsigned-token.js";
import { readTranscripts, writeTranscripts } from "./reference/transcripts.js";

const wish = process.env["HUBWARD_REFERENCE"];
const isWished = wish === "1" || wish === "record";

describe.runIf(isWished)("the real server", () => {
  let reference: ReferenceServer;
  let target: Target;
  beforeAll(async () => {
    const started = await startReference();
    if (!started.isAvailable) throw new Error(started.why);
    reference = started.server;
    target = { port: reference.port, patienceMs: 8_000, token: unsignedToken };
  }, 120_000);
  afterAll(() => reference?.stop());

  for (const script of isWished ? scripts : []) {
    describe(script.name, () => {
      const recorded: Record<string, readonly string[]> = {};
      for (const run of script.runs) {
        const [first = "WebSockets", ...others] = run.transports ?? [];
        test(run.name, async () => {
          const entries = await transcribe(target, run, first);
          recorded[run.name] = entries;
          for (const other of others) expect(await transcribe(target, run, other), other).toEqual(entries);
          if (wish === "1") expect(entries).toEqual((await readTranscripts(script.name)).runs[run.name]);
        });
      }
      if (wish === "record") {
        afterAll(() => keep(script, `ASP.NET Core SignalR ${reference.framework}`, recorded));
      }
    });
  }
});

describe("Hubward", () => {
  let target: HubwardServer;
  const used = new Set<Difference>();
  beforeAll(async () => {
    target = await startHubward();
  });
  afterAll(() => target?.stop());

  for (const script of scripts) {
    describe(script.name, { concurrent: script.isConcurrent === true }, () => {
      for (const run of script.runs) {
        test(run.name, async () => {
          const reference = (await readTranscripts(script.name)).runs[run.name];
          if (reference === undefined) throw new Error("the real server's transcript has not been recorded");
          const wanted = expected(script.name, run.name, reference, differences, (each) => used.add(each));
          for (const transport of run.transports ?? ["WebSockets"]) {
            const entries = await transcribe(target, run, transport);
            expect(entries.map(canonical), transport).toEqual(over(transport, wanted));
          }
        });
      }
    });
  }

  test("every difference that is listed still occurs", () => {
    const unused = differences.filter((each) => !used.has(each));
    expect(unused).toEqual([]);
  });
});

describe("docs/signalr-differences.md", () => {
  test("holds every intended difference, as it stands here", async () => {
    const document = await renderDocument();
    if (wish === "docs") await writeFile(documentPath, document);
    expect(await readFile(documentPath, "utf8")).toBe(document);
  });

  test("names no difference that no transcript shows", () => {
    const shown = new Set<IntendedName>(differences.map(({ why }) => why));
    const names = Object.keys(intended) as IntendedName[];
    expect(names.filter((name) => !shown.has(name))).toEqual([]);
  });
});

/** Writes what was recorded; runs that were left out this time stay as they are. */
async function keep(
  script: Script,
  server: string,
  recorded: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  const before = await readTranscripts(script.name).catch(() => undefined);
  const runs = script.runs.flatMap(({ name }) => {
    const entries = recorded[name] ?? before?.runs[name];
    return entries === undefined ? [] : [[name, entries] as const];
  });
  if (Object.keys(recorded).length > 0) await writeTranscripts(script.name, { server, runs: Object.fromEntries(runs) });
}
