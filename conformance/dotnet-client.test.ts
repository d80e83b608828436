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

/** What may come of a scenario: what the reference says, unless Hubward means to answer otherwise, or has to. */
function expected(scenario: string, transport: string): readonly unknown[] {
  if (scenario === "failures") return [(results[scenario] as readonly string[]).with(-1, "HubException: forbidden")];
  if (scenario !== "automatic reconnect") return [results[scenario]];
  const ended = [
    "closed: The server closed the connection with the following error: message_too_big;action=fix-request",
  ];
  // Over WebSockets the close code may overtake the Close in front of it, within the client: then it comes back.
  const overtaken = ["reconnecting: Websocket closed with error: MessageTooBig.", "reconnected", "another id"];
  return transport === "WebSockets" ? [ended, overtaken] : [ended];
}

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
          env: { ...process.env, REFERENCE_LEFT_OUT: Object.keys(leftOut).join(";") },
        },
      ).finally(() => void hubs.stop());
      const lines = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Line);
      const played = lines.map(({ scenario }) => scenario);
      const wanted = Object.keys(results).filter(
        (name) => !(name in leftOut) && (transport === "WebSockets" || !name.startsWith("stateful reconnect")),
      );
      expect(played).toEqual(wanted);
      for (const { scenario, result, failure } of lines)
        expect(expected(scenario, transport), scenario).toContainEqual(failure ?? result);
    },
    60_000,
  );
});
