/** Revocation: the gate shuts before anybody is told that it did, and the reason is the last thing a peer hears. */

import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import type { Peer } from "./protocol.js";
import { protocols, runWard, variants, type Ward } from "./ward.js";

const said = ({ heard }: Peer): readonly unknown[] => heard.items.map(([, what]) => what);
const REVOKED = { code: 4410, reason: "session_revoked;action=relogin" };

const DISABLED = { code: 4413, reason: "account_disabled" };

type Revoke = (ward: Ward, target: { readonly peer: Peer; readonly token: string }) => Promise<unknown>;

/** What is named, how, what is told, and whether the same credential opens a door again. */
const targets: readonly (readonly [string, Revoke, { readonly code: number; readonly reason: string }, boolean])[] = [
  ["a session", ({ app }) => app.tenant("general").revoke({ session: "ada-1" }), REVOKED, false],
  ["a person", ({ app }) => app.tenant("general").revoke({ subject: "ada" }), DISABLED, false],
  ["a tenant", ({ app }) => app.revoke({ tenant: "general" }), { code: 4413, reason: "tenant_suspended" }, false],
  ["a token", ({ app }, { token }) => app.revoke({ tokenId: claimOf(token, "jti") }), REVOKED, false],
  ["a client", ({ app }) => app.revoke({ client: "tests-ada" }), DISABLED, false],
  ["a connection", ({ app }, { peer }) => app.revoke({ connection: (peer.id ?? "") as never }), REVOKED, true],
];

function claimOf(token: string, name: string): string {
  const [, payload = ""] = token.split(".");
  return String((JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as Record<string, unknown>)[name]);
}

describe.each(variants)("$name", (protocol) => {
  test.each(targets)("of %s ends it with the reason, and nobody else", async (_what, revoke, ending, mayReturn) => {
    const ward = await runWard({ tenantClaim: "tid" });
    const tokenOf = (subject: string, tid: string): Promise<string> =>
      ward.token(subject, { claims: { tid, sid: `${subject}-1`, client_id: `tests-${subject}` } });
    const token = await tokenOf("ada", "general");
    const ada = await ward.knock(protocol, { token });
    const other = await ward.knock(protocol, { token: await tokenOf("ben", "annex") });
    for (const peer of [ada, other]) await peer.join("icu");
    const tell = (what: string): void => {
      for (const tenant of ["general", "annex"]) ward.app.tenant(tenant).to(ward.ward("icu")).emit("vitals", what);
    };
    tell("before");
    for (const peer of [ada, other]) await peer.heard.first();
    const revoking = revoke(ward, { peer: ada, token });
    tell("behind the gate");
    expect(await revoking).toMatchObject({ matched: 1, stillClosing: 0 });
    tell("after");
    expect(await ada.ended).toEqual(ending);
    await other.heard.take(3);
    expect([said(ada), said(other)]).toEqual([["before"], ["before", "behind the gate", "after"]]);
    expect(ada.frames().at(-1)).toBe("end");
    const again = await ward.refusal(protocol, { token });
    expect(again === "let in" ? "let in" : again.reason).toBe(mayReturn ? "let in" : ending.reason);
  });

  test("while a request runs: it comes to nothing, and what it would have said reaches nobody", async () => {
    const ward = await runWard();
    let open: () => void = () => undefined;
    ward.gate = new Promise((resolve) => (open = resolve));
    const [ada, ben] = [
      await ward.enter(protocol, "ada", { claims: { sid: "ada-1" } }),
      await ward.enter(protocol, "ben"),
    ];
    for (const peer of [ada, ben]) await peer.join("icu");
    void ada.order("icu", "aspirin", "command-1").catch(() => undefined);
    void ada.say("icu", "note", "behind it").catch(() => undefined);
    while (ward.begun === 0) await new Promise((resolve) => setImmediate(resolve));
    await ward.app.revoke({ session: "ada-1" });
    open();
    expect(await ada.ended).toEqual(REVOKED);
    ward.tell("icu", "end");
    expect(await ben.heard.first()).toEqual(["vitals", "end"]);
    expect(said(ben)).toEqual(["end"]);
  });

  test("while a new credential is looked up: revoked wins", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol, "ada", { claims: { sid: "ada-1" } });
    let open: () => void = () => undefined;
    ward.desk = new Promise((resolve) => (open = resolve));
    void ada
      .reauthenticate(await ward.token("ada", { lifetime: 600, claims: { sid: "ada-1" } }))
      .catch(() => undefined);
    while (ward.atDesk === 0) await new Promise((resolve) => setImmediate(resolve));
    const revoking = ward.app.revoke({ session: "ada-1" });
    open();
    await revoking;
    expect(await ada.ended).toEqual(REVOKED);
    expect(ward.telemetry.items.filter(({ event }) => event === "connection.reauthenticated")).toEqual([]);
  });

  test("while it knocks: never a connection", async () => {
    const ward = await runWard();
    let open: () => void = () => undefined;
    ward.desk = new Promise((resolve) => (open = resolve));
    const knocking = ward.refusal(protocol, { token: await ward.token("ada", { claims: { sid: "ada-1" } }) });
    while (ward.atDesk === 0) await new Promise((resolve) => setImmediate(resolve));
    const revoking = ward.app.revoke({ session: "ada-1" });
    open();
    await revoking;
    expect(await knocking).toMatchObject({ reason: "session_revoked;action=relogin" });
    expect(ward.telemetry.items.filter(({ event }) => event === "connection.opened")).toEqual([]);
  });

  test("of one who does not read, with a mebibyte queued: nothing is handed over behind the gate", async () => {
    const ward = await runWard({ outbox: { maxBytes: 32 * 1024 * 1024, maxLagMs: 3_600_000 } });
    const accepted: Socket[] = [];
    ward.server.on("connection", (socket: Socket) => accepted.push(socket));
    const ada = await ward.enter(protocol, "ada", { claims: { sid: "ada-1" } });
    await ada.join("icu");
    ada.pause();
    const filling = "x".repeat(16 * 1024);
    const told = 128;
    for (let number = 0; number < told; number++) {
      ward.tell("icu", `${number} ${filling}`);
      if (number % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const revoking = ward.app.revoke({ session: "ada-1" });
    ward.tell("icu", "behind the gate");
    // The socket is gone before it is acknowledged, and what waited for it with it. Only who polls has none that could be
    // reset: its last words wait 5 s for it to come, longer than an acknowledgement does.
    const isPolled = protocol.transport === "LongPolling";
    if (isPolled) await ward.pass(6);
    expect(await revoking).toMatchObject({ matched: 1, stillClosing: isPolled ? 1 : 0 });
    const written = (): readonly number[] => accepted.map(({ bytesWritten }) => bytesWritten);
    const before = written();
    expect(ward.app.connectionCount).toBe(0);
    ward.tell("icu", "after");
    await new Promise((resolve) => setImmediate(resolve));
    expect(written()).toEqual(before);
    ada.resume();
    await ada.ended;
    const numbers = said(ada).map((what) => Number.parseInt(String(what), 10));
    // What the kernels held already may still be read; the rest never is.
    expect(numbers).toEqual(numbers.map((_, index) => index));
    expect((told - numbers.length) * filling.length).toBeGreaterThan(1024 * 1024);
    expect(
      await ward.refusal(protocol, { token: await ward.token("ada", { claims: { sid: "ada-1" } }) }),
    ).toMatchObject({ reason: "session_revoked;action=relogin" });
  });
});

test("one revocation ends the connections of both protocols before it is acknowledged", async () => {
  const ward = await runWard();
  const claims = { sid: "ada-1" };
  const peers = await Promise.all(protocols.map((protocol) => ward.enter(protocol, "ada", { claims })));
  expect(await ward.app.revoke({ session: "ada-1" })).toMatchObject({ matched: 2, stillClosing: 0 });
  expect(ward.app.connectionCount).toBe(0);
  expect(await Promise.all(peers.map(({ ended }) => ended))).toEqual([REVOKED, REVOKED]);
});
