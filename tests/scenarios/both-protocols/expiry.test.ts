/** The end of a credential: said before, visible, and never silent; nothing is done or told behind it. */

import { describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import type { Peer } from "./protocol.js";
import { runWard, variants } from "./ward.js";

const said = ({ heard }: Peer): readonly unknown[] => heard.items.map(([, what]) => what);
const EXPIRED = { code: 4401, reason: "token_expired;action=refresh" };

describe.each(variants)("$name", (protocol) => {
  test("idle: warned in time, and at the end itself told why and closed, without a grace nobody asked for", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada", { lifetime: 60 });
    await ada.join("icu");
    await ward.pass(44);
    expect(ada.notices.items).toEqual([]);
    await ward.pass(8);
    expect(ada.notices.items).toEqual(["expiring"]);
    await ward.pass(7);
    ward.tell("icu", "in time");
    await ada.heard.first();
    ward.clock.advance(999);
    expect(ward.app.connectionCount).toBe(1);
    ward.clock.advance(1);
    ward.tell("icu", "too late");
    expect(await ada.ended).toEqual(EXPIRED);
    expect([said(ada), ada.frames().at(-1), ada.frames().filter((kind) => kind === "end")]).toEqual([
      ["in time"],
      "end",
      ["end"],
    ]);
  });

  test("under traffic: not one event behind the end, and the reason is the last thing that is said", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada", { lifetime: 20 });
    const ben = await ward.enter(protocol, "ben", { lifetime: 200 });
    for (const peer of [ada, ben]) await peer.join("icu");
    let number = 0;
    for (let second = 0; second < 24; second++) {
      // On its way when the second ends, which for one is the last.
      ward.tell("icu", `${second} ${++number}`);
      ward.clock.advance(1_000);
      ward.tell("icu", `${second + 1} ${++number}`);
      for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ada.ended).toEqual(EXPIRED);
    await ben.heard.take(number);
    expect(said(ada).filter((what) => Number.parseInt(String(what), 10) >= 20)).toEqual([]);
    // Written in the turn in which the credential ended is too late, too.
    expect(said(ada)).toEqual(said(ben).slice(0, said(ada).length));
    expect(said(ada).length).toBeGreaterThanOrEqual(38);
    expect(ada.frames().at(-1)).toBe("end");
    expect(ada.frames().filter((kind) => kind === "end")).toHaveLength(1);
  });

  test("a blocked event loop does nothing that comes in behind the end, though no timer has run yet", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada", { lifetime: 20 });
    const ben = await ward.enter(protocol, "ben", { lifetime: 200 });
    for (const peer of [ada, ben]) await peer.join("icu");
    ward.clock.jump(20_000);
    void ada.say("icu", "note", "too late");
    ward.tell("icu", "too late as well");
    expect(await ada.ended).toEqual(EXPIRED);
    expect(said(ada)).toEqual([]);
    expect(await ben.heard.first()).toEqual(["vitals", "too late as well"]);
    expect(said(ben)).toEqual(["too late as well"]);
  });

  test("a client that can bring a new one is given a grace: nothing is done or told, and all of it when it came", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada", { lifetime: 20 });
    await ada.subscribe();
    await ada.join("icu");
    await ward.pass(20);
    expect(ada.notices.items).toEqual(["expiring", "expired token_expired;action=refresh 10"]);
    ward.tell("icu", "held back");
    expect([await ada.say("icu", "note", "now?"), await ada.join("icu"), await ada.leave("icu")]).toEqual([
      "token_expired;action=refresh",
      "token_expired;action=refresh",
      "token_expired;action=refresh",
    ]);
    await ward.pass(9);
    expect(said(ada)).toEqual([]);
    expect(await ada.reauthenticate(await ward.token("ada", { lifetime: 600 }))).toBe("ok");
    expect(await ada.heard.first()).toEqual(["vitals", "held back"]);
    expect(await ada.say("icu", "note", "again")).toBe("ok");
    await ward.pass(60);
    expect(ward.app.connectionCount).toBe(1);
  });

  test("a refused attempt shows as well that a client can refresh", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada", { lifetime: 20 });
    expect(await ada.reauthenticate("no.jwt.atall")).toBe("invalid_token;action=relogin");
    await ward.pass(25);
    expect(ward.app.connectionCount).toBe(1);
    expect(await ada.reauthenticate(await ward.token("ada", { lifetime: 600 }))).toBe("ok");
  });

  test("the grace ends it, too: what was held is not told any more", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada", { lifetime: 20 });
    await ada.subscribe();
    await ada.join("icu");
    await ward.pass(20);
    ward.tell("icu", "held back");
    await ward.pass(9);
    expect(ward.app.connectionCount).toBe(1);
    ward.clock.advance(1_000);
    expect(await ada.ended).toEqual(EXPIRED);
    expect([said(ada), ada.frames().at(-1)]).toEqual([[], "end"]);
  });

  test("what was held is judged when it is let go: a room that the new credential does not allow keeps it", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada", { lifetime: 20 });
    await ada.subscribe();
    await ada.join("icu");
    await ward.pass(20);
    ward.tell("icu", "held back");
    ward.app.toAll().emit("vitals", "to all");
    expect(await ada.reauthenticate(await ward.token("ada", { lifetime: 600, claims: { ward: "er" } }))).toBe("ok");
    expect(await ada.heard.first()).toEqual(["vitals", "to all"]);
    expect(await ada.say("icu", "note", "still in?")).toBe("not_member");
    expect(said(ada)).toEqual(["to all"]);
    expect(ada.notices.items).toContain("lost ward/icu");
  });

  test("what is held has a bound: the oldest makes room, and the client hears how much", async () => {
    const ward = await runWard({ outbox: { maxLagMs: 3_600_000, maxHeldBytes: 3_600 } });
    const ada = await ward.enter(protocol, "ada", { lifetime: 20 });
    await ada.subscribe();
    await ada.join("icu");
    await ward.pass(20);
    for (let number = 0; number < 10; number++) ward.tell("icu", `${number} ${"x".repeat(1_000)}`);
    expect(await ada.reauthenticate(await ward.token("ada", { lifetime: 600 }))).toBe("ok");
    await ada.notices.first((line) => line.startsWith("gap"));
    await ada.heard.take(3);
    expect(said(ada).map((what) => Number.parseInt(String(what), 10))).toEqual([7, 8, 9]);
    expect(ada.notices.items).toContain("gap 7 ward/icu");
  });

  test("what runs when the credential ends is not answered with what came of it, nor told to the room", async () => {
    const ward = await runWard();
    let open: () => void = () => undefined;
    ward.gate = new Promise((resolve) => (open = resolve));
    const ada = await ward.enter(protocol, "ada", { lifetime: 20 });
    const ben = await ward.enter(protocol, "ben", { lifetime: 200 });
    for (const peer of [ada, ben]) await peer.join("icu");
    await ada.subscribe();
    const ordering = ada.order("icu", "aspirin", "command-1");
    await until(() => ward.begun === 1);
    const behind = ada.say("icu", "note", "behind it");
    await ward.pass(20);
    open();
    expect([await ordering, await behind]).toEqual(["token_expired;action=refresh", "token_expired;action=refresh"]);
    expect(await ada.reauthenticate(await ward.token("ada", { lifetime: 600 }))).toBe("ok");
    ward.tell("icu", "end");
    for (const peer of [ada, ben]) await peer.heard.first();
    expect([said(ada), said(ben)]).toEqual([["end"], ["end"]]);
  });

  test("rights that changed wait until a newer credential can be told from an older one", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada", { lifetime: 900 });
    await ada.subscribe();
    await ada.join("icu");
    await ward.pass(1);
    await ward.app.requireReauthentication({ subject: "ada" });
    expect(await ada.notices.first()).toBe("expired reauth_required;action=refresh 70");
    const ben = await ward.enter(protocol, "ben", { lifetime: 20 });
    await ben.subscribe();
    await ward.app.requireReauthentication({ subject: "ben" });
    // As long as if its credential had lived to its end.
    expect(await ben.notices.first()).toBe("expired reauth_required;action=refresh 30");
    ward.tell("icu", "held back");
    await ward.pass(30);
    expect((await ben.ended).reason).toBe("reauth_required;action=refresh");
    const early = await ada.reauthenticate(await ward.token("ada", { lifetime: 900 }));
    const [, seconds] = /^reauth_required;action=refresh;retry_after=(\d+)$/.exec(early) ?? [];
    expect(Number(seconds)).toBeGreaterThan(29);
    await ward.pass(Number(seconds));
    expect(await ada.reauthenticate(await ward.token("ada", { lifetime: 900 }))).toBe("ok");
    expect(await ada.heard.first()).toEqual(["vitals", "held back"]);
  });

  test("rights that changed end it, unless a newer credential comes", async () => {
    const ward = await runWard({ maxIssuerSkewMs: 0 });
    const [ada, ben] = [await ward.enter(protocol, "ada"), await ward.enter(protocol, "ben")];
    await ada.subscribe();
    for (const peer of [ada, ben]) await peer.join("icu");
    await ward.pass(1);
    await ward.app.requireReauthentication({ subject: "ada" });
    await ward.app.requireReauthentication({ subject: "ben" });
    expect(await ben.ended).toEqual({ code: 4411, reason: "reauth_required;action=refresh" });
    expect(await ada.notices.first()).toBe("expired reauth_required;action=refresh 10");
    ward.tell("icu", "held back");
    await ward.pass(1);
    expect(await ada.reauthenticate(await ward.token("ada"))).toBe("ok");
    expect(await ada.heard.first()).toEqual(["vitals", "held back"]);
  });
});
