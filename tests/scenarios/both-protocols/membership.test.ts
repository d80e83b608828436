/** Joining, leaving, speaking: the same verdicts for the same people, and only members are told. */

import { describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import type { Peer, Verdict } from "./protocol.js";
import { runWard, variants } from "./ward.js";

const said = ({ heard }: Peer): readonly unknown[] => heard.items.map(([, what]) => what);

describe.each(variants)("$name", (protocol) => {
  test("a room's own rule decides who joins, and who may not is told why", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol);
    expect([
      await ada.join("er"),
      await ada.join("icu"),
      await ada.join("icu"),
      await ada.leave("er"),
      await ada.leave("icu"),
      await ada.leave("icu"),
    ]).toEqual(["forbidden: another ward", "ok", "ok", "not_member", "ok", "not_member"]);
    expect(ward.app.groups.list()).toEqual([]);
  });

  test.each(["no/such/ward", "", "ICU", "__proto__", "icu ", "../icu", "i%63u"])(
    "%j is no ward, whoever asks",
    async (name) => {
      const ward = await runWard();
      ward.rule = () => true;
      const ada = await ward.enter(protocol);
      expect([await ada.join(name), await ada.leave(name)]).toEqual([
        "bad_room;action=fix-request",
        "bad_room;action=fix-request",
      ]);
      expect(ward.app.groups.list()).toEqual([]);
    },
  );

  test("only members are told, from the answer to joining until the answer to leaving", async () => {
    const ward = await runWard();
    const [ada, ben, cem] = [
      await ward.enter(protocol, "ada"),
      await ward.enter(protocol, "ben"),
      await ward.enter(protocol, "cem", { claims: { ward: "er" } }),
    ];
    ward.tell("icu", "before anybody is in");
    await ada.join("icu");
    await cem.join("er");
    ward.tell("icu", "to ada");
    await ben.join("icu");
    expect(await ben.say("icu", "note", "to both")).toBe("ok");
    expect(await ada.leave("icu")).toBe("ok");
    expect(await ben.say("icu", "note", "to ben")).toBe("ok");
    expect(await cem.say("icu", "note", "to nobody")).toBe("not_member");
    for (const peer of [ada, ben, cem]) await peer.join("er");
    ward.app.toAll().emit("vitals", "to all");
    for (const peer of [ada, ben, cem]) await peer.heard.first(([, what]) => what === "to all");
    expect([said(ada), said(ben), said(cem)]).toEqual([
      ["to ada", "to both", "to all"],
      ["to both", "to ben", "to all"],
      ["to all"],
    ]);
  });

  test("who speaks is judged each time: by role, by what is said, by a rule that fails", async () => {
    const ward = await runWard();
    const nurse = await ward.enter(protocol, "nina");
    const clerk = await ward.enter(protocol, "carl", { roles: ["clerk"] });
    for (const peer of [nurse, clerk]) await peer.join("icu");
    const verdicts = async (peer: Peer) => [
      await peer.say("icu", "note", "quiet"),
      await peer.say("icu", "note", 7),
      await peer.say("icu", "alarm", "quiet"),
      await peer.say("icu", "alarm", "LOUD"),
      await peer.say("icu", "alarm", 7),
      await peer.say("icu", "broken", "quiet"),
      await peer.say("icu", "constructor", "quiet"),
      await peer.say("icu", "hubward.notice", "quiet"),
    ];
    const unknown = "method_not_found;action=fix-request";
    const bad = "bad_arguments;action=fix-request";
    expect(await verdicts(nurse)).toEqual([
      "ok",
      bad,
      "ok",
      "forbidden: no shouting",
      bad,
      unavailable,
      unknown,
      unknown,
    ]);
    expect(await verdicts(clerk)).toEqual([
      "ok",
      bad,
      "forbidden: nurses only",
      "forbidden: nurses only",
      "forbidden: nurses only",
      unavailable,
      unknown,
      unknown,
    ]);
    ward.app.toAll().emit("vitals", "end");
    await nurse.heard.first(([, what]) => what === "end");
    expect(nurse.heard.items).toEqual([
      ["note", "quiet"],
      ["alarm", "quiet"],
      ["note", "quiet"],
      ["vitals", "end"],
    ]);
    const refused = ward.telemetry.items.flatMap((event) =>
      event.event === "call.refused" && event.subject === "carl" ? [[event.method, event.reason, event.policy]] : [],
    );
    expect(refused.slice(1, 5)).toEqual([
      ["alarm", "forbidden", "Nurses"],
      ["alarm", "forbidden", "Nurses"],
      ["alarm", "forbidden", "Nurses"],
      ["broken", "auth_unavailable", undefined],
    ]);
  });

  test("a rule that takes its time decides when it answers, and requests behind it wait for their turn", async () => {
    const ward = await runWard();
    let answer: (verdict: boolean) => void = () => undefined;
    ward.rule = () => new Promise((resolve) => (answer = resolve));
    const ada = await ward.enter(protocol);
    const joining = ada.join("icu");
    const saying = ada.say("icu", "note", "at once");
    await until(() => ward.asked > 0);
    ward.tell("icu", "not yet");
    expect(ward.app.groups.count(ward.ward("icu"))).toBe(0);
    answer(true);
    expect([await joining, await saying]).toEqual(["ok", "ok"]);
    expect(said(ada)).toEqual(["at once"]);
    const refused = ada.join("er");
    await until(() => ward.asked > 1);
    answer(false);
    expect(await refused).toBe("forbidden: another ward");
  });

  const unavailable = "auth_unavailable;action=retry-after;retry_after=1";
  test.each<[string, Verdict, () => boolean | Promise<boolean>]>([
    ["fails", unavailable, () => Promise.reject(new Error("the rule broke"))],
    [
      "throws",
      unavailable,
      () => {
        throw new Error("the rule broke");
      },
    ],
    ["answers with something that is no verdict", "forbidden: another ward", () => Promise.resolve("yes" as never)],
  ])("a rule that %s is never a yes: %s", async (_what, verdict, rule) => {
    const ward = await runWard();
    ward.rule = rule;
    const ada = await ward.enter(protocol);
    expect(await ada.join("icu")).toBe(verdict);
    expect(await ada.say("icu", "note", "anybody?")).toBe("not_member");
    expect(ward.app.groups.count(ward.ward("icu"))).toBe(0);
    ward.rule = () => true;
    expect(await ada.join("icu")).toBe("ok");
  });

  test("a rule that never answers is given up, and its late yes does not count", async () => {
    const ward = await runWard();
    let answer: (verdict: boolean) => void = () => undefined;
    ward.rule = () => new Promise((resolve) => (answer = resolve));
    const ada = await ward.enter(protocol);
    const joining = ada.join("icu");
    await until(() => ward.asked > 0);
    ward.clock.advance(5_000);
    expect(await joining).toBe("auth_unavailable;action=retry-after;retry_after=1");
    answer(true);
    ward.tell("icu", "too late");
    expect(await ada.leave("icu")).toBe("not_member");
    expect(said(ada)).toEqual([]);
  });

  test("who leaves while they are being judged is not in, whatever the rule says", async () => {
    const ward = await runWard();
    let answer: (verdict: boolean) => void = () => undefined;
    ward.rule = () => new Promise((resolve) => (answer = resolve));
    const ada = await ward.enter(protocol);
    const joining = ada.join("icu");
    await until(() => ward.asked > 0);
    await ward.app.groups.remove({ subject: "ada" }, ward.ward("icu"));
    answer(true);
    expect(await joining).toBe("superseded");
    expect(ward.app.groups.count(ward.ward("icu"))).toBe(0);
  });
});
