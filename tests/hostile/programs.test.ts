/** `npm run abuse` and `npm run soak:clean-up`, small: servers of the build, attacked by processes beside this one. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

interface Outcome {
  readonly code: number;
  readonly result: Readonly<Record<string, unknown>>;
}

function run(name: string): Promise<Outcome> {
  const path = fileURLToPath(new URL(`../../bench/${name}.mjs`, import.meta.url));
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [path, "--quick", "--time-limit=100"], (error, output, errors) => {
      const code = error === null ? 0 : Number(error.code);
      if (!output.startsWith("{")) return reject(new Error(`${name} ended with ${code}: ${errors}`));
      resolve({ code, result: JSON.parse(output) as Outcome["result"] });
    });
  });
}

interface Attack {
  readonly told: Readonly<Record<string, number>>;
  readonly newcomerMs: number | null;
}

test("attackers are told why, while canaries live and newcomers get in", { timeout: 120_000 }, async () => {
  const { code, result } = await run("abuse");
  expect({ troubles: result["troubles"], code }).toEqual({ troubles: [], code: 0 });
  const attacks = result["attacks"] as Readonly<Record<string, Attack>>;
  const told = Object.fromEntries(
    Object.entries(attacks).map(([name, attack]) => [name, Object.keys(attack.told).sort()]),
  );
  expect(told).toEqual({
    silent: ["4408 handshake_timeout;action=retry-after", "HTTP 503 try_again_later;action=retry-after;retry_after=5"],
    headers: ["no answer"],
    pings: ["cut off"],
    fragments: ["1008 protocol_error;action=fix-request"],
    oversize: ["1009 protocol_error;action=fix-request"],
    joins: ["4429 rate_limited;action=retry-after"],
    publish: ["4429 rate_limited;action=retry-after"],
    guesses: ["4414 invalid_token;action=relogin", "HTTP 401 invalid_token;action=relogin"],
    stalled: ["cut off"],
  });
});

test("after thousands of random comings and goings nothing is left", { timeout: 120_000 }, async () => {
  const { code, result } = await run("clean-up");
  expect({ left: result["left"], code }).toEqual({ left: [], code: 0 });
  expect(Number(result["operations"])).toBeGreaterThanOrEqual(3_000);
});
