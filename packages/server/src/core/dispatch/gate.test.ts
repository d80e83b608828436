import { createFakeClock } from "@hubward/testing";
import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { createFixture, type Fixture, type Peer } from "../../../test/connection-fixture.js";
import {
  allowAll,
  deferred,
  denyAll,
  hubOf,
  methodOf,
  policy,
  requirement,
  schemaOf,
  textSchema,
} from "../../../test/hub-fixture.js";
import { limiterOf } from "../../../test/limits-fixture.js";
import { pass, passAgain } from "./gate.js";
import { hubDefaults } from "./hub-settings.js";
import type { Hub } from "./hub.js";
import type { Staff } from "../../../test/connection-fixture.js";
import { patientWatch } from "../../../test/policy-watch.js";

type Answer = Awaited<ReturnType<typeof pass<Staff>>>;

const clock = createFakeClock();

function ask(
  { connection }: Peer,
  hub: Hub<Staff>,
  target = "Order",
  args: readonly unknown[] = [],
  failures: string[] = [],
  limiter = limiterOf(clock),
) {
  return pass(
    connection,
    hub,
    target,
    args,
    patientWatch((where) => void failures.push(where)),
    limiter,
  );
}

function reasonOf(answer: Answer): string {
  return answer instanceof HubwardError ? answer.reason : "in";
}

function replacePrincipal({ connection }: Peer): void {
  connection.replace(connection.admission, "rechecked");
}

/** A hub that writes down who was asked, in order; `fails` says where it refuses. */
function tracing(fails: string, isAsync = false): { hub: Hub<Staff>; trace: string[] } {
  const trace: string[] = [];
  const step = (name: string) =>
    policy<unknown>(name, () => {
      trace.push(name);
      const answer = name !== fails;
      return isAsync ? Promise.resolve(answer) : answer;
    });
  const schema = schemaOf((value) => {
    trace.push("input");
    const result = fails === "input" ? { issues: [{ message: "no" }] } : { value: `${String(value)}!` };
    return isAsync ? Promise.resolve(result) : result;
  });
  const method = methodOf("Order", {
    schemas: [schema],
    requirements: [requirement(step("method"))],
    resourceRequirements: [requirement(step("resource"), (value: string) => trace.push(`names ${value}`))],
  });
  return { hub: hubOf([method], { requirements: [requirement(step("hub"))] }), trace };
}

describe("the gate", () => {
  it.each([
    ["nothing", "in", ["hub", "method", "input", "names x!", "resource"]],
    ["hub", "forbidden", ["hub"]],
    ["method", "forbidden", ["hub", "method"]],
    ["input", "bad_arguments", ["hub", "method", "input"]],
    ["resource", "forbidden", ["hub", "method", "input", "names x!", "resource"]],
  ])("asks in order and stops at the first refusal: %s refuses", async (fails, expected, order) => {
    for (const isAsync of [false, true]) {
      const { hub, trace } = tracing(fails, isAsync);
      const answer = ask(createFixture().connect(), hub, "order", ["x"]);
      expect(answer instanceof Promise).toBe(isAsync);
      expect([reasonOf(await answer), trace]).toEqual([expected, order]);
    }
  });

  it("lets in with the validated input, not the raw one, and with the numbers it was judged under", () => {
    const { hub } = tracing("nothing");
    const peer = createFixture().connect();
    const { version, standing } = peer.connection;
    const method = hub.methods.get("order");
    expect(ask(peer, hub, "ORDER", ["x"])).toEqual({ method, args: ["x!"], version, standing });
  });

  it("asks no rule, and reads no input, for who calls too often: also under a name that nobody declared", () => {
    const { hub, trace } = tracing("nothing");
    const limited = { ...hub, settings: { ...hub.settings, connectionRate: { burst: 2, perSecond: 1 } } };
    const limiter = limiterOf(createFakeClock());
    const peer = createFixture().connect();
    const answers = ["Order", "NoSuch", "Order", "NoSuch"].map((target) =>
      reasonOf(ask(peer, limited, target, ["x"], [], limiter) as Answer),
    );
    expect(answers).toEqual(["in", "method_not_found", "rate_limited", "rate_limited"]);
    expect(trace).toEqual(["hub", "method", "input", "names x!", "resource", "hub"]);
  });

  it("takes no call from who has no standing", () => {
    const hub = hubOf([methodOf("Order")], {
      settings: { ...hubDefaults, connectionRate: { burst: 1, perSecond: 1 } },
    });
    const limiter = limiterOf(createFakeClock());
    const peer = createFixture().connect();
    const asked = (): string => reasonOf(ask(peer, hub, "Order", [], [], limiter) as Answer);
    peer.connection.apply({ type: "authority-lost" });
    expect([asked(), asked()]).toEqual(["auth_unavailable", "auth_unavailable"]);
    replacePrincipal(peer);
    expect([asked(), asked()]).toEqual(["in", "rate_limited"]);
  });

  it("takes one call, however often a new principal is judged for it", async () => {
    const limiter = limiterOf(createFakeClock());
    const answers = [deferred<boolean>(), deferred<boolean>(), deferred<boolean>()];
    let questions = 0;
    const slow = requirement(policy("Slow", () => answers[questions++]?.promise ?? true));
    const hub = hubOf([methodOf("Order", { requirements: [slow] })], {
      settings: { ...hubDefaults, connectionRate: { burst: 2, perSecond: 1 } },
    });
    const peer = createFixture().connect();
    const answering = ask(peer, hub, "Order", [], [], limiter);
    for (const answer of answers.slice(0, 2)) {
      replacePrincipal(peer);
      answer.resolve(true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    answers[2]?.resolve(true);
    const passed = await answering;
    expect([reasonOf(passed), questions]).toEqual(["in", 3]);
    if (passed instanceof HubwardError) throw passed;
    expect(reasonOf((await passAgain(peer.connection, hub, passed, patientWatch())) as Answer)).toBe("in");
    expect(reasonOf((await ask(peer, hub, "Order", [], [], limiter)) as Answer)).toBe("in");
    expect(reasonOf((await ask(peer, hub, "Order", [], [], limiter)) as Answer)).toBe("rate_limited");
  });

  it("denies by default: a rule that says anything but true, or that throws, lets nobody in", () => {
    const peer = createFixture().connect();
    for (const answer of [1, "yes", {}, [], null, undefined, Object(true)]) {
      const hub = hubOf([methodOf("Order")], { requirements: [requirement(policy("Odd", () => answer as boolean))] });
      expect(reasonOf(ask(peer, hub) as Answer)).toBe("forbidden");
    }
    const failures: string[] = [];
    const throwing = requirement(
      policy("Throws", () => {
        throw new Error("secret");
      }),
    );
    const answer = ask(peer, hubOf([methodOf("Order")], { requirements: [throwing] }), "Order", [], failures);
    expect([reasonOf(answer as Answer), failures]).toEqual(["auth_unavailable", ["Throws"]]);
  });

  it.each([
    ["the hub", { requirements: [denyAll] }, {}],
    ["the method", {}, { requirements: [denyAll] }],
  ])("does not read arguments for someone whom %s refuses", (_, hubRules, methodRules) => {
    const schema = textSchema();
    let isRead = false;
    const args = [
      {
        get secret() {
          return (isRead = true);
        },
      },
    ];
    const hub = hubOf([methodOf("Order", { schemas: [schema], ...methodRules })], hubRules);
    expect(reasonOf(ask(createFixture().connect(), hub, "Order", args) as Answer)).toBe("forbidden");
    expect([schema.asked, isRead]).toEqual([0, false]);
  });

  it("tells someone whom the hub refuses nothing about which methods exist", () => {
    const hub = hubOf([methodOf("Order")], { requirements: [denyAll] });
    const peer = createFixture().connect();
    const [known, unknown] = [ask(peer, hub, "Order"), ask(peer, hub, "NoSuch")] as HubwardError[];
    expect([known?.reason, known?.message]).toEqual([unknown?.reason, unknown?.message]);
  });

  it.each([
    ["Order", "in"],
    ["order", "in"],
    ["ORDER", "in"],
    ["Orders", "method_not_found"],
    ["", "method_not_found"],
    ["__proto__", "method_not_found"],
    ["constructor", "method_not_found"],
    ["hasOwnProperty", "method_not_found"],
    ["toString", "method_not_found"],
    ["Order ", "method_not_found"],
    ["ＯRDER", "method_not_found"],
  ])("a method called %j: %s", (target, expected) => {
    expect(reasonOf(ask(createFixture().connect(), hubOf([methodOf("Order")]), target) as Answer)).toBe(expected);
  });

  it.each<[string, (peer: Peer, fixture: Fixture) => void, string]>([
    ["before the handshake", () => undefined, "handshake_required"],
    ["after a close", ({ connection }) => connection.apply({ type: "drained" }), "going_away"],
    ["after its expiry, unnoticed", (_, { clock }) => clock.block(60_000), "token_expired"],
    ["after its expiry by the wall clock", (_, { clock }) => clock.stepWallClock(60_000), "token_expired"],
  ])("asks nobody for a connection %s", (_, arrange, expected) => {
    const { hub, trace } = tracing("nothing");
    const fixture = createFixture();
    const peer = fixture.connect({ livesMs: 60_000, isOpen: expected !== "handshake_required" });
    arrange(peer, fixture);
    expect([reasonOf(ask(peer, hub, "Order", ["x"]) as Answer), trace]).toEqual([expected, []]);
  });

  it.each<[string, (peer: Peer, fixture: Fixture) => void, string]>([
    ["closes", ({ connection }) => connection.apply({ type: "drained" }), "going_away"],
    ["is left", ({ socket }) => socket.end(), "normal"],
    ["expires by a timer", ({ connection }) => connection.apply({ type: "expiry-due" }), "token_expired"],
    ["expires unnoticed", (_, { clock }) => clock.block(60_000), "token_expired"],
  ])(
    "refuses when the connection %s while somebody thinks, whatever they answer and whoever it was",
    async (_, happen, expected) => {
      for (const stage of ["hub", "method", "input", "resource"] as const) {
        for (const answer of [true, false]) {
          const asked = deferred<boolean>();
          const slow = requirement(policy<unknown>("Slow", () => asked.promise));
          const slowSchema = schemaOf(async (value) =>
            (await asked.promise) ? { value: String(value) } : { issues: [] },
          );
          const hub = hubOf(
            [
              methodOf("Order", {
                schemas: stage === "input" ? [slowSchema] : [textSchema()],
                requirements: stage === "method" ? [slow] : [],
                resourceRequirements:
                  stage === "resource"
                    ? [
                        requirement(
                          policy<unknown>("Slow", () => asked.promise),
                          (id: string) => id,
                        ),
                      ]
                    : [],
              }),
            ],
            { requirements: [stage === "hub" ? slow : allowAll] },
          );
          const fixture = createFixture();
          const peer = fixture.connect({ livesMs: 60_000 });
          const passage = ask(peer, hub, "Order", ["x"]);
          happen(peer, fixture);
          asked.resolve(answer);
          const reason = reasonOf(await passage);
          // A plain no may be told as it is where only time has passed.
          const isLateNo = !answer && _ === "expires unnoticed";
          if (isLateNo) expect(["forbidden", "bad_arguments"]).toContain(reason);
          else expect([stage, answer, reason]).toEqual([stage, answer, expected]);
        }
      }
    },
  );

  it("throws a late verdict about an older principal away and judges from the start", async () => {
    const peer = createFixture().connect();
    const asked: string[] = [];
    let isFirst = true;
    const first = requirement(policy("First", () => (asked.push("first"), true)));
    const changing = requirement(
      policy("Changing", async () => {
        asked.push("changing");
        if (isFirst) replacePrincipal(peer);
        return !(isFirst = false) && asked.length === 2;
      }),
    );
    const answer = await ask(peer, hubOf([methodOf("Order")], { requirements: [first, changing] }));
    expect(asked).toEqual(["first", "changing", "first", "changing"]);
    expect(reasonOf(answer)).toBe("forbidden");
  });

  it("lets in under the new principal's number when it is allowed, too", async () => {
    const peer = createFixture().connect();
    let isFirst = true;
    const changing = requirement(
      policy("Changing", async () => {
        if (isFirst) replacePrincipal(peer);
        isFirst = false;
        return true;
      }),
    );
    const before = peer.connection.version;
    const answer = await ask(peer, hubOf([methodOf("Order")], { requirements: [changing] }));
    expect(answer).toMatchObject({ version: before + 1 });
  });

  it("gives up when every verdict is overtaken by a new principal", async () => {
    const peer = createFixture().connect();
    let asked = 0;
    const overtaken = requirement(
      policy("Overtaken", async () => {
        asked++;
        replacePrincipal(peer);
        return true;
      }),
    );
    const answer = await ask(peer, hubOf([methodOf("Order")], { requirements: [overtaken] }));
    expect([reasonOf(answer), asked]).toEqual(["auth_unavailable", 3]);
  });

  const value = (result: unknown) => schemaOf(() => result as { value: string });

  it.each<[string, ReturnType<typeof schemaOf>[], readonly unknown[], string]>([
    ["too few", [textSchema()], [], "bad_arguments"],
    ["too many", [textSchema()], ["a", "b"], "bad_arguments"],
    ["some where none are taken", [], ["a"], "bad_arguments"],
    ["the right ones", [textSchema(), textSchema()], ["a", "b"], "in"],
    ["one of the wrong kind", [textSchema(), textSchema()], ["a", 1], "bad_arguments"],
    ["a schema's value of undefined", [value({ value: undefined })], ["a"], "in"],
    [
      "a schema that throws",
      [
        schemaOf(() => {
          throw new Error("regex");
        }),
      ],
      ["a"],
      "bad_arguments",
    ],
    ["a schema that rejects", [schemaOf(() => Promise.reject(new Error("down")))], ["a"], "bad_arguments"],
    ["a schema that answers later", [schemaOf(async () => ({ value: "late" }))], ["a"], "in"],
    ["a schema that refuses later", [schemaOf(async () => ({ issues: [{ message: "no" }] }))], ["a"], "bad_arguments"],
    [
      "two that answer later, the second with a no",
      [schemaOf(async () => ({ value: "a" })), schemaOf(async () => ({ issues: [] }))],
      ["a", "b"],
      "bad_arguments",
    ],
    ["a schema that answers nothing", [value(undefined)], ["a"], "bad_arguments"],
    ["a schema that answers null", [value(null)], ["a"], "bad_arguments"],
    ["a schema that answers null later", [value(Promise.resolve(null))], ["a"], "bad_arguments"],
    ["a schema that answers with neither value nor issues", [value({})], ["a"], "bad_arguments"],
    ["a schema that answers with a foreign promise", [value({ then: () => undefined })], ["a"], "bad_arguments"],
    ["a schema with value and issues", [value({ value: "a", issues: [{ message: "no" }] })], ["a"], "bad_arguments"],
  ])("arguments: %s", async (_, schemas, args, expected) => {
    const hub = hubOf([methodOf("Order", { schemas })]);
    expect(reasonOf(await ask(createFixture().connect(), hub, "Order", args))).toBe(expected);
  });

  it("keeps the order of arguments however late each schema answers", async () => {
    const waits = [deferred<string>(), deferred<string>()];
    const schemas = [
      schemaOf(async () => ({ value: (await waits[0]?.promise) ?? "" })),
      textSchema(),
      schemaOf(async () => ({ value: (await waits[1]?.promise) ?? "" })),
    ];
    const passage = ask(createFixture().connect(), hubOf([methodOf("Order", { schemas })]), "Order", ["x", "y", "z"]);
    waits[1]?.resolve("third");
    waits[0]?.resolve("first");
    expect(await passage).toMatchObject({ args: ["first", "y", "third"] });
  });

  it("says nothing of a schema's words or causes to the caller", async () => {
    const schema = schemaOf(() => Promise.reject(new Error("secret")));
    const answer = await ask(createFixture().connect(), hubOf([methodOf("Order", { schemas: [schema] })]), "Order", [
      "x",
    ]);
    expect(answer).toMatchObject({ message: "bad_arguments;action=fix-request" });
    expect((answer as HubwardError).cause).toBeInstanceOf(Error);
  });
});

describe("the gate, asked again about a call it let in", () => {
  const again = ({ connection }: Peer, hub: Hub<Staff>, args: readonly unknown[] = ["x!"]) => {
    const method = hub.methods.get("order");
    if (method === undefined) throw new TypeError("no such method");
    return passAgain(connection, hub, { method, args }, patientWatch());
  };

  it.each([
    ["nothing", "in", ["hub", "method", "names x!", "resource"]],
    ["hub", "forbidden", ["hub"]],
    ["method", "forbidden", ["hub", "method"]],
    ["resource", "forbidden", ["hub", "method", "names x!", "resource"]],
  ])("asks every rule and reads no input: %s refuses", async (fails, expected, order) => {
    for (const isAsync of [false, true]) {
      const { hub, trace } = tracing(fails, isAsync);
      const answer = await again(createFixture().connect(), hub);
      expect([reasonOf(answer), trace]).toEqual([expected, order]);
    }
  });

  it("counts standing and version from now, and asks about whoever it is when the last rule has answered", async () => {
    const peer = createFixture().connect();
    peer.connection.apply({ type: "refresh-shown" });
    peer.connection.apply({ type: "expiry-due" });
    peer.connection.replace(peer.connection.admission, "reauthenticated");
    const asked = deferred<boolean>();
    let questions = 0;
    const rule = policy("Slow", () => (++questions === 1 ? asked.promise : true));
    const hub = hubOf([methodOf("Order", { requirements: [requirement(rule)] })]);
    const answering = again(peer, hub, []);
    replacePrincipal(peer);
    asked.resolve(false);
    const answer = await answering;
    if (answer instanceof HubwardError) throw answer;
    expect([questions, answer.standing, answer.version]).toEqual([2, 1, peer.connection.version]);
  });

  it.each<[string, (peer: Peer) => void, string]>([
    ["lapsed", ({ connection }) => connection.apply({ type: "authority-lost" }), "auth_unavailable"],
    ["ended", ({ connection }) => connection.apply({ type: "drained" }), "going_away"],
  ])("lets nobody in whose connection has %s, before or while a rule is asked", async (_, change, expected) => {
    const asked = deferred<boolean>();
    const hub = hubOf([methodOf("Order", { requirements: [requirement(policy("Slow", () => asked.promise))] })]);
    const peer = createFixture().connect();
    const answering = again(peer, hub, []);
    change(peer);
    asked.resolve(true);
    expect(reasonOf(await answering)).toBe(expected);
    expect(reasonOf(await again(peer, hub, []))).toBe(expected);
  });

  it("takes a lapse that is over for a lapse: what was asked before it does not count", async () => {
    const asked = deferred<boolean>();
    const hub = hubOf([methodOf("Order", { requirements: [requirement(policy("Slow", () => asked.promise))] })]);
    const peer = createFixture().connect();
    const answering = again(peer, hub, []);
    peer.connection.apply({ type: "authority-lost" });
    replacePrincipal(peer);
    asked.resolve(true);
    expect([peer.connection.isActive, reasonOf(await answering)]).toEqual([true, "auth_unavailable"]);
  });
});
