import { messageType, type HubMessage } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { createApp, type AppPeer, type Attributes, type Person } from "../../test/app-fixture.js";
import { textSchema } from "../../test/hub-fixture.js";
import { anyOf, type ConnectionId, type HubwardOptions } from "./index.js";

const HUB = "/hubs/ward";

async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Staff in wards; a doctor's stream, a doctor's call that waits, one that speaks on, and a hub of everybody's. */
function createWard(options: Partial<HubwardOptions<Attributes>> = {}) {
  const fixture = createApp(options);
  const { app, tokenOf } = fixture;
  const staff = app.policy("Staff", ({ principal }) => principal.hasRole("nurse", "doctor"));
  const doctors = app.policy("Doctors", ({ principal }) => principal.hasRole("doctor"));
  const admins = app.policy("Admins", ({ principal }) => principal.hasRole("admin"));
  const anybody = app.policy("Anybody", () => true);
  const ownWard = app.policy("OwnWard", ({ principal }, name: string) => principal.department === name);
  const never = app.policy("Never", () => new Promise<boolean>(() => undefined));
  const ward = app.group("ward/{ward}", { ward: textSchema() }).allow(ownWard, (values) => values.ward);
  const open: (() => void)[] = [];
  const attempts: string[] = [];
  const gate = (): Promise<void> => new Promise((resolve) => void open.push(resolve));
  app
    .hub(HUB)
    .allow(staff)
    .methods((m) => ({
      Join: m.args(textSchema()).handle((call, name) => call.groups.join(ward({ ward: name }))),
      WhoAmI: m.handle(({ principal }) => principal.roles),
      Hang: m.allow(never).handle(() => "never"),
      Consult: m.allow(doctors).handle(async (call) => {
        call.signal.addEventListener("abort", () => attempts.push("aborted"));
        await gate();
        for (const [what, speak] of [
          ["emit", () => call.toOthers().emit("advice")],
          ["ask", () => call.toCaller().invoke("Confirm", [], { result: textSchema() })],
          ["join", () => call.groups.join(ward({ ward: "er" }))],
        ] as const) {
          try {
            await speak();
            attempts.push(`${what} done`);
          } catch (error) {
            attempts.push(`${what} ${(error as Error).message}`);
          }
        }
        return "what a doctor may know";
      }),
      Watch: m.allow(doctors).stream(async function* () {
        for (let item = 0; ; item++) {
          yield item;
          await gate();
        }
      }),
    }));
  app
    .hub("/hubs/lobby")
    .allow(anyOf(anybody, admins))
    .methods(() => ({}));
  /** What the directory says from now on. */
  const become = (person: Person): void => void tokenOf(person);
  return { ...fixture, become, ward, doctors, admins, staff, open, attempts };
}

const errorOf = (messages: readonly HubMessage[], id: string): unknown => {
  const completion = messages.find((each) => each.type === messageType.completion && each.invocationId === id);
  return completion?.type === messageType.completion ? completion.outcome : undefined;
};

function ask(peer: AppPeer, id: string, target: string, isStream = false): void {
  const type = isStream ? messageType.streamInvocation : messageType.invocation;
  peer.send({ type, invocationId: id, target, arguments: [] } as HubMessage);
}

describe("app.recheck", () => {
  it("takes a role away from whoever holds it: running stream and call, memberships, sends, and what comes next", async () => {
    const { app, attempts, become, connect, open, tokenOf, ward } = createWard();
    const peer = await connect(tokenOf({ subject: "ann", roles: ["doctor"], department: "icu" }));
    const other = await connect(tokenOf({ subject: "bob" }));
    await peer.call("Join", "icu");
    ask(peer, "s", "Watch", true);
    ask(peer, "c", "Consult");
    // Behind the running one, in the queue.
    ask(peer, "q", "Consult");
    await settle();
    app.to(ward({ ward: "icu" })).emit("before");
    become({ subject: "ann", roles: ["nurse"], department: "er" });
    const result = await app.recheck({ subject: "ann" });
    expect(result).toEqual({ matched: 1, lost: 1, ended: 0, unavailable: 0 });
    app.to(ward({ ward: "icu" })).emit("after");
    for (const go of open.splice(0)) go();
    await settle();
    const heard = peer.hear();
    const forbidden = { kind: "error", error: "forbidden" };
    expect(["s", "c", "q"].map((id) => errorOf(heard, id))).toEqual([forbidden, forbidden, forbidden]);
    expect(heard.filter((each) => each.type === messageType.invocation)).toEqual([]);
    expect(heard.filter((each) => each.type === messageType.streamItem).length).toBe(1);
    expect(attempts).toEqual(["aborted", "emit forbidden", "ask forbidden", "join forbidden"]);
    expect(other.hear()).toEqual([]);
    expect(await peer.call("WhoAmI")).toMatchObject({ outcome: { value: ["nurse"] } });
  });

  it("ends with forbidden who may not be here any more", async () => {
    const { app, become, connect, of, tokenOf } = createWard();
    const peer = await connect(tokenOf({ subject: "ann" }));
    become({ subject: "ann", roles: [] });
    expect(await app.recheck({ subject: "ann" })).toEqual({ matched: 1, lost: 0, ended: 1, unavailable: 0 });
    expect(peer.hear()).toMatchObject([{ type: messageType.close, error: "forbidden" }]);
    expect(peer.socket.closed?.code).toBe(4403);
    expect(of("recheck.completed")).toEqual([
      { event: "recheck.completed", by: "subject", matched: 1, lost: 0, ended: 1, unavailable: 0 },
    ]);
  });

  it("finds connections by subject, session, connection, group, policy and tenant, within its own tenant", async () => {
    const { admins, app, connect, doctors, tokenOf, ward } = createWard();
    const ann = await connect(tokenOf({ subject: "ann", sessionId: "s1", department: "icu" }));
    await connect(tokenOf({ subject: "ann", sessionId: "s2", department: "icu" }));
    await connect(tokenOf({ subject: "bob", sessionId: "s3" }), "/hubs/lobby");
    const north = await connect(tokenOf({ subject: "ann", sessionId: "s1", tenant: "north", department: "icu" }));
    await ann.call("Join", "icu");
    await north.call("Join", "icu");
    const id = app.groups.members(ward({ ward: "icu" }))[0]?.connectionId as ConnectionId;
    const selectors = {
      subject: { subject: "ann" },
      session: { session: "s1" },
      connection: { connection: id },
      group: { group: ward({ ward: "icu" }) },
      "a method's policy": { policy: doctors },
      "a policy that is one of several": { policy: admins },
      nobody: { subject: "zoe" },
    } as const;
    const counts: Record<string, readonly number[]> = {};
    for (const [name, selector] of Object.entries(selectors)) {
      const results = [
        app.recheck(selector),
        app.tenant("north").recheck(selector),
        app.everyTenant().recheck(selector),
      ];
      counts[name] = (await Promise.all(results)).map(({ matched }) => matched);
    }
    expect(counts).toEqual({
      subject: [2, 1, 3],
      session: [1, 1, 2],
      connection: [1, 0, 1],
      group: [1, 1, 2],
      "a method's policy": [2, 1, 3],
      "a policy that is one of several": [1, 0, 1],
      nobody: [0, 0, 0],
    });
    expect((await app.recheck({ tenant: "north" })).matched).toBe(1);
  });

  it("finds who is about to join the group, and the join counts for the new principal", async () => {
    const answers: ((allowed: boolean) => void)[] = [];
    const { app, connect, tokenOf } = createApp();
    const slow = app.policy("Slow", () => new Promise<boolean>((resolve) => void answers.push(resolve)));
    const group = app.group("slow", {}).allow(slow);
    const anybody = app.policy("Anybody", () => true);
    app
      .hub(HUB)
      .allow(anybody)
      .methods(() => ({}));
    await connect(tokenOf({ subject: "ann" }));
    const adding = app.groups.add({ subject: "ann" }, group());
    const rechecking = app.recheck({ group: group() });
    await settle();
    expect((await rechecking).matched).toBe(1);
    answers.shift()?.(true);
    await settle();
    answers.shift()?.(false);
    expect(await adding).toMatchObject({ joined: 0, refused: [{ reason: "forbidden" }] });
  });

  it("takes what waits behind a connected hook, too", async () => {
    const { app, connect, tokenOf } = createApp();
    let open: () => void = () => undefined;
    const nurses = app.policy("Nurses", ({ principal }) => principal.hasRole("nurse"));
    const group = app.group("ward", {}).allow(nurses);
    const anybody = app.policy("Anybody", () => true);
    app
      .hub(HUB)
      .allow(anybody)
      .connected(() => new Promise<void>((resolve) => (open = resolve)))
      .methods(() => ({}));
    const peer = await connect(tokenOf({ subject: "ann" }));
    expect(await app.groups.add({ subject: "ann" }, group())).toMatchObject({ joined: 1 });
    app.to(group()).emit("waits");
    app.toPrincipal({ subject: "ann" }).emit("marker");
    tokenOf({ subject: "ann", roles: [] });
    expect(await app.recheck({ subject: "ann" })).toMatchObject({ matched: 1, lost: 1 });
    open();
    await settle();
    expect(peer.hear()).toMatchObject([{ target: "marker" }]);
  });

  it.each([[{}], [{ subject: "ann", session: "s1" }], [{ group: { template: {}, values: {} } }], [undefined]])(
    "refuses the selector %j",
    async (selector) => {
      const { app } = createWard();
      await expect(app.recheck(selector as never)).rejects.toThrow(TypeError);
    },
  );

  it("turns away who was admitted before it and connects behind it, so that they are asked about anew", async () => {
    const { app, become, connect, negotiate, tokenOf, upgrade, peerOn } = createWard();
    const token = tokenOf({ subject: "ann", roles: ["doctor"] });
    const attempts = [];
    for (const subject of ["ann", "bob"]) {
      const reply = await negotiate(subject === "ann" ? token : tokenOf({ subject }), { path: `${HUB}/negotiate` });
      attempts.push(JSON.parse(reply.body) as { connectionToken: string; accessToken: string });
    }
    become({ subject: "ann", roles: ["nurse"] });
    expect(await app.recheck({ subject: "ann" })).toMatchObject({ matched: 0 });
    const endings: (string | undefined)[] = [];
    for (const { connectionToken, accessToken } of attempts) {
      const socket = await upgrade({ path: HUB, query: `id=${connectionToken}`, queryBearers: [accessToken] });
      if (!("peerSends" in socket)) throw new TypeError("refused");
      socket.peerSends(new TextEncoder().encode('{"protocol":"json","version":1}\x1e'));
      const close = peerOn(socket)
        .hear()
        .find((each) => each.type === messageType.close);
      endings.push(close?.type === messageType.close ? `${close.error} ${close.allowReconnect}` : undefined);
    }
    expect(endings).toEqual(["auth_unavailable;action=retry-after true", undefined]);
    const again = await connect(token);
    expect(await again.call("WhoAmI")).toMatchObject({ outcome: { value: ["nurse"] } });
  });
});

/** A ward of nurses that a hub joins, and a directory that can be slow and remembers whom it was asked about. */
function createSlowWard(options: Partial<HubwardOptions<Attributes>> = {}) {
  const roles = new Map<string, readonly string[]>();
  const asked: string[] = [];
  const gates: (() => void)[] = [];
  const state = { isSlow: false };
  const fixture = createApp({
    async principal({ subject }) {
      asked.push(subject);
      const found = roles.get(subject) ?? ["nurse"];
      if (state.isSlow) await new Promise<void>((resolve) => void gates.push(resolve));
      return { roles: found, department: null };
    },
    ...options,
  });
  const { app } = fixture;
  const nurses = app.policy("Nurses", ({ principal }) => principal.hasRole("nurse"));
  const anybody = app.policy("Anybody", () => true);
  const ward = app.group("ward/{ward}", { ward: textSchema() }).allow(nurses);
  const other = app.group("other", {}).allow(anybody);
  app
    .hub(HUB, { authenticationRefresh: true })
    .allow(anybody)
    .methods((m) => ({
      Join: m.args(textSchema()).handle((call, name) => call.groups.join(ward({ ward: name }))),
      Other: m.handle((call) => call.groups.join(other())),
      WhoAmI: m.handle(({ principal }) => principal.roles),
    }));
  /** Negotiated with, and nothing more. */
  const attempt = async (bearer: string) => {
    const { body } = await fixture.negotiate(bearer, { path: `${HUB}/negotiate` });
    return JSON.parse(body) as { readonly connectionToken: string; readonly accessToken: string };
  };
  const attach = async (id: string, bearers: { bearers: string[] } | { queryBearers: string[] }) => {
    const socket = await fixture.upgrade({ path: HUB, query: `id=${id}`, ...bearers });
    return "peerSends" in socket ? { socket, peer: fixture.peerOn(socket) } : socket.status;
  };
  const shakeHands = ({ socket }: AppPeer): void =>
    socket.peerSends(new TextEncoder().encode('{"protocol":"json","version":1}\x1e'));
  const open = () => {
    state.isSlow = false;
    for (const gate of gates.splice(0)) gate();
  };
  return { ...fixture, anybody, asked, attach, attempt, nurses, open, roles, shakeHands, state, ward };
}

const value = (outcome: unknown) => ({ outcome: { kind: "value", value: outcome } });
const forbidden = { outcome: { kind: "error", error: "forbidden" } };

describe("a right that was lost", () => {
  it("does not come back with an attempt that takes longer than rechecks are remembered one by one", async () => {
    const { app, attach, attempt, clock, connect, open, roles, shakeHands, state, tokenOf } = createSlowWard({
      policyTimeoutMs: 60_000,
    });
    const token = tokenOf({ subject: "eve" });
    state.isSlow = true;
    const negotiating = attempt(token);
    await settle();
    state.isSlow = false;
    roles.set("eve", []);
    expect(await app.recheck({ subject: "eve" })).toMatchObject({ matched: 0 });
    clock.advance(25_000);
    open();
    const { connectionToken, accessToken } = await negotiating;
    clock.advance(25_000);
    await app.recheck({ subject: "somebody else" });
    const attached = await attach(connectionToken, { queryBearers: [accessToken] });
    if (typeof attached === "number") throw new TypeError(`refused: ${attached}`);
    shakeHands(attached.peer);
    expect(attached.peer.hear()).toMatchObject([
      { type: messageType.close, error: "auth_unavailable;action=retry-after" },
    ]);
    // Once: whoever comes again was asked about since.
    expect(await (await connect(token)).call("Join", "icu")).toMatchObject(forbidden);
  });

  it("does not come back with a second attempt of the ticket, later than the ticket itself may attach", async () => {
    const { app, attach, attempt, clock, roles, tokenOf } = createSlowWard();
    const token = tokenOf({ subject: "eve" });
    const first = await attempt(token);
    roles.set("eve", []);
    await app.recheck({ subject: "eve" });
    clock.advance(29_000);
    const second = await attempt(first.accessToken);
    clock.advance(18_000);
    await app.recheck({ subject: "somebody else" });
    expect(await attach(second.connectionToken, { bearers: [token] })).toBe(404);
  });

  it("does not come back with a credential of the session that was on its way", async () => {
    const { app, connect, of, open, roles, state, tokenOf } = createSlowWard();
    const peer = await connect(tokenOf({ subject: "eve", sessionId: "s1" }));
    const later = tokenOf({ subject: "eve", sessionId: "s2", livesMs: 7_200_000 });
    state.isSlow = true;
    expect(await peer.call("hubward.reauthenticate", later)).toBe(undefined);
    roles.set("eve", []);
    expect(await app.recheck({ session: "s2" })).toMatchObject({ matched: 0 });
    open();
    await settle();
    expect(of("connection.reauthenticated")).toMatchObject([{ sessionId: "s2" }]);
    expect(await peer.call("WhoAmI")).toMatchObject(value([]));
  });

  it("does not come back in the group that was rechecked: neither for who was connecting nor for who was not in", async () => {
    const { app, asked, attach, attempt, connect, roles, shakeHands, tokenOf, ward } = createSlowWard();
    const here = await connect(tokenOf({ subject: "eve" }));
    const { connectionToken, accessToken } = await attempt(tokenOf({ subject: "eve" }));
    roles.set("eve", []);
    expect(await app.recheck({ group: ward({ ward: "icu" }) })).toMatchObject({ matched: 0 });
    const attached = await attach(connectionToken, { queryBearers: [accessToken] });
    if (typeof attached === "number") throw new TypeError(`refused: ${attached}`);
    shakeHands(attached.peer);
    asked.length = 0;
    // It names this group, and nobody asks about anything else anew.
    for (const peer of [here, attached.peer]) expect(await peer.call("Other")).toMatchObject(value(null));
    expect(await here.call("WhoAmI")).toMatchObject(value(["nurse"]));
    expect(asked).toEqual([]);
    for (const peer of [here, attached.peer]) {
      expect(await peer.call("Join", "icu")).toMatchObject(forbidden);
      expect(await peer.call("Join", "icu")).toMatchObject(forbidden);
    }
    expect([asked, app.groups.count(ward({ ward: "icu" }))]).toEqual([["eve", "eve"], 0]);
    expect(await here.call("WhoAmI")).toMatchObject(value([]));
  });

  it("is asked about once before the next join, in the groups it was rechecked for and its tenant only", async () => {
    const { app, asked, connect, nurses, roles, tokenOf, ward } = createSlowWard();
    const ann = await connect(tokenOf({ subject: "ann" }));
    const bob = await connect(tokenOf({ subject: "bob", tenant: "north" }));
    asked.length = 0;
    await app.recheck({ group: ward({ ward: "er" }) });
    await app.tenant("north").recheck({ group: ward({ ward: "icu" }) });
    expect(await ann.call("Join", "icu")).toMatchObject(value(null));
    expect(asked).toEqual([]);
    expect(await bob.call("Join", "icu")).toMatchObject(value(null));
    expect(asked).toEqual(["bob"]);
    expect(await app.recheck({ policy: nurses })).toMatchObject({ matched: 1 });
    expect(asked).toEqual(["bob", "ann"]);
    roles.set("bob", []);
    expect(await app.everyTenant().recheck({ policy: nurses })).toMatchObject({ matched: 2, lost: 1 });
    expect(await ann.call("Join", "er")).toMatchObject(value(null));
    expect(await bob.call("Join", "er")).toMatchObject(forbidden);
  });

  it("ends with the join, or makes it wait, where the directory says no more", async () => {
    const people = new Map<string, "gone" | "down">();
    const { app, clock, connect, tokenOf, ward } = createSlowWard({
      principal({ subject }) {
        const found = people.get(subject);
        if (found === "down") throw new Error("down");
        return found === "gone" ? null : { roles: ["nurse"], department: null };
      },
    });
    const [ann, bob] = [await connect(tokenOf({ subject: "ann" })), await connect(tokenOf({ subject: "bob" }))];
    await app.recheck({ group: ward({ ward: "icu" }) });
    people.set("ann", "gone").set("bob", "down");
    await ann.call("Join", "icu");
    expect(ann.socket.closed?.code).toBe(4403);
    expect(await bob.call("Join", "icu")).toMatchObject({
      outcome: { kind: "error", error: expect.stringMatching(/^auth_unavailable/) as string },
    });
    people.clear();
    clock.advance(1_000);
    await settle();
    expect(await bob.call("Join", "icu")).toMatchObject(value(null));
  });

  it("is looked for where a room's members publish, and where they see who is there", async () => {
    const { anybody, app, asked, connect, tokenOf } = createSlowWard();
    const rules = ["Publishes", "Says", "Sees", "Nothing"].map((name) => app.policy(name, () => true));
    const [publishes, says, sees, nothing] = rules as [typeof anybody, typeof anybody, typeof anybody, typeof anybody];
    const about = app.policy("About", (_context, what: string) => what !== "");
    const room = app
      .group("room", {})
      .allow(anybody)
      .room((draft) =>
        draft
          .publish("note", textSchema(), (note) => note.allow(anyOf(publishes, says)).allow(about, (what) => what))
          .presence((presence) => presence.allow(sees)),
      );
    await connect(tokenOf({ subject: "ann" }));
    await connect(tokenOf({ subject: "bob" }));
    await app.groups.add({ subject: "ann" }, room());
    for (const policy of [publishes, says, sees, about])
      expect([policy.name, (await app.recheck({ policy })).matched]).toEqual([policy.name, 1]);
    expect((await app.recheck({ policy: nothing })).matched).toBe(0);
    asked.length = 0;
    // Who joins later is asked about before there is anything to publish.
    await app.groups.add({ subject: "bob" }, room());
    expect(asked).toEqual(["bob"]);
  });
});

describe("recheckEveryMs", () => {
  it("notices by itself, within the interval, what nobody told", async () => {
    const { become, clock, connect, tokenOf } = createWard({ recheckEveryMs: 20_000 });
    const peers = [await connect(tokenOf({ subject: "ann" })), await connect(tokenOf({ subject: "bob" }))];
    become({ subject: "ann", roles: [] });
    for (let second = 0; second < 20; second++) {
      clock.advance(1_000);
      await settle();
    }
    // Without an answer to the ping of the meantime it is a reset, not a word.
    expect(peers.map(({ socket }) => socket.isEnded)).toEqual([true, false]);
  });

  it("is off by default, and must be a whole number", async () => {
    const { become, clock, connect, tokenOf } = createWard();
    const peer = await connect(tokenOf({ subject: "ann" }));
    become({ subject: "ann", roles: [] });
    clock.advance(25_000);
    await settle();
    expect(peer.socket.closed).toBe(undefined);
    expect(() => createApp({ recheckEveryMs: 0.5 })).toThrow(RangeError);
  });
});

describe("policyTimeoutMs", () => {
  it("answers auth_unavailable for a policy that does not answer", async () => {
    const { clock, connect, of, tokenOf } = createWard({ policyTimeoutMs: 700 });
    const peer = await connect(tokenOf({ subject: "ann" }));
    ask(peer, "h", "Hang");
    await settle();
    clock.advance(699);
    await settle();
    expect(errorOf(peer.hear(), "h")).toBe(undefined);
    clock.advance(1);
    await settle();
    expect(errorOf(peer.hear(), "h")).toMatchObject({ error: expect.stringMatching(/^auth_unavailable/) as string });
    expect(of("application.failed")).toMatchObject([{ where: "Never" }]);
  });

  it("answers 503 for a mapping and for an authenticator that do not answer", async () => {
    const forever = (): Promise<never> => new Promise(() => undefined);
    for (const options of [{ principal: forever }, { authenticator: { authenticate: forever } }]) {
      const { clock, negotiate, tokenOf } = createWard(options);
      const replying = negotiate(tokenOf({ subject: "ann" }), { path: `${HUB}/negotiate` });
      await settle();
      clock.advance(5_000);
      expect((await replying).status).toBe(503);
    }
  });
});
