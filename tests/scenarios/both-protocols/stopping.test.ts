/** What is stopped while it runs: what its signal made it throw is no failure of the application. */

import { describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import type { Peer, Verdict } from "./protocol.js";
import { protocols, runWard, type Ward } from "./ward.js";

interface Watching {
  readonly ward: Ward;
  readonly ada: Peer;
  readonly verdict: Promise<Verdict | "over">;
}

/** Why it stops, and what its caller hears and the log says, where there is anybody left to hear it. */
const stops: readonly (readonly [string, (watching: Watching) => Promise<unknown>, string | undefined])[] = [
  ["its network is lost", ({ ward, ada }) => ward.lose(ada), undefined],
  ["its session is revoked", ({ ward }) => ward.app.revoke({ session: "ada-1" }), undefined],
  ["its credential ends", ({ ward }) => ward.pass(60), "token_expired;action=refresh"],
  [
    "it may not do that any more",
    ({ ward }) => {
      ward.directory.set("ada", ["clerk"]);
      return ward.app.recheck({ subject: "ada" });
    },
    "forbidden: nurses only",
  ],
];

describe.each(protocols)("$name", (protocol) => {
  async function watching(what: string): Promise<Watching> {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada", { lifetime: 60, claims: { sid: "ada-1" } });
    await ada.subscribe();
    await ada.join("icu");
    const verdict = ada.say("icu", "watch", what).catch(() => "over" as const);
    await until(() => ward.begun === 1);
    return { ward, ada, verdict };
  }

  test.each(stops)("when %s, an AbortError is what was to be expected", async (_why, stop, heard) => {
    const each = await watching("bed 4");
    await stop(each);
    if (heard !== undefined) expect(await each.verdict).toBe(heard);
    await each.ward.pass(1);
    const { items } = each.ward.telemetry;
    expect(items.filter(({ event }) => event === "application.failed")).toEqual([]);
    const refused = items.flatMap((event) => (event.event === "call.refused" ? [[event.method, event.reason]] : []));
    expect(refused).toEqual(heard === undefined ? [] : [["watch", heard.split(/[;:]/)[0]]]);
  });

  test("any other error is the application's own, whether it was stopped or not", async () => {
    const each = await watching("broken");
    await each.ward.lose(each.ada);
    const failed = await each.ward.telemetry.first(({ event }) => event === "application.failed");
    expect(failed).toMatchObject({ error: new Error("the monitor broke") });
  });
});
