/** A later credential on a live connection: the whole principal is replaced, or nothing changes. */

import { describe, expect, test } from "vitest";
import { createIssuer } from "../../support/tokens.js";
import { until } from "../../support/until.js";
import type { Peer } from "./protocol.js";
import { runWard, variants } from "./ward.js";

const said = ({ heard }: Peer): readonly unknown[] => heard.items.map(([, what]) => what);

describe.each(variants)("$name", (protocol) => {
  test("more rights count at once, and every membership goes on", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada", { roles: ["clerk"], lifetime: 60 });
    await ada.subscribe();
    await ada.join("icu");
    expect(await ada.say("icu", "alarm", "before")).toBe("forbidden: nurses only");
    expect(await ada.reauthenticate(await ward.token("ada", { lifetime: 600 }))).toBe("ok");
    expect(await ada.say("icu", "alarm", "after")).toBe("ok");
    await ward.pass(61);
    expect(await ada.say("icu", "alarm", "later")).toBe("ok");
    await ada.heard.first(([, what]) => what === "later");
    expect(said(ada)).toEqual(["after", "later"]);
    expect(ada.notices.items).toEqual(["reauthenticated"]);
    expect(ward.telemetry.items.filter(({ event }) => event === "connection.opened")).toHaveLength(1);
  });

  test("fewer rights count at once: what is lost is told, and nothing of it comes behind the answer", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada");
    await ada.subscribe();
    await ada.join("icu");
    const later = await ward.token("ada", { lifetime: 600, roles: ["clerk"], claims: { ward: "er" } });
    expect(await ada.reauthenticate(later)).toBe("ok");
    ward.tell("icu", "too late");
    expect([
      await ada.say("icu", "note", "still here?"),
      await ada.join("icu"),
      await ada.join("er"),
      await ada.say("er", "alarm", "help"),
    ]).toEqual(["not_member", "forbidden: another ward", "ok", "forbidden: nurses only"]);
    expect([...ada.notices.items].sort()).toEqual(["lost ward/icu", "reauthenticated"]);
    expect(said(ada)).toEqual([]);
  });

  test("whom the application does not want by it is told so and closed", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol);
    void ada.reauthenticate(await ward.token("ada", { lifetime: 600, roles: ["visitor"] }));
    expect(await ada.ended).toEqual({ code: 4403, reason: "forbidden" });
    expect(ada.frames().at(-1)).toBe("end");
  });

  test("another person, another client, or no good token at all changes nothing", async () => {
    const ward = await runWard();
    const foreign = await createIssuer(ward.clock, { issuer: "https://elsewhere.test/" });
    const ada = await ward.enter(protocol, "ada", { roles: ["clerk"] });
    await ada.join("icu");
    await ward.app.revoke({ session: "gone" });
    const later = { lifetime: 600 } as const;
    const tokens = {
      "another person": await ward.token("ben", later),
      "another client": await ward.token("ada", { ...later, claims: { client_id: "another" } }),
      foreign: await foreign.token("ada", { ...later, roles: ["nurse"] }),
      malformed: "no.jwt.atall",
      expired: await ward.token("ada", { lifetime: -5, age: 60 }),
      revoked: await ward.token("ada", { ...later, claims: { sid: "gone" } }),
    };
    const verdicts: Record<string, string> = {};
    for (const [name, token] of Object.entries(tokens)) {
      verdicts[name] = await ada.reauthenticate(token);
      // A few at once; then one in so many seconds.
      ward.clock.advance(3_000);
    }
    expect(verdicts).toEqual({
      "another person": "principal_mismatch;action=relogin",
      "another client": "principal_mismatch;action=relogin",
      foreign: "invalid_token;action=relogin",
      malformed: "invalid_token;action=relogin",
      expired: "token_expired;action=refresh",
      revoked: "session_revoked;action=relogin",
    });
    expect([await ada.say("icu", "note", "still me"), await ada.say("icu", "alarm", "still a clerk")]).toEqual([
      "ok",
      "forbidden: nurses only",
    ]);
    expect(await ada.heard.first()).toEqual(["note", "still me"]);
    const refused = ward.telemetry.items.flatMap((event) =>
      event.event === "reauthentication.refused" ? [event.reason] : [],
    );
    expect(refused).toEqual(Object.values(verdicts).map((verdict) => verdict.split(";")[0]));
  });

  test("a directory that fails leaves the connection as it was", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol);
    await ada.join("icu");
    ward.directory.set("ada", "down");
    expect(await ada.reauthenticate(await ward.token("ada", { lifetime: 600 }))).toBe(
      "auth_unavailable;action=retry-after;retry_after=1",
    );
    expect(await ada.say("icu", "alarm", "still here")).toBe("ok");
  });

  test("the same token again is answered, and one that ends sooner shortens nothing", async () => {
    const ward = await runWard();
    const token = await ward.token("ada", { lifetime: 300 });
    const ada = await ward.knock(protocol, { token });
    await ada.subscribe();
    expect(await ada.reauthenticate(token)).toBe("ok");
    expect(await ada.reauthenticate(await ward.token("ada", { lifetime: 60, roles: ["clerk"] }))).toBe("ok");
    await ward.pass(120);
    await ada.join("icu");
    expect(await ada.say("icu", "alarm", "still a nurse")).toBe("ok");
    expect(ada.notices.items).toEqual([]);
  });

  test("too many are turned away, and what the connection has stays", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol);
    const verdicts: string[] = [];
    for (let attempt = 0; attempt < 7; attempt++) verdicts.push(await ada.reauthenticate("no.jwt.atall"));
    expect(verdicts.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => "invalid_token;action=relogin"));
    expect(verdicts.slice(5)).toEqual(
      Array.from({ length: 2 }, () => expect.stringMatching(/^rate_limited;action=retry-after;retry_after=\d+$/)),
    );
    expect(await ada.join("icu")).toBe("ok");
  });

  test("while a request runs, it is judged again before it is answered", async () => {
    const ward = await runWard();
    let open: () => void = () => undefined;
    ward.gate = new Promise((resolve) => (open = resolve));
    const ada = await ward.enter(protocol);
    await ada.join("icu");
    const ordering = ada.order("icu", "aspirin", "command-1");
    await until(() => ward.begun === 1);
    expect(await ada.reauthenticate(await ward.token("ada", { lifetime: 600, roles: ["clerk"] }))).toBe("ok");
    open();
    expect(await ordering).toBe("forbidden: nurses only");
    ward.app.toAll().emit("vitals", "end");
    await ada.heard.first(([, what]) => what === "end");
    expect(said(ada)).toEqual(["end"]);
  });

  test.each([
    ["at once", (verdict: boolean) => verdict],
    ["later", async (verdict: boolean) => new Promise<boolean>((resolve) => setImmediate(resolve, verdict))],
  ] as const)("what runs goes on where the new principal may do it as well, asked %s", async (_when, say) => {
    const ward = await runWard();
    let open: () => void = () => undefined;
    ward.gate = new Promise((resolve) => (open = resolve));
    const ada = await ward.enter(protocol);
    await ada.join("icu");
    const ordering = ada.order("icu", "aspirin", "command-1");
    await until(() => ward.begun === 1);
    ward.rule = ({ ward: own }, name) => say(own === name);
    const renewing = ada.reauthenticate(await ward.token("ada", { lifetime: 600 }));
    await ward.telemetry.first(({ event }) => event === "connection.reauthenticated");
    open();
    expect([await renewing, await ordering]).toEqual(["ok", "ok"]);
    expect(await ada.heard.first()).toEqual(["order", "aspirin"]);
  });
});
