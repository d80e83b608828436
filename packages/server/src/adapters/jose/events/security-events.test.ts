import { HubwardError } from "@hubward/wire";
import { describe, expect, test } from "vitest";
import {
  bodyOf,
  createEventSetting,
  expectNothingSecret,
  heldCallback,
  issuer,
  postsTo,
  someKeys,
  unavailableKeys,
  type EventSetting,
} from "../../../../test/event-fixture.js";
import { createSigner } from "../../../../../../tests/providers/support/signer.js";
import { Secret } from "../../../core/auth/secret.js";
import {
  securityEvents,
  type EventReceiver,
  type SecurityEvent,
  type SecurityEventsOptions,
  type StreamVerification,
  type UnknownSecurityEvent,
} from "../index.js";

const audience = "https://hub.example/events";
const CAEP = "https://schemas.openid.net/secevent/caep/event-type/";
const REVOKED = `${CAEP}session-revoked`;
const VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification";
const alice = { format: "iss_sub", iss: issuer, sub: "alice" };
const session = { format: "opaque", id: "s-1" };

interface Setting extends EventSetting {
  readonly receive: EventReceiver;
  readonly events: SecurityEvent[];
  readonly verifications: StreamVerification[];
  readonly unknown: UnknownSecurityEvent[];
  /** A good event token (session-revoked, of alice) with these claims changed. */
  token(patch?: object, header?: Readonly<Record<string, unknown>>): Promise<string>;
  push(token: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

function setUp(options: Partial<SecurityEventsOptions> = {}): Setting {
  const { setting, options: usual } = createEventSetting(audience);
  const events: SecurityEvent[] = [];
  const verifications: StreamVerification[] = [];
  const unknown: UnknownSecurityEvent[] = [];
  const receive = securityEvents({
    ...usual,
    on: (event) => void events.push(event),
    onVerification: (event) => void verifications.push(event),
    onUnknown: (event) => void unknown.push(event),
    ...options,
  });
  return {
    ...setting,
    receive,
    events,
    verifications,
    unknown,
    token: (patch = {}, header = {}) =>
      setting.signer.token(
        { sub: undefined, exp: undefined, sub_id: alice, events: { [REVOKED]: {} }, ...patch },
        { typ: "secevent+jwt", ...header },
      ),
    push: (token, headers = {}) => receive(requestOf(token, headers)),
  };
}

const requestOf = postsTo(audience, { "content-type": "application/secevent+jwt", accept: "application/json" });

/** `202`, or the status with what RFC 8935 2.3 wants in the body. */
async function outcomeOf(response: Response): Promise<string> {
  const body = await bodyOf(response);
  if (response.status < 400 || body === "") return String(response.status);
  expect(response.headers.get("content-type")).toBe("application/json");
  const { err, description } = JSON.parse(body) as { err?: string; description: string };
  expect(description).not.toBe("");
  return err === undefined ? String(response.status) : `${response.status} ${err}`;
}

describe("a good event", () => {
  test("is handed over, with what caused it, before it is acknowledged", async () => {
    const held = heldCallback<SecurityEvent>();
    const { token, push, nowSeconds } = setUp({ on: held.callback });
    let isAnswered = false;
    const details = { event_timestamp: nowSeconds - 10, reason_admin: { en: "left" }, initiating_entity: "admin" };
    const answer = push(await token({ jti: "e-1", txn: "cause-1", events: { [REVOKED]: details } })).finally(
      () => (isAnswered = true),
    );
    await held.firstCall;
    expect(held.called).toEqual([
      {
        issuer,
        tokenId: "e-1",
        issuedAt: nowSeconds * 1000,
        transactionId: "cause-1",
        name: "session-revoked",
        action: { kind: "revoke", target: { type: "subject", issuer, subject: "alice" } },
        occurredAt: (nowSeconds - 10) * 1000,
        subjectId: alice,
        details,
      },
    ]);
    const [event] = held.called;
    for (const part of [event, event?.action, event?.subjectId, event?.details, event?.details["reason_admin"]]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(isAnswered).toBe(false);
    held.finish();
    expect(await outcomeOf(await answer)).toBe("202");
  });

  test.each<[string, unknown, string | undefined]>([
    ["text", "c-1", "c-1"],
    ["a number, as drafts had it", 8675309, "8675309"],
    ["nothing", undefined, undefined],
  ])("may have %s as its transaction", async (_what, txn, expected) => {
    const { token, push, events } = setUp();
    expect((await push(await token({ txn }))).status).toBe(202);
    expect(events[0]?.transactionId).toBe(expected);
  });

  test("does not say that it happened in the future", async () => {
    const { token, push, events, nowSeconds } = setUp();
    await push(await token({ events: { [REVOKED]: { event_timestamp: nowSeconds * 1000 } } }));
    expect(events[0]).toMatchObject({ name: "session-revoked", occurredAt: undefined });
  });
});

describe("what follows from it", () => {
  type Row = [string, object, "revoke" | "recheck"];
  test.each<Row>([
    ["session-revoked", {}, "revoke"],
    ["token-claims-change", { claims: { role: "nurse" } }, "recheck"],
    ["credential-change", { credential_type: "password", change_type: "revoke" }, "recheck"],
    ["assurance-level-change", { namespace: "NIST-AAL", current_level: "nist-aal1" }, "recheck"],
    ["device-compliance-change", { previous_status: "compliant", current_status: "not-compliant" }, "recheck"],
    ["risk-level-change", { principal: "USER", current_level: "HIGH" }, "recheck"],
  ])("%s", async (name, details, kind) => {
    const { token, push, events, failures } = setUp();
    expect(await outcomeOf(await push(await token({ events: { [CAEP + name]: details } })))).toBe("202");
    expect(failures).toEqual([]);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ name, details, action: { kind, target: { subject: "alice" } } });
    for (const member of Object.keys(details).filter((key) => /^(?:claims|current|credential_type|change)/.test(key))) {
      const partial = Object.fromEntries(Object.entries(details).filter(([key]) => key !== member));
      const refused = await push(await token({ events: { [CAEP + name]: partial } }));
      expect(await outcomeOf(refused), `without ${member}`).toBe("400 invalid_request");
    }
  });

  const complex = (members: object) => ({ format: "complex", ...members });
  const tenant = { format: "opaque", id: "acme" };
  const person = (subject: string) => ({ type: "subject", issuer, subject });
  const device = { format: "opaque", id: "d-1" };
  const mail = { format: "email", email: "alice@example.org" };
  test.each<[string, object, object | undefined]>([
    ["iss_sub", alice, person("alice")],
    ["iss_sub of another issuer", { ...alice, iss: "https://other.example/" }, undefined],
    ["opaque", session, person("s-1")],
    ["a mail address that is mapped", mail, person("alice")],
    ["a mail address of nobody", { ...mail, email: "bob@example.org" }, undefined],
    ["a mail address of the empty subject", { ...mail, email: "empty@example.org" }, undefined],
    ["a phone number", { format: "phone_number", phone_number: "+1" }, undefined],
    ["a session", complex({ session }), { type: "session", issuer, sessionId: "s-1" }],
    ["a session of a user", complex({ user: alice, session }), { type: "session", issuer, sessionId: "s-1" }],
    ["a session of a tenant", complex({ tenant, session }), { type: "session", issuer, sessionId: "s-1" }],
    ["a user", complex({ user: alice }), person("alice")],
    [
      "a user of a tenant",
      complex({ user: alice, tenant }),
      { type: "identity", tenant: "acme", issuer, subject: "alice" },
    ],
    ["a user's mail address", complex({ user: mail }), person("alice")],
    ["a user on a device", complex({ user: alice, device }), person("alice")],
    ["a user with a session nobody can know", complex({ user: alice, session: mail }), person("alice")],
    ["a tenant", complex({ tenant }), { type: "tenant", tenant: "acme", issuer }],
    ["a device", complex({ device }), undefined],
    ["a device of a tenant, which is not the tenant", complex({ tenant, device }), undefined],
    ["somebody of another issuer in a tenant", complex({ tenant, user: { ...alice, iss: "x" } }), undefined],
  ])("whom it is about: %s", async (_what, subId, target) => {
    const people = new Map([
      ["alice@example.org", "alice"],
      ["empty@example.org", ""],
    ]);
    const { token, push, events } = setUp({ subjectOfEmail: (email) => people.get(email) });
    expect(await outcomeOf(await push(await token({ sub_id: subId })))).toBe("202");
    expect(events[0]?.action).toStrictEqual(target === undefined ? { kind: "none" } : { kind: "revoke", target });
    expect(events[0]?.subjectId).toEqual(subId);
  });

  test("a mail address that nobody maps names nobody; a bare id may name a session; tokens may have another issuer", async () => {
    const other = "https://tokens.example/";
    const { token, push, events } = setUp({ opaqueSubject: "session", tokenIssuer: other });
    for (const subId of [mail, session, { ...alice, iss: other }, alice]) await push(await token({ sub_id: subId }));
    expect(events.map(({ action }) => action)).toEqual([
      { kind: "none" },
      { kind: "revoke", target: { type: "session", issuer: other, sessionId: "s-1" } },
      { kind: "revoke", target: { type: "subject", issuer: other, subject: "alice" } },
      { kind: "none" },
    ]);
  });

  test.each<[string, unknown]>([
    ["missing", undefined],
    ["text", "alice"],
    ["a list", [alice]],
    ["without a format", { iss: issuer, sub: "alice" }],
    ["without an issuer", { format: "iss_sub", sub: "alice" }],
    ["without a subject", { format: "iss_sub", iss: issuer }],
    ["of a numeric subject", { ...alice, sub: 7 }],
    ["of a subject with a line feed", { ...alice, sub: "a\nb" }],
    ["of an id without end", { format: "opaque", id: "x".repeat(513) }],
    ["of a session that is text", complex({ session: "s-1" })],
    ["of a user without a format", complex({ user: { iss: issuer, sub: "alice" } })],
  ])("a subject that is %s is refused", async (_what, subId) => {
    const { token, push, events } = setUp();
    expect(await outcomeOf(await push(await token({ sub_id: subId })))).toBe("400 invalid_request");
    expect(events).toEqual([]);
  });
});

describe("other events", () => {
  test("a verification shows that the stream is alive, with the state that was asked for", async () => {
    const { token, push, events, verifications } = setUp();
    const about = { sub_id: { format: "opaque", id: "stream-1" } };
    expect((await push(await token({ ...about, events: { [VERIFICATION]: { state: "abc" } } }))).status).toBe(202);
    expect((await push(await token({ ...about, events: { [VERIFICATION]: {} } }))).status).toBe(202);
    expect(verifications.map(({ state }) => state)).toEqual(["abc", undefined]);
    expect(verifications[0]).toMatchObject({ issuer, tokenId: expect.any(String) as unknown });
    expect(events).toEqual([]);
    const odd = await push(await token({ ...about, events: { [VERIFICATION]: { state: 1 } } }));
    expect(await outcomeOf(odd)).toBe("400 invalid_request");
  });

  test("unknown ones are told and acknowledged, with and without somebody who listens", async () => {
    const { token, push, unknown, events } = setUp();
    const type = "https://example.org/event/closed";
    const strange = { sub_id: undefined, events: { [type]: { why: "x" } } };
    expect((await push(await token(strange))).status).toBe(202);
    expect(unknown).toMatchObject([{ type, details: { why: "x" }, subjectId: undefined, issuer }]);
    expect(events).toEqual([]);
    const silent = setUp({ onUnknown: undefined, onVerification: undefined });
    expect((await silent.push(await silent.token(strange))).status).toBe(202);
    expect((await silent.push(await silent.token({ events: { [VERIFICATION]: {} } }))).status).toBe(202);
  });

  test("several in one message go one after the other, in their order; the acknowledgement is for all", async () => {
    const order: string[] = [];
    const { token, push } = setUp({
      on: async ({ name }) => {
        order.push(`${name} begins`);
        await Promise.resolve();
        order.push(`${name} ends`);
      },
      onUnknown: ({ type }) => void order.push(type),
    });
    const events = { [REVOKED]: {}, "urn:x": {}, [`${CAEP}token-claims-change`]: { claims: {} } };
    expect((await push(await token({ events }))).status).toBe(202);
    expect(order).toEqual([
      "session-revoked begins",
      "session-revoked ends",
      "urn:x",
      "token-claims-change begins",
      "token-claims-change ends",
    ]);
  });

  test("one that is malformed keeps the others of its message from being called", async () => {
    const { token, push, events, unknown } = setUp();
    const mixed = { "urn:x": {}, [REVOKED]: {}, [`${CAEP}token-claims-change`]: {} };
    expect((await push(await token({ events: mixed }))).status).toBe(400);
    expect([events, unknown]).toEqual([[], []]);
  });
});

describe("each rule, with everything else as it should be", () => {
  const week = 7 * 86_400;
  type Patch = (nowSeconds: number) => object;
  test.each<[string, string, Patch]>([
    ["nothing changed", "202", () => ({})],
    ["another issuer", "400 invalid_issuer", () => ({ iss: "https://issuer.example" })],
    ["no issuer", "400 invalid_issuer", () => ({ iss: undefined })],
    ["another audience", "400 invalid_audience", () => ({ aud: "hub" })],
    ["no audience", "400 invalid_audience", () => ({ aud: undefined })],
    ["an audience with us in it", "202", () => ({ aud: ["x", audience] })],
    ["a sub", "400 invalid_request", () => ({ sub: "alice" })],
    ["a sub of null", "400 invalid_request", () => ({ sub: null })],
    ["an exp", "400 invalid_request", (now) => ({ exp: now + 300 })],
    ["no jti", "400 invalid_request", () => ({ jti: undefined })],
    ["a jti without end", "400 invalid_request", () => ({ jti: "x".repeat(513) })],
    ["no iat", "400 invalid_request", () => ({ iat: undefined })],
    ["iat within the skew", "202", (now) => ({ iat: now + 60 })],
    ["iat in the future", "400 invalid_request", (now) => ({ iat: now + 61 })],
    ["a week old", "202", (now) => ({ iat: now - week })],
    ["older", "400 invalid_request", (now) => ({ iat: now - week - 60 })],
    ["no events", "400 invalid_request", () => ({ events: undefined })],
    ["events that are none", "400 invalid_request", () => ({ events: {} })],
    ["events in a list", "400 invalid_request", () => ({ events: [REVOKED] })],
    ["an event that is no object", "400 invalid_request", () => ({ events: { [REVOKED]: true } })],
    ["an event in a list", "400 invalid_request", () => ({ events: { [REVOKED]: [{}] } })],
    [
      "too many events",
      "400 invalid_request",
      () => ({ events: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`urn:${at}`, {}])) }),
    ],
    ["a txn that is an object", "400 invalid_request", () => ({ txn: {} })],
    ["a time that is text", "400 invalid_request", () => ({ events: { [REVOKED]: { event_timestamp: "now" } } })],
  ])("%s: %s", async (_what, expected, patch) => {
    const { token, push, events, failures, nowSeconds } = setUp();
    expect(await outcomeOf(await push(await token(patch(nowSeconds))))).toBe(expected);
    expect(events).toHaveLength(expected === "202" ? 1 : 0);
    expect(failures).toHaveLength(expected === "202" ? 0 : 1);
  });

  test.each<[string, string, Readonly<Record<string, unknown>>]>([
    ["its long form", "202", { typ: "application/secevent+jwt" }],
    ["no type", "400 invalid_request", { typ: undefined }],
    ["JWT", "400 invalid_request", { typ: "JWT" }],
    ["a logout token's type", "400 invalid_request", { typ: "logout+jwt" }],
    ["an access token's type", "400 invalid_request", { typ: "at+jwt" }],
    ["a key nobody has", "400 invalid_key", { kid: "key-2" }],
  ])("header, %s: %s", async (_what, expected, header) => {
    const { token, push } = setUp();
    expect(await outcomeOf(await push(await token({}, header)))).toBe(expected);
  });

  test("unsigned, signed by a stranger, and no token at all", async () => {
    const { token, push, events, clock } = setUp();
    const [, payload = ""] = (await token()).split(".");
    const none = Buffer.from('{"alg":"none","typ":"secevent+jwt"}').toString("base64url");
    const stranger = createSigner("key-1", { issuer, audience, clock });
    const forged = await stranger.token(
      { sub: undefined, exp: undefined, sub_id: alice, events: { [REVOKED]: {} } },
      { typ: "secevent+jwt" },
    );
    expect(await outcomeOf(await push(`${none}.${payload}.`))).toBe("400 invalid_request");
    expect(await outcomeOf(await push(forged))).toBe("400 authentication_failed");
    expect(await outcomeOf(await push(`${await token()}\n`))).toBe("400 invalid_request");
    expect(await outcomeOf(await push(""))).toBe("400 invalid_request");
    expect(events).toEqual([]);
  });
});

describe("the request", () => {
  test.each(["GET", "PUT", "DELETE"])("%s is 405", async (method) => {
    const response = await setUp().receive(new Request(audience, { method }));
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  });

  test.each(["application/jwt", "application/x-www-form-urlencoded", "application/json", "text/plain"])(
    "a body of type %s is refused",
    async (type) => {
      const { push, token } = setUp();
      expect(await outcomeOf(await push(await token(), { "content-type": type }))).toBe("400 invalid_request");
    },
  );

  test("a body beyond the limit is 413, bytes that are no text are refused", async () => {
    const { receive } = setUp();
    expect((await receive(requestOf("x".repeat(64 * 1024 + 1)))).status).toBe(413);
    expect(await outcomeOf(await receive(requestOf(new Uint8Array([0xff]))))).toBe("400 invalid_request");
  });

  test.each<[string, Secret | string]>([
    ["text", "Bearer the-transmitter"],
    ["a secret", new Secret("Bearer the-transmitter")],
  ])("without the agreed header (%s) it is 401 or 403, and nothing else is looked at", async (_what, authorization) => {
    const { push, token, events } = setUp({ authorization });
    const good = await token();
    const missing = await push(good);
    expect(missing.headers.get("www-authenticate")).toBe("Bearer");
    expect(await outcomeOf(missing)).toBe("401 authentication_failed");
    for (const header of ["Bearer the-transmitte", "Bearer the-transmitterx", "bearer the-transmitter", "Basic x"]) {
      expect(await outcomeOf(await push(good, { authorization: header }))).toBe("403 access_denied");
    }
    expect(await outcomeOf(await push("garbage", { authorization: "x" }))).toBe("403 access_denied");
    expect(events).toEqual([]);
    expect(await outcomeOf(await push(good, { authorization: "Bearer the-transmitter" }))).toBe("202");
  });
});

describe("an event that comes again", () => {
  test("is acknowledged and calls nothing, for as long as it would be accepted", async () => {
    const { push, token, events, clock } = setUp({ maxAgeSeconds: 600 });
    const good = await token();
    expect((await push(good)).status).toBe(202);
    clock.advance(659_999);
    expect((await push(good)).status).toBe(202);
    clock.advance(1);
    expect(await outcomeOf(await push(good))).toBe("400 invalid_request");
    expect(events).toHaveLength(1);
  });

  test("shares one call with the others that come meanwhile", async () => {
    const { push, token, events } = setUp();
    const good = await token();
    const answers = await Promise.all([push(good), push(good), push(good)]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(events).toHaveLength(1);
  });

  test("is handled again where it failed, at every place that can fail", async () => {
    const mail = { format: "email", email: "alice@example.org" };
    const failing = new Set(["mail", "on", "unknown", "verification"]);
    const calls: string[] = [];
    const step = (name: string) => {
      calls.push(name);
      if (failing.delete(name)) throw new HubwardError("invalid_token", { cause: new Error(`${name} is down`) });
    };
    const { push, token, failures } = setUp({
      subjectOfEmail: () => (step("mail"), "alice"),
      on: () => step("on"),
      onUnknown: () => Promise.resolve().then(() => step("unknown")),
      onVerification: () => step("verification"),
    });
    const good = await token({ sub_id: mail, events: { [REVOKED]: {}, "urn:x": {}, [VERIFICATION]: {} } });
    for (const failed of ["mail", "on", "unknown", "verification"]) {
      const response = await push(good);
      expect(response.headers.get("retry-after")).toBe("1");
      expect(await outcomeOf(response)).toBe("503");
      expect(failing.has(failed)).toBe(false);
    }
    expect(failures).toHaveLength(4);
    calls.length = 0;
    expect((await push(good)).status).toBe(202);
    expect(calls).toEqual(["mail", "on", "unknown", "verification"]);
    expect((await push(good)).status).toBe(202);
    expect(calls).toHaveLength(4);
  });

  test("is handled again when too many have come since, for memory is bounded", async () => {
    const { push, token, events } = setUp({ maxRememberedIds: 2 });
    const first = await token();
    for (const one of [first, await token(), await token(), first]) expect((await push(one)).status).toBe(202);
    expect(events).toHaveLength(4);
  });
});

describe("what fails on our side", () => {
  test("keys that cannot be had are 503, with the time to wait", async () => {
    const { token, push, events } = setUp({ keys: unavailableKeys });
    const refused = await push(await token());
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "7"]);
    expect(events).toEqual([]);
  });

  test("a listener that throws changes no answer, and nothing that is told holds the token", async () => {
    const told: Error[] = [];
    const { token, push } = setUp({
      onFailure: (error) => {
        told.push(error);
        throw new Error("of the listener");
      },
    });
    const response = await push(await token({ sub_id: { ...alice, sub: "hunter2" }, exp: 1 }));
    expectNothingSecret([told, await response.text()]);
    expect([response.status, told.length]).toEqual([400, 1]);
  });
});

describe("options that could not be safe", () => {
  const good: SecurityEventsOptions = {
    issuer,
    audience,
    keys: someKeys,
    on: () => undefined,
  };
  test.each<[string, object]>([
    ["no issuer", { issuer: "" }],
    ["no audience", { audience: [] }],
    ["no keys", { keys: undefined }],
    ["no callback", { on: undefined }],
    ["callbacks that are none", { onUnknown: "log" }],
    ["a verification that is none", { onVerification: true }],
    ["an empty authorization", { authorization: "" }],
    ["no issuer of tokens", { tokenIssuer: "" }],
    ["a bare id of anything", { opaqueSubject: "any" }],
    ["a directory that is none", { subjectOfEmail: new Map() }],
    ["events of any age", { maxAgeSeconds: 31 * 86_400 }],
    ["a body of any length", { maxBytes: 1024 * 1024 + 1 }],
  ])("%s", (_what, changed) => {
    expect(() => securityEvents(good)).not.toThrow();
    expect(() => securityEvents({ ...good, ...changed } as SecurityEventsOptions)).toThrow(/^securityEvents\./);
  });
});
