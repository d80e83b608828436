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
import {
  backChannelLogout,
  jwt,
  localJwks,
  type BackChannelLogoutOptions,
  type EventReceiver,
  type Logout,
} from "../index.js";

const LOGOUT = "http://schemas.openid.net/event/backchannel-logout";
const form = "application/x-www-form-urlencoded";

interface Setting extends EventSetting {
  readonly receive: EventReceiver;
  readonly logouts: Logout[];
  /** A good logout token with these claims changed. */
  token(patch?: object, header?: Readonly<Record<string, unknown>>): Promise<string>;
  post(token: string): Promise<Response>;
}

function setUp(options: Partial<BackChannelLogoutOptions> = {}): Setting {
  const { setting, options: usual } = createEventSetting("page");
  const { clock, signer } = setting;
  const logouts: Logout[] = [];
  const receive = backChannelLogout({ ...usual, onLogout: (logout) => void logouts.push(logout), ...options });
  return {
    ...setting,
    receive,
    logouts,
    token: (patch = {}, header = {}) =>
      signer.token(
        { exp: clock.now() / 1000 + 120, sid: "s-1", events: { [LOGOUT]: {} }, ...patch },
        { typ: "logout+jwt", ...header },
      ),
    post: (token) => receive(requestOf(new URLSearchParams({ logout_token: token }).toString())),
  };
}

const requestOf = postsTo("https://hub.example/logout", { "content-type": form });

const outcomeOf = async (response: Response): Promise<string> => {
  const body = await bodyOf(response);
  return body === "" ? String(response.status) : `${response.status} ${(JSON.parse(body) as { error: string }).error}`;
};

describe("a good logout token", () => {
  test("is handed over before the issuer hears 200", async () => {
    const held = heldCallback<Logout>();
    const { token, post, nowSeconds } = setUp({ onLogout: held.callback });
    let isAnswered = false;
    const answer = post(await token({ jti: "t-1" })).finally(() => (isAnswered = true));
    await held.firstCall;
    expect(held.called).toEqual([
      {
        issuer,
        subject: "alice",
        sessionId: "s-1",
        action: { kind: "revoke", target: { type: "session", issuer, sessionId: "s-1" } },
        tokenId: "t-1",
        issuedAt: nowSeconds * 1000,
      },
    ]);
    expect(isAnswered).toBe(false);
    held.finish();
    expect(await outcomeOf(await answer)).toBe("200");
  });

  test.each<[string, object, Partial<Logout>, object]>([
    [
      "a session alone",
      { sub: undefined },
      { subject: undefined, sessionId: "s-1" },
      { type: "session", issuer, sessionId: "s-1" },
    ],
    [
      "a subject alone, in whatever tenant",
      { sid: undefined },
      { subject: "alice", sessionId: undefined },
      { type: "subject", issuer, subject: "alice" },
    ],
  ])("may name %s", async (_what, patch, expected, target) => {
    const { token, post, logouts } = setUp();
    expect(await outcomeOf(await post(await token(patch)))).toBe("200");
    expect(logouts).toEqual([expect.objectContaining(expected)]);
    expect(logouts[0]?.action).toStrictEqual({ kind: "revoke", target });
    for (const part of [logouts[0], logouts[0]?.action]) expect(Object.isFrozen(part)).toBe(true);
  });

  test("may come with other members in the form, and a media type with parameters", async () => {
    const { token, receive, logouts } = setUp();
    const body = new URLSearchParams({ other: "1", logout_token: await token() }).toString();
    const type = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    expect(await outcomeOf(await receive(requestOf(body, { "content-type": type })))).toBe("200");
    expect(logouts).toHaveLength(1);
  });

  test("may have its keys from the source that jwt() has", async () => {
    const { clock, signer } = setUp();
    const keys = localJwks({ keys: [signer.jwk] });
    jwt({ issuer, audience: "hub", keys, clock });
    expect(() => setUp({ keys })).not.toThrow();
    expect(() => setUp({ keys, issuer: "https://other.example/" })).toThrow(/another issuer/);
  });
});

describe("each rule, with everything else as it should be", () => {
  type Patch = (nowSeconds: number) => object;
  test.each<[string, string, Patch]>([
    ["nothing changed", "200", () => ({})],
    ["another issuer", "400", () => ({ iss: "https://issuer.example" })],
    ["no issuer", "400", () => ({ iss: undefined })],
    ["another audience", "400", () => ({ aud: "hub" })],
    ["no audience", "400", () => ({ aud: undefined })],
    ["an audience with us in it", "200", () => ({ aud: ["other", "page"] })],
    ["no iat", "400", () => ({ iat: undefined })],
    ["iat within the skew", "200", (now) => ({ iat: now + 60 })],
    ["iat in the future", "400", (now) => ({ iat: now + 61 })],
    ["iat in text", "400", (now) => ({ iat: String(now) })],
    ["no exp", "400", () => ({ exp: undefined })],
    ["exp just over, within the skew", "200", (now) => ({ exp: now - 59 })],
    ["exp over", "400", (now) => ({ exp: now - 60 })],
    ["exp beyond time", "400", () => ({ exp: 1e300 })],
    ["old, although exp is far", "400", (now) => ({ iat: now - 360, exp: now + 9999 })],
    ["almost too old", "200", (now) => ({ iat: now - 359, exp: now + 9999 })],
    ["no events", "400", () => ({ events: undefined })],
    ["events in a list", "400", () => ({ events: [LOGOUT] })],
    ["another event", "400", () => ({ events: { "http://schemas.openid.net/event/other": {} } })],
    ["the event is true", "400", () => ({ events: { [LOGOUT]: true } })],
    ["the event is null", "400", () => ({ events: { [LOGOUT]: null } })],
    ["the event is a list", "400", () => ({ events: { [LOGOUT]: [] } })],
    ["the event with members, and another beside it", "200", () => ({ events: { [LOGOUT]: { a: 1 }, x: {} } })],
    ["a nonce", "400", () => ({ nonce: "n" })],
    ["a nonce of null", "400", () => ({ nonce: null })],
    ["neither sub nor sid", "400", () => ({ sub: undefined, sid: undefined })],
    ["an empty sub", "400", () => ({ sub: "" })],
    ["a numeric sid", "400", () => ({ sid: 1 })],
    ["a sid with a line feed", "400", () => ({ sid: "s\n1" })],
    ["no jti", "400", () => ({ jti: undefined })],
    ["a jti without end", "400", () => ({ jti: "x".repeat(513) })],
  ])("%s: %s", async (_what, expected, patch) => {
    const { token, post, logouts, nowSeconds, failures } = setUp();
    const outcome = await outcomeOf(await post(await token(patch(nowSeconds))));
    expect(outcome).toBe(expected === "200" ? "200" : "400 invalid_request");
    expect(logouts).toHaveLength(expected === "200" ? 1 : 0);
    expect(failures).toHaveLength(expected === "200" ? 0 : 1);
  });

  test.each<[string, string, Readonly<Record<string, unknown>>]>([
    ["logout+jwt", "200", { typ: "logout+jwt" }],
    ["its long form in capitals", "200", { typ: "application/LOGOUT+JWT" }],
    ["an access token's type", "400", { typ: "at+jwt" }],
    ["a security event's type", "400", { typ: "secevent+jwt" }],
    ["JWT", "400", { typ: "JWT" }],
    ["no type", "400", { typ: undefined }],
    ["a key nobody has", "400", { kid: "key-2" }],
    ["an extension", "400", { b64: true }],
  ])("header, %s: %s", async (_what, expected, header) => {
    const { token, post } = setUp();
    expect((await post(await token({}, header))).status).toBe(Number(expected));
  });

  test("no type, and types that older issuers write, are a choice", async () => {
    const { token, post } = setUp({ allowMissingType: true, types: ["JWT"] });
    expect((await post(await token({}, { typ: undefined }))).status).toBe(200);
    expect((await post(await token({}, { typ: "JWT" }))).status).toBe(200);
    expect((await post(await token({}, { typ: "at+jwt" }))).status).toBe(400);
  });

  test("unsigned, signed by a stranger, and changed afterwards", async () => {
    const { token, post, logouts, clock } = setUp();
    const good = await token();
    const [, payload = "", signature = ""] = good.split(".");
    const none = Buffer.from('{"alg":"none","typ":"logout+jwt"}').toString("base64url");
    const stranger = createSigner("key-1", { issuer, audience: "page", clock });
    const forged = await stranger.token(
      { sid: "s-1", events: { [LOGOUT]: {} } },
      { typ: "logout+jwt", jwk: stranger.jwk },
    );
    const changed = Buffer.from(Buffer.from(payload, "base64url").toString().replace("alice", "bobby"));
    const head = good.split(".")[0] ?? "";
    for (const bad of [
      `${none}.${payload}.`,
      `${none}.${payload}.${signature}`,
      forged,
      `${head}.${changed.toString("base64url")}.${signature}`,
      `${good}=`,
      `${good}.x.y`,
      "",
    ]) {
      expect((await post(bad)).status).toBe(400);
    }
    expect(logouts).toEqual([]);
  });

  test("an ID token and an access token sign nobody out", async () => {
    const { signer, post, logouts } = setUp({ types: ["JWT", "at+jwt", "logout+jwt"] });
    for (const typ of ["JWT", "at+jwt"])
      expect((await post(await signer.token({ sid: "s" }, { typ }))).status).toBe(400);
    expect(logouts).toEqual([]);
  });
});

describe("the request", () => {
  test.each(["GET", "PUT", "DELETE", "OPTIONS"])("%s is 405", async (method) => {
    const response = await setUp().receive(new Request("https://hub.example/logout", { method }));
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
  });

  test.each(["application/json", "text/plain", "multipart/form-data; boundary=x", "application/logout+jwt", ""])(
    "a body of type %j is 400",
    async (type) => {
      const { receive, token } = setUp();
      const body = new URLSearchParams({ logout_token: await token() }).toString();
      expect((await receive(requestOf(body, { "content-type": type }))).status).toBe(400);
    },
  );

  test("two tokens, none, one in the query, and bytes that are no text are 400", async () => {
    const { receive, token, logouts } = setUp();
    const one = `logout_token=${await token()}`;
    const inQuery = new Request(`https://hub.example/logout?${one}`, {
      method: "POST",
      headers: { "content-type": form },
    });
    const bodies = [`${one}&${one}`, `${one}&logout_token=`, "", "token=x", new Uint8Array([0xff, 0xfe, 0x3d])];
    for (const request of [...bodies.map((body) => requestOf(body)), inQuery]) {
      expect((await receive(request)).status).toBe(400);
    }
    expect(logouts).toEqual([]);
  });

  test("may be as long as the limit and not a byte longer, whatever length it claims", async () => {
    const { receive, token } = setUp();
    const one = `logout_token=${await token()}&pad=`;
    const padded = one + "x".repeat(16 * 1024 - one.length);
    expect((await receive(requestOf(padded))).status).toBe(200);
    expect((await receive(requestOf(`${padded}x`))).status).toBe(413);
    expect((await receive(requestOf("x", { "content-length": "16385" }))).status).toBe(413);
    let pulled = 0;
    const endless = new ReadableStream({
      pull(controller) {
        pulled += 1;
        controller.enqueue(new Uint8Array(1024));
      },
    });
    const init = { method: "POST", body: endless, duplex: "half", headers: { "content-type": form } } as const;
    expect((await receive(new Request("https://hub.example/", init))).status).toBe(413);
    expect(pulled).toBeLessThan(32);
  });

  test("a body that breaks off is 400, one that was read before is a mistake of ours", async () => {
    const { receive } = setUp();
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("gone")) });
    const init = { method: "POST", body: broken, duplex: "half", headers: { "content-type": form } } as const;
    expect((await receive(new Request("https://hub.example/", init))).status).toBe(400);
    const read = requestOf("logout_token=x");
    await read.text();
    await expect(receive(read)).rejects.toThrow(/body parsers/);
  });
});

describe("repetitions", () => {
  test("one that succeeded calls nothing and is 200 again, until the token would be too old anyway", async () => {
    const { token, post, logouts, clock } = setUp();
    const good = await token();
    expect((await post(good)).status).toBe(200);
    clock.advance(179_999);
    expect((await post(good)).status).toBe(200);
    expect(logouts).toHaveLength(1);
    clock.advance(1);
    expect((await post(good)).status).toBe(400);
    expect(logouts).toHaveLength(1);
  });

  test("those that come together share one call", async () => {
    const { token, post, logouts } = setUp();
    const good = await token();
    const answers = await Promise.all([post(good), post(good), post(good)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(logouts).toHaveLength(1);
  });
});

describe("what fails on our side", () => {
  test.each<[string, () => void | Promise<void>]>([
    ["rejects", () => Promise.reject(new Error("full disk"))],
    [
      "throws",
      () => {
        throw new Error("full disk");
      },
    ],
    ["rejects as if the token were bad", () => Promise.reject(new HubwardError("invalid_token"))],
  ])("a callback that %s is 503, and the next attempt calls it again", async (_what, fail) => {
    let calls = 0;
    const { token, post, failures } = setUp({
      onLogout: () => {
        calls += 1;
        if (calls === 1) return fail();
        return undefined;
      },
    });
    const good = await token();
    const refused = await post(good);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await outcomeOf(refused)).toBe("503 temporarily_unavailable");
    expect(failures).toHaveLength(1);
    expect((await post(good)).status).toBe(200);
    expect(calls).toBe(2);
  });

  test("keys that cannot be had are 503, with the time to wait", async () => {
    const { token, post, logouts } = setUp({ keys: unavailableKeys });
    const refused = await post(await token());
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("7");
    expect(logouts).toEqual([]);
  });

  test("nothing that is told holds the token or its claims", async () => {
    const { token, post, failures } = setUp();
    const bad = await token({ sub: "hunter2", nonce: "n" });
    const response = await post(bad);
    expectNothingSecret([failures, await response.text()]);
  });
});

describe("options that could not be safe", () => {
  const good: BackChannelLogoutOptions = {
    issuer,
    audience: "page",
    keys: someKeys,
    onLogout: () => undefined,
  };
  test.each<[string, object]>([
    ["no issuer", { issuer: "" }],
    ["no audience", { audience: [] }],
    ["no keys", { keys: undefined }],
    ["no callback", { onLogout: undefined }],
    ["a listener that is none", { onFailure: "log" }],
    ["no types", { types: [] }],
    ["a type that is missing, perhaps", { allowMissingType: "yes" }],
    ["tokens of any age", { maxAgeSeconds: 86_401 }],
    ["a body of any length", { maxBytes: 1024 * 1024 + 1 }],
    ["a clock of any error", { clockSkewSeconds: 301 }],
    ["no memory", { maxRememberedIds: 0 }],
  ])("%s", (_what, changed) => {
    expect(() => backChannelLogout(good)).not.toThrow();
    expect(() => backChannelLogout({ ...good, ...changed } as BackChannelLogoutOptions)).toThrow(
      /^backChannelLogout\./,
    );
  });
});
