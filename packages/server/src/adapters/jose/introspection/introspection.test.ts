import { inspect } from "node:util";
import { HubwardError } from "@hubward/wire";
import { describe, expect, test } from "vitest";
import { Secret } from "../../../core/auth/secret.js";
import { createFakeClock, type FakeClock } from "../../../../../../tests/support/fake-clock.js";
import { Recorder } from "../../../../../../tests/support/recorder.js";
import {
  startIntrospectionServer,
  type IntrospectionServer,
} from "../../../../../../tests/providers/support/introspection-server.js";
import { faults, status, text } from "../../../../../../tests/providers/support/key-server.js";
import { hashToken, introspection, type IntrospectionAuthenticator, type IntrospectionOptions } from "../index.js";

const issuer = "https://issuer.example/";
const secret = "s3cret of the hub";

interface Setting {
  readonly clock: FakeClock;
  readonly provider: IntrospectionServer;
  readonly authenticator: IntrospectionAuthenticator;
  readonly failures: Error[];
  readonly nowSeconds: number;
  /** What the issuer says of a good token. */
  readonly good: Readonly<Record<string, unknown>>;
  verdict(token?: string): Promise<string>;
}

const credential = (token: string) => ({ kind: "bearer", token: new Secret(token), source: "header" }) as const;

async function setUp(options: Partial<IntrospectionOptions> = {}): Promise<Setting> {
  const clock = createFakeClock();
  const nowSeconds = clock.now() / 1000;
  const good = { active: true, iss: issuer, aud: "hub", sub: "alice", exp: nowSeconds + 300, token_type: "Bearer" };
  const provider = await startIntrospectionServer(() => good);
  const failures: Error[] = [];
  const authenticator = introspection({
    endpoint: provider.endpoint,
    client: { id: "hub", secret },
    issuer,
    audience: "hub",
    allowLoopbackHttp: true,
    onFailure: (error) => failures.push(error),
    clock,
    ...options,
  });
  return {
    clock,
    provider,
    authenticator,
    failures,
    nowSeconds,
    good,
    async verdict(token = "opaque") {
      try {
        await authenticator.authenticate(credential(token));
        return "accepted";
      } catch (error) {
        if (error instanceof HubwardError) return error.message;
        throw error;
      }
    },
  };
}

const INVALID = "invalid_token;action=relogin";
const EXPIRED = "token_expired;action=refresh";
const UNAVAILABLE = "auth_unavailable;action=retry-after;retry_after=1";

describe("the question", () => {
  test("is a form with the token, and the client's proof in the header, form-encoded first", async () => {
    const { authenticator, provider } = await setUp({ client: { id: "hub:1", secret: new Secret("p&ss w/ü%") } });
    await authenticator.authenticate(credential("a.b-c_d~e+f/g=="));
    const [{ headers, form } = { headers: {}, form: new URLSearchParams() }] = provider.questions.items;
    expect(provider.server.requests.items).toEqual(["POST /introspect"]);
    expect([...form]).toEqual([
      ["token", "a.b-c_d~e+f/g=="],
      ["token_type_hint", "access_token"],
    ]);
    expect(headers["content-type"]).toBe("application/x-www-form-urlencoded");
    const [scheme, pair = ""] = (headers.authorization ?? "").split(" ");
    expect(scheme).toBe("Basic");
    expect(Buffer.from(pair, "base64").toString()).toBe("hub%3A1:p%26ss+w%2F%C3%BC%25");
  });

  test("has the client in the form where that is the method", async () => {
    const { authenticator, provider } = await setUp({ client: { id: "hub", secret, method: "client_secret_post" } });
    await authenticator.authenticate(credential("opaque"));
    const [question] = provider.questions.items;
    expect(Object.fromEntries(question?.form ?? [])).toEqual({
      token: "opaque",
      token_type_hint: "access_token",
      client_id: "hub",
      client_secret: secret,
    });
    expect(question?.headers.authorization).toBeUndefined();
  });

  test.each(["", "a b", "a\nb", "a&client_id=x", "=", "a=b", "ä", "tok\u0000en", "x".repeat(8193)])(
    "is never asked about what is no bearer token: %j",
    async (token) => {
      const { verdict, provider } = await setUp();
      expect(await verdict(token)).toBe(INVALID);
      expect(provider.server.requests.items).toEqual([]);
    },
  );

  test("may be as long as the limit", async () => {
    expect(await (await setUp()).verdict("x".repeat(8192))).toBe("accepted");
  });
});

describe("the answer", () => {
  test("lands in an Authentication as a token's claims do", async () => {
    const { authenticator, provider, good, nowSeconds } = await setUp({ tenantClaim: "tid" });
    const jkt = hashToken("any key");
    const said = { ...good, iat: nowSeconds - 5, jti: "t-1", sid: "s-1", client_id: "page", tid: "acme", cnf: { jkt } };
    provider.say(() => said);
    const authentication = await authenticator.authenticate(credential("opaque"));
    expect(authentication).toEqual({
      tenant: "acme",
      issuer,
      subject: "alice",
      clientId: "page",
      sessionId: "s-1",
      tokenId: "t-1",
      keyId: undefined,
      keyThumbprint: jkt,
      issuedAt: (nowSeconds - 5) * 1000,
      expiresAt: (nowSeconds + 60) * 1000,
      claims: said,
    });
    expect(Object.isFrozen(authentication)).toBe(true);
    expect(Object.isFrozen(authentication.claims["cnf"])).toBe(true);
  });

  type Patch = (nowSeconds: number) => object;
  test.each<[string, string, Patch]>([
    ["inactive", INVALID, () => ({ active: false })],
    ["of another issuer", INVALID, () => ({ iss: "https://issuer.example" })],
    ["of an issuer that is a list", INVALID, () => ({ iss: [issuer] })],
    ["of a null issuer", INVALID, () => ({ iss: null })],
    ["for another audience", INVALID, () => ({ aud: "hub2" })],
    ["for nobody", INVALID, () => ({ aud: undefined })],
    ["for a list that is not of texts", INVALID, () => ({ aud: ["hub", 1] })],
    ["without a subject", INVALID, () => ({ sub: undefined })],
    ["of a numeric subject", INVALID, () => ({ sub: 7 })],
    ["of a subject with a line feed", INVALID, () => ({ sub: "ali\nce" })],
    ["of a subject without end", INVALID, () => ({ sub: "x".repeat(513) })],
    ["without an expiry", "accepted", () => ({ exp: undefined })],
    ["with an expiry in text", INVALID, (now) => ({ exp: String(now + 300) })],
    ["with an expiry beyond time", INVALID, () => ({ exp: 1e300 })],
    ["expired this second", EXPIRED, (now) => ({ exp: now })],
    ["not valid yet", INVALID, (now) => ({ nbf: now + 61 })],
    ["issued in the future", INVALID, (now) => ({ iat: now + 61 })],
    ["a refresh token's", INVALID, () => ({ token_type: "refresh_token" })],
    ["of a type that is no text", INVALID, () => ({ token_type: 1 })],
    ["a security event's", INVALID, () => ({ events: {} })],
    ["bound to what is no thumbprint", INVALID, () => ({ cnf: { jkt: "short" } })],
    ["bound by a text", INVALID, () => ({ cnf: "jkt" })],
    ["about activity in text", UNAVAILABLE, () => ({ active: "true" })],
    ["about activity as a number", UNAVAILABLE, () => ({ active: 1 })],
    ["without a word about activity", UNAVAILABLE, () => ({ active: undefined })],
    ["without an issuer", "accepted", () => ({ iss: undefined })],
    ["for a list with us in it", "accepted", () => ({ aud: ["other", "hub"] })],
    ["of no type", "accepted", () => ({ token_type: undefined })],
    ["of type dpop", "accepted", () => ({ token_type: "DPoP" })],
    ["issued within the skew", "accepted", (now) => ({ iat: now + 60 })],
  ])("%s: %s", async (_what, expected, patch) => {
    const { verdict, provider, good, nowSeconds } = await setUp();
    provider.say(() => ({ ...good, ...patch(nowSeconds) }));
    expect(await verdict()).toBe(expected);
  });

  test("must name the tenant where one was asked for, and what else is required", async () => {
    const { verdict, provider, good } = await setUp({ tenantClaim: "tid", requiredClaims: { scope: "hub" } });
    expect(await verdict("neither")).toBe(INVALID);
    provider.say(() => ({ ...good, tid: "acme" }));
    expect(await verdict("no-scope")).toBe(INVALID);
    provider.say(() => ({ ...good, tid: "acme", scope: "hub" }));
    expect(await verdict("both")).toBe("accepted");
  });

  test("need not name an audience that the issuer looked at, but then its type", async () => {
    const { verdict, provider, good } = await setUp({ audience: "any" });
    provider.say(() => ({ ...good, aud: undefined }));
    expect(await verdict("typed")).toBe("accepted");
    provider.say(() => ({ ...good, token_type: undefined }));
    expect(await verdict("untyped")).toBe(INVALID);
  });

  test("may be for clients in place of an audience, as in jwt()", async () => {
    const { verdict, provider, good } = await setUp({ audience: { clientIds: ["page"] } });
    expect(await verdict("with-aud")).toBe(INVALID);
    provider.say(() => ({ ...good, aud: undefined, client_id: "page" }));
    expect(await verdict("of-the-client")).toBe("accepted");
    provider.say(() => ({ ...good, aud: undefined, client_id: "other" }));
    expect(await verdict("of-another")).toBe(INVALID);
  });

  test.each<[string, Partial<IntrospectionOptions>, number]>([
    ["maxAnswerSeconds", { maxAnswerSeconds: 120 }, 120_000],
    ["a minute, where nothing is set,", {}, 60_000],
  ])("counts for %s at most, which also stands in for a missing exp", async (_what, options, mostMs) => {
    const { authenticator, provider, good, clock } = await setUp(options);
    const expiry = async (token: string): Promise<number> =>
      (await authenticator.authenticate(credential(token))).expiresAt - clock.now();
    expect(await expiry("exp-later")).toBe(mostMs);
    provider.say(() => ({ ...good, exp: clock.now() / 1000 + 30 }));
    expect(await expiry("exp-sooner")).toBe(30_000);
    provider.say(() => ({ ...good, exp: undefined }));
    expect(await expiry("no-exp")).toBe(mostMs);
    clock.advance(mostMs / 2);
    expect(await expiry("no-exp"), "half of it is over: the issuer is asked again").toBe(mostMs);
  });

  test("counts until exp, and only with one, where that was asked for", async () => {
    const { authenticator, verdict, provider, good, nowSeconds } = await setUp({ maxAnswerSeconds: "exp" });
    const { expiresAt } = await authenticator.authenticate(credential("opaque"));
    expect(expiresAt).toBe((nowSeconds + 300) * 1000);
    provider.say(() => ({ ...good, exp: undefined }));
    expect(await verdict("no-exp")).toBe(INVALID);
  });

  test("is about a token that lives no longer than maxTokenAgeSeconds, however short the answer counts", async () => {
    const { verdict, provider, good, nowSeconds } = await setUp({ maxTokenAgeSeconds: 300 });
    const said = (iat: number | undefined, exp: number | undefined) => provider.say(() => ({ ...good, iat, exp }));
    said(nowSeconds, nowSeconds + 300);
    expect(await verdict("short")).toBe("accepted");
    said(nowSeconds, nowSeconds + 301);
    expect(await verdict("long")).toBe(INVALID);
    said(undefined, nowSeconds + 300);
    expect(await verdict("no-iat")).toBe(INVALID);
    said(nowSeconds, undefined);
    expect(await verdict("no-exp")).toBe(INVALID);
  });
});

describe("an answer that counts for a short while", () => {
  test("serves for half of it, so that whoever authenticates anew in time gets another", async () => {
    const { authenticator, provider, clock } = await setUp({ maxAnswerSeconds: 30 });
    const first = await authenticator.authenticate(credential("opaque"));
    clock.advance(14_999);
    expect(await authenticator.authenticate(credential("opaque"))).toBe(first);
    clock.advance(1);
    const next = await authenticator.authenticate(credential("opaque"));
    expect(next.expiresAt - first.expiresAt).toBe(15_000);
    expect(provider.questions.items).toHaveLength(2);
  });

  test("and that came when the token had expired meanwhile is the answer to nothing", async () => {
    const { verdict, provider, good, clock } = await setUp();
    const held = new Recorder<() => void>();
    const said = { ...good, exp: clock.now() / 1000 + 0.5 };
    provider.fail((_request, response) => held.push(() => void response.end(JSON.stringify(said))));
    const outcome = verdict();
    const release = await held.first();
    clock.advance(500);
    release();
    expect(await outcome).toBe(EXPIRED);
  });
});

describe("memory", () => {
  test.each<[string, Partial<IntrospectionOptions>, number]>([
    ["half a minute", {}, 30_000],
    ["a minute where the answer itself counts longer", { maxAnswerSeconds: 300 }, 60_000],
    ["maxAgeMs", { maxAgeMs: 5000 }, 5000],
  ])("one question serves for %s, and not a millisecond longer", async (_what, options, servesMs) => {
    const { verdict, provider, clock } = await setUp(options);
    for (const ms of [0, servesMs - 1]) {
      clock.advance(ms);
      expect(await verdict()).toBe("accepted");
    }
    expect(provider.questions.items).toHaveLength(1);
    clock.advance(1);
    provider.say(() => ({ active: false }));
    expect(await verdict()).toBe(INVALID);
    expect(provider.questions.items).toHaveLength(2);
  });

  test("no answer outlives the token", async () => {
    const { verdict, provider, good, clock, nowSeconds } = await setUp();
    provider.say(() => ({ ...good, exp: nowSeconds + 10 }));
    expect(await verdict()).toBe("accepted");
    clock.advance(10_000);
    expect(await verdict()).toBe(EXPIRED);
    expect(provider.questions.items).toHaveLength(2);
  });

  test("that a token is not active is forgotten after 5 s", async () => {
    const { verdict, provider, good, clock } = await setUp();
    provider.say(() => ({ active: false }));
    expect([await verdict(), await verdict()]).toEqual([INVALID, INVALID]);
    expect(provider.questions.items).toHaveLength(1);
    provider.say(() => good);
    clock.advance(4999);
    expect(await verdict()).toBe(INVALID);
    clock.advance(1);
    expect(await verdict()).toBe("accepted");
  });

  test("callers with one token share a question, those with another do not", async () => {
    const { verdict, provider } = await setUp();
    const verdicts = await Promise.all(["a", "a", "b", "a", "b"].map((token) => verdict(token)));
    expect(new Set(verdicts)).toEqual(new Set(["accepted"]));
    expect(provider.questions.items).toHaveLength(2);
    expect(new Set(provider.questions.items.map(({ form }) => form.get("token")))).toEqual(new Set(["a", "b"]));
  });

  test("is answered from at once, not by a promise", async () => {
    const { authenticator } = await setUp();
    const first = authenticator.authenticate(credential("opaque"));
    expect(first).toBeInstanceOf(Promise);
    expect(authenticator.authenticate(credential("opaque"))).toBeInstanceOf(Promise);
    const known = await first;
    expect(authenticator.authenticate(credential("opaque"))).toBe(known);
  });

  test("made-up tokens crowd out no good one, and neither kind exceeds its bound", async () => {
    const { verdict, provider, good } = await setUp({ maxCachedTokens: 3 });
    provider.say((token) => (token.startsWith("good") ? good : { active: false }));
    const asked = (): number => provider.questions.items.length;
    for (const token of ["good-1", "bad-1", "bad-2", "bad-3", "bad-4"]) await verdict(token);
    await verdict("good-1");
    expect(asked()).toBe(5);
    await verdict("bad-4");
    expect(asked()).toBe(5);
    await verdict("bad-1");
    expect(asked()).toBe(6);
    for (const token of ["good-2", "good-3", "good-4"]) await verdict(token);
    await verdict("good-1");
    expect(asked(), "the least recently used went").toBe(10);
  });

  test("none at all is a question each time", async () => {
    const { verdict, provider } = await setUp({ maxCachedTokens: 0 });
    await verdict();
    await verdict();
    expect(provider.questions.items).toHaveLength(2);
  });

  test("a token that is forgotten is asked about again, others are not", async () => {
    const { authenticator, verdict, provider } = await setUp();
    await verdict("a");
    await verdict("b");
    provider.say(() => ({ active: false }));
    authenticator.forget(hashToken("a"));
    expect([await verdict("a"), await verdict("b")]).toEqual([INVALID, "accepted"]);
    authenticator.forgetAll();
    expect(await verdict("b")).toBe(INVALID);
  });

  test.each(["forget", "forgetAll"] as const)("%s: an answer under way serves nobody who comes after", async (how) => {
    const { authenticator, verdict, provider, good } = await setUp();
    const held = new Recorder<() => void>();
    provider.fail((_request, response) => held.push(() => void response.end(JSON.stringify(good))));
    const before = verdict();
    const release = await held.first();
    if (how === "forget") authenticator.forget(hashToken("opaque"));
    else authenticator.forgetAll();
    provider.say(() => ({ active: false }));
    expect(await verdict()).toBe(INVALID);
    release();
    expect(await before).toBe("accepted");
    expect(await verdict(), "and it is not remembered over the newer one").toBe(INVALID);
  });
});

describe("an issuer that gives no answer", () => {
  test.each([
    ...Object.entries(faults),
    ["answers an error", { answer: text('{"error":"down"}') }] as const,
    ["answers 401 to our client", { answer: status(401) }] as const,
    ["answers 400", { answer: status(400) }] as const,
    ["answers 503", { answer: status(503) }] as const,
    ["answers a token's claims in a signed text", { answer: text("eyJhbGciOiJub25lIn0.e30.") }] as const,
    ["answers twice in one object", { answer: text('{"active":false,"active":true}') }] as const,
  ])("%s: auth_unavailable with a time to wait, and it is asked again", async (_what, fault) => {
    const { clock, verdict, provider, failures, good } = await setUp();
    provider.fail(fault.answer);
    const outcome = verdict();
    await provider.server.requests.first();
    if ("lasts" in fault) clock.advance(1000);
    expect(await outcome).toBe(UNAVAILABLE);
    expect(failures).toHaveLength(1);
    expect(clock.pending, "no timer is left").toEqual([]);
    provider.say(() => good);
    expect(await verdict()).toBe("accepted");
    expect(provider.server.requests.items).toEqual(["POST /introspect", "POST /introspect"]);
  });

  test("errors hold neither the token nor the client's secret, nor what was answered", async () => {
    const { authenticator, provider, failures } = await setUp();
    provider.fail(text('{"active":"hunter2"'));
    const error: unknown = await Promise.resolve(authenticator.authenticate(credential("very-opaque"))).catch(
      (reason: unknown) => reason,
    );
    const shown = inspect([error, failures, authenticator], { depth: 12, showHidden: true });
    for (const forbidden of ["very-opaque", secret, "hunter2", Buffer.from(`hub:${secret}`).toString("base64")]) {
      expect(shown).not.toContain(forbidden);
    }
  });

  test("a listener that throws changes nothing", async () => {
    const { verdict, provider } = await setUp({
      onFailure: () => {
        throw new Error("of the listener");
      },
    });
    provider.fail(status(500));
    expect(await verdict()).toBe(UNAVAILABLE);
  });

  test("at most so many are asked at once, so many wait, and the rest hear it at once", async () => {
    const { clock, verdict, provider } = await setUp({ maxConcurrent: 2, maxWaiting: 1 });
    provider.fail(() => undefined);
    const outcomes = ["a", "b", "c", "d"].map((token) => verdict(token));
    expect(await outcomes[3]).toBe(UNAVAILABLE);
    await provider.server.requests.take(2);
    clock.advance(1000);
    expect(await Promise.all(outcomes)).toEqual(Array.from({ length: 4 }, () => UNAVAILABLE));
    expect(provider.server.requests.items, "the one that waited was never asked").toHaveLength(2);
  });

  test("who gave up waiting takes no place away", async () => {
    const { clock, verdict, provider, good } = await setUp({ maxConcurrent: 1, maxWaiting: 1 });
    provider.fail(() => undefined);
    const outcomes = ["a", "b"].map((token) => verdict(token));
    await provider.server.requests.first();
    clock.advance(1000);
    expect(await Promise.all(outcomes)).toEqual([UNAVAILABLE, UNAVAILABLE]);
    provider.say(() => good);
    expect(await verdict("c")).toBe("accepted");
  });

  test("a place that is free again goes to whoever waits", async () => {
    const { verdict, provider } = await setUp({ maxConcurrent: 1 });
    const verdicts = await Promise.all(["a", "b", "c"].map((token) => verdict(token)));
    expect(verdicts).toEqual(["accepted", "accepted", "accepted"]);
    expect(provider.questions.items.map(({ form }) => form.get("token"))).toEqual(["a", "b", "c"]);
  });
});

describe("options that could not be safe", () => {
  const good: IntrospectionOptions = {
    endpoint: "https://issuer.example/introspect",
    client: { id: "hub", secret },
    issuer,
    audience: "hub",
  };
  test.each<[string, object]>([
    ["http", { endpoint: "http://issuer.example/introspect" }],
    ["http to loopback unless it was allowed", { endpoint: "http://127.0.0.1/introspect" }],
    ["credentials in the address", { endpoint: "https://a:b@issuer.example/introspect" }],
    ["no client id", { client: { id: "", secret } }],
    ["no client secret", { client: { id: "hub", secret: "" } }],
    ["an unknown method", { client: { id: "hub", secret, method: "none" } }],
    ["no issuer", { issuer: "" }],
    ["no audience", { audience: undefined }],
    ["an empty audience", { audience: [] }],
    ["answers older than a minute", { maxAgeMs: 60_001 }],
    ["refusals older than a minute", { maxInactiveAgeMs: 60_001 }],
    ["no concurrency", { maxConcurrent: 0 }],
    ["no time", { timeoutMs: 0 }],
    ["a listener that is none", { onFailure: "log" }],
    ["certificates that are none", { ca: [] }],
    ["an answer of no time", { maxAnswerSeconds: 0 }],
    ["an answer without end", { maxAnswerSeconds: Infinity }],
    ["an answer until another claim", { maxAnswerSeconds: "iat" }],
  ])("%s", (_what, changed) => {
    expect(() => introspection(good)).not.toThrow();
    expect(() => introspection({ ...good, ...changed } as IntrospectionOptions)).toThrow(/introspection/);
  });

  test("a message never quotes the secret", () => {
    const wrong = { ...good, client: { id: "", secret: "hunter2" } };
    expect(() => introspection(wrong)).toThrow(/^(?!.*hunter2)/);
  });
});
