/** Rights that change without a new credential: what is lost, what is told of it, and what nobody can say. */

import { describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import type { Peer } from "./protocol.js";
import { runWard, variants } from "./ward.js";

const said = ({ heard }: Peer): readonly unknown[] => heard.items.map(([, what]) => what);

describe.each(variants)("$name", (protocol) => {
  test("a rule that does not hold any more takes the membership, tells its member, and nothing follows", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol);
    await ada.subscribe();
    await ada.join("icu");
    ward.tell("icu", "in time");
    await ada.heard.first();
    ward.rule = () => false;
    const rechecking = ward.app.recheck({ subject: "ada" });
    expect(await rechecking).toEqual({ matched: 1, lost: 1, ended: 0, unavailable: 0 });
    ward.tell("icu", "too late");
    expect(await ada.notices.first()).toBe("lost ward/icu");
    expect(await ada.say("icu", "note", "still here?")).toBe("not_member");
    ward.app.toAll().emit("vitals", "to all");
    await ada.heard.first(([, what]) => what === "to all");
    expect(said(ada)).toEqual(["in time", "to all"]);
  });

  test("what is said while a rule is asked again waits for its answer", async () => {
    const ward = await runWard();
    const [ada, ben] = [await ward.enter(protocol, "ada"), await ward.enter(protocol, "ben")];
    for (const peer of [ada, ben]) await peer.join("icu");
    const answers: ((verdict: boolean) => void)[] = [];
    const asked: string[] = [];
    ward.rule = ({ subject }) => {
      asked.push(subject);
      return new Promise((resolve) => answers.push(resolve));
    };
    const rechecking = Promise.all([ward.app.recheck({ subject: "ada" }), ward.app.recheck({ subject: "ben" })]);
    await until(() => asked.length === 2);
    ward.tell("icu", "meanwhile");
    ward.app.toAll().emit("vitals", "to all");
    for (const peer of [ada, ben]) await peer.heard.first(([, what]) => what === "to all");
    expect([said(ada), said(ben)]).toEqual([["to all"], ["to all"]]);
    answers.forEach((answer, index) => answer(asked[index] === "ada"));
    await rechecking;
    ward.app.toAll().emit("vitals", "end");
    for (const peer of [ada, ben]) await peer.heard.first(([, what]) => what === "end");
    expect([said(ada), said(ben)]).toEqual([
      ["to all", "meanwhile", "end"],
      ["to all", "end"],
    ]);
  });

  test("a role that is taken away counts from the recheck on, for whatever is asked", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol);
    await ada.join("icu");
    expect(await ada.say("icu", "alarm", "help")).toBe("ok");
    ward.directory.set("ada", ["clerk"]);
    expect(await ada.say("icu", "alarm", "help")).toBe("ok");
    await ward.app.recheck({ subject: "ada" });
    expect([await ada.say("icu", "alarm", "help"), await ada.say("icu", "note", "help")]).toEqual([
      "forbidden: nurses only",
      "ok",
    ]);
  });

  test.each([
    ["is unknown to the directory", "nobody"],
    ["may not be here", ["visitor"]],
  ] as const)("who %s any more is told so, ended, and not let in again", async (_what, entry) => {
    const ward = await runWard();
    const token = await ward.token();
    const ada = await ward.knock(protocol, { token });
    await ada.join("icu");
    ward.directory.set("ada", entry);
    const rechecking = ward.app.recheck({ subject: "ada" });
    ward.tell("icu", "meanwhile");
    expect(await rechecking).toMatchObject({ matched: 1, ended: 1 });
    ward.tell("icu", "too late");
    expect(await ada.ended).toEqual({ code: 4403, reason: "forbidden" });
    expect(said(ada)).not.toContain("too late");
    expect(ada.frames().at(-1)).toBe("end");
    expect(await ward.refusal(protocol, { token })).toMatchObject({ reason: "forbidden" });
  });

  test("nobody can say who that is: nothing is done or told, and all of it is again when somebody can", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol);
    await ada.join("icu");
    ward.directory.set("ada", "down");
    expect(await ward.app.recheck({ subject: "ada" })).toMatchObject({ matched: 1, unavailable: 1 });
    ward.tell("icu", "held back");
    expect(await ada.notices.first()).toBe("expired auth_unavailable;action=retry-after 10");
    expect(await ada.say("icu", "note", "anybody?")).toBe("auth_unavailable;action=retry-after");
    expect(said(ada)).toEqual([]);
    ward.directory.delete("ada");
    ward.clock.advance(1_000);
    expect(await ada.heard.first()).toEqual(["vitals", "held back"]);
    expect(await ada.say("icu", "note", "again")).toBe("ok");
  });

  test("nobody can say for longer than the grace: told so and ended, to come back with the same credential", async () => {
    const ward = await runWard();
    const token = await ward.token();
    const ada = await ward.knock(protocol, { token });
    await ada.join("icu");
    ward.directory.set("ada", "down");
    await ward.app.recheck({ subject: "ada" });
    ward.tell("icu", "held back");
    await ward.pass(10);
    expect(await ada.ended).toEqual({ code: 4503, reason: "auth_unavailable;action=retry-after" });
    expect([said(ada), ada.frames().at(-1)]).toEqual([[], "end"]);
    ward.directory.delete("ada");
    await ward.knock(protocol, { token });
  });

  test("who joins a ward behind its recheck is whoever the directory says by then", async () => {
    const ward = await runWard();
    ward.rule = ({ roles }) => roles.includes("nurse");
    const here = await ward.enter(protocol);
    // Asked about before it, and there behind it.
    let letIn = (): void => undefined;
    ward.desk = new Promise((resolve) => (letIn = resolve));
    const coming = ward.enter(protocol);
    await until(() => ward.atDesk === 1);
    ward.desk = undefined;
    ward.directory.set("ada", ["clerk"]);
    expect(await ward.app.recheck({ group: ward.ward("icu") })).toMatchObject({ matched: 0 });
    letIn();
    for (const ada of [here, await coming]) {
      expect(await ada.join("icu")).toBe("forbidden: another ward");
      ward.tell("icu", "too late");
      ward.app.toAll().emit("vitals", "to all");
      await ada.heard.first(([, what]) => what === "to all");
      expect(said(ada)).not.toContain("too late");
    }
  });

  test("a recheck by a policy finds whoever it is asked about, in a ward or on the way there", async () => {
    const ward = await runWard();
    const [ada, ben] = [await ward.enter(protocol, "ada"), await ward.enter(protocol, "ben")];
    await ada.join("icu");
    expect(await ada.say("icu", "alarm", "help")).toBe("ok");
    for (const subject of ["ada", "ben"]) ward.directory.set(subject, ["clerk"]);
    const { nurses } = ward;
    if (nurses === undefined) throw new TypeError("not declared");
    // On a hub it is a method's; in rooms there is nothing to say for who is in none.
    const matched = protocol.name.startsWith("hub") ? 2 : 1;
    expect(await ward.app.recheck({ policy: nurses })).toEqual({ matched, lost: 0, ended: 0, unavailable: 0 });
    await ben.join("icu");
    for (const peer of [ada, ben])
      expect([await peer.say("icu", "alarm", "help"), await peer.say("icu", "note", "help")]).toEqual([
        "forbidden: nurses only",
        "ok",
      ]);
  });
});
