/**
 * The stock .NET client, over every transport in every encoding: what its scenarios come to with ASP.NET Core
 * (reference-results.json, recorded) they come to with Hubward, but for what is listed here. Needs the .NET SDK.
 */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { startDotnetHubs } from "./dotnet/hubs.js";
import { dotnetCombinations, leftOut } from "./dotnet/plan.js";
import { dotnetEnvironment } from "../tests/support/dotnet.js";
import { buildProject } from "./reference/start.js";

interface Line {
  readonly transport: string;
  readonly encoding: string;
  readonly scenario: string;
  readonly result?: unknown;
  readonly failure?: string;
}

const { results } = JSON.parse(readFileSync(new URL("dotnet/reference-results.json", import.meta.url), "utf8")) as {
  readonly results: Readonly<Record<string, unknown>>;
};

const TOLD = "The server closed the connection with the following error: ";

/** What comes of a scenario where Hubward means to answer otherwise than the reference: with its own reasons. */
const ours: Readonly<Record<string, unknown>> = {
  failures: (results["failures"] as readonly string[]).with(-1, "HubException: forbidden"),
  "refused at connect": `${TOLD}forbidden: not today`,
  "automatic reconnect": [`closed: ${TOLD}message_too_big;action=fix-request`],
};

const built = await buildProject("client");
if ("why" in built) console.warn(`The .NET client is not run: ${built.why}`);

describe.skipIf("why" in built)("the .NET client", () => {
  test.each(dotnetCombinations)(
    "over %s in %s",
    async (transport, encoding) => {
      if ("why" in built) return;
      const hubs = await startDotnetHubs();
      const { stdout } = await promisify(execFile)(
        "dotnet",
        [built.assembly, hubs.url, hubs.token, transport, encoding],
        {
          env: { ...dotnetEnvironment, REFERENCE_LEFT_OUT: Object.keys(leftOut).join(";") },
        },
      ).finally(() => void hubs.stop());
      const lines = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Line);
      const wanted = Object.keys(results).filter(
        (name) => !(name in leftOut) && (transport === "WebSockets" || !name.startsWith("stateful reconnect")),
      );
      const played = new Map(lines.map(({ scenario, result, failure }) => [scenario, failure ?? result]));
      expect(Object.fromEntries(played)).toEqual(
        Object.fromEntries(wanted.map((name) => [name, { ...results, ...ours }[name]])),
      );
    },
    60_000,
  );
});
