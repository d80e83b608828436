/** Who asks, knocks or connects too often: the same limits, counted together, and the same words. */

import { describe, expect, test } from "vitest";
import { hubProtocol } from "./hub-protocol.js";
import { roomsProtocol } from "./rooms-protocol.js";
import { runWard, variants } from "./ward.js";

const LIMITED = "rate_limited;action=retry-after;retry_after=1";

describe.each(variants)("$name", (protocol) => {
  test("requests beyond the rate are refused, whatever is asked, and pass again when it is time", async () => {
    const ward = await runWard();
    const [ada, ben] = [await ward.enter(protocol, "ada"), await ward.enter(protocol, "ben")];
    for (const peer of [ada, ben]) await peer.join("icu");
    const verdicts = await Promise.all(
      Array.from({ length: 60 }, (_, number) => ada.say("icu", number % 2 === 0 ? "note" : "unheard-of", "x")),
    );
    const unknown = "method_not_found;action=fix-request";
    expect(verdicts).toEqual(
      Array.from({ length: 60 }, (_, number) => (number >= 49 ? LIMITED : number % 2 === 0 ? "ok" : unknown)),
    );
    expect([await ada.join("icu"), await ada.leave("icu"), await ada.order("icu", "aspirin", "command-1")]).toEqual([
      LIMITED,
      LIMITED,
      LIMITED,
    ]);
    expect(await ben.say("icu", "note", "unaffected")).toBe("ok");
    // Bringing a new credential is no request of that kind.
    expect(await ada.reauthenticate(await ward.token("ada", { lifetime: 600 }))).toBe("ok");
    await ward.pass(1);
    expect(await ada.say("icu", "note", "again")).toBe("ok");
  });

  test("who goes on while refused is ended", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol);
    const flood = Array.from({ length: 400 }, () => ada.join("icu").catch(() => "over"));
    expect(await ada.ended).toEqual({ code: 4429, reason: "rate_limited;action=retry-after" });
    expect(ada.frames().at(-1)).toBe("end");
    await Promise.allSettled(flood);
  });

  test("one who fails to authenticate again and again is turned away before anything is verified", async () => {
    const ward = await runWard({ limits: { authentication: { burst: 3, perSecond: 1 } } });
    const token = "no.jwt.atall";
    const refusals: unknown[] = [];
    for (let attempt = 0; attempt < 5; attempt++) refusals.push(await ward.refusal(protocol, { token }));
    const invalid = { code: 401, reason: "invalid_token;action=relogin" };
    expect(refusals.slice(0, 3)).toEqual([invalid, invalid, invalid]);
    for (const refusal of refusals.slice(3)) expect(refusal).toEqual({ code: 429, reason: LIMITED });
  });
});

test.each([
  [hubProtocol, roomsProtocol],
  [roomsProtocol, hubProtocol],
])("what a person has open and asks counts over both protocols together", async (one, other) => {
  const ward = await runWard({
    limits: { maxConnectionsPerPrincipal: 2, principal: { burst: 5, perSecond: 1 } },
  });
  const peers = [await ward.enter(one, "ada"), await ward.enter(other, "ada")];
  for (const protocol of [one, other])
    expect(await ward.refusal(protocol, { token: await ward.token("ada") })).toMatchObject({
      reason: expect.stringMatching(/^connection_limit;action=retry-after/),
    });
  const verdicts: string[] = [];
  for (let round = 0; round < 3; round++) for (const peer of peers) verdicts.push(await peer.join("icu"));
  expect(verdicts).toEqual(["ok", "ok", "ok", "ok", "ok", LIMITED]);
  await ward.enter(one, "ben");
});
