/** A real identity provider, a hub that knows it by its issuer alone, and the stock client between them. */

import { HubConnectionState } from "@microsoft/signalr";
import { discover, jwt, type JwtAuthenticator } from "@hubward/server/jose";
import { decodeProtectedHeader } from "jose";
import { describe, expect, test } from "vitest";
import { createFakeClock, type FakeClock } from "../support/fake-clock.js";
import { until } from "../support/until.js";
import { runHub, type RunningHub } from "./support/hub.js";
import { startIdentityProvider, type IdentityProvider } from "./support/identity-provider.js";
import { createSignInClient, type SignInClient } from "./support/sign-in.js";

const AUDIENCE = "https://hub.example/";

interface Setting {
  readonly provider: IdentityProvider;
  readonly page: SignInClient;
  readonly hub: RunningHub;
  readonly authenticator: JwtAuthenticator;
  /** The time of the keys. Tokens live by the system's clock, which the provider signs by. */
  readonly keyClock: FakeClock;
}

async function setUp(): Promise<Setting> {
  const provider = await startIdentityProvider(AUDIENCE);
  const keyClock = createFakeClock();
  const { issuer } = provider;
  const keys = discover(issuer, { allowLoopbackHttp: true, clock: keyClock });
  const authenticator = jwt({ issuer, audience: AUDIENCE, keys });
  return {
    provider,
    page: await createSignInClient(issuer),
    hub: await runHub(authenticator),
    authenticator,
    keyClock,
  };
}

const keyIdOf = (token: string): string | undefined => decodeProtectedHeader(token).kid;
const UNAVAILABLE = /^\{"error":"auth_unavailable;action=retry-after;retry_after=\d+"\}$/;

describe("signing in", () => {
  test("authorization code with PKCE, then a stock client connects and calls", async () => {
    const { page, hub, provider } = await setUp();
    const asked = provider.keyRequests.length; // the page's own discovery
    const { accessToken } = await page.signIn("ada", AUDIENCE);
    expect(decodeProtectedHeader(accessToken)).toMatchObject({ typ: "at+jwt", alg: "ES256", kid: "key-1" });
    expect(provider.keyRequests.slice(asked), "the hub asks for nothing before it needs it").toEqual([]);
    const connection = await hub.connect(accessToken);
    expect(await connection.invoke("WhoAmI")).toBe("ada: doctor");
    expect((await hub.getMe(accessToken)).body).toBe("ada");
    expect(provider.keyRequests.slice(asked)).toEqual(["/.well-known/openid-configuration", "/jwks"]);
  });

  test("an ID token and a token for another resource open nothing", async () => {
    const { page, hub } = await setUp();
    const { idToken } = await page.signIn("ada", AUDIENCE);
    const { accessToken: foreign } = await page.signIn("ada", "https://elsewhere.example/");
    for (const token of [idToken, foreign]) {
      expect(await hub.negotiate(token)).toMatchObject({
        status: 401,
        body: '{"error":"invalid_token;action=relogin"}',
      });
      expect(await hub.getMe(token)).toMatchObject({ status: 401 });
    }
  });
});

describe("the provider's keys change", () => {
  test("live connections go on, tokens of the new key connect, and the old key's are refused once it is gone", async () => {
    const { page, hub, provider, authenticator, keyClock } = await setUp();
    const before = await page.signIn("ada", AUDIENCE);
    const live = await hub.connect(before.accessToken);

    provider.rotate("key-2", { keepsOld: true });
    const after = await page.signIn("bea", AUDIENCE);
    expect(keyIdOf(after.accessToken)).toBe("key-2");
    keyClock.advance(30_000);
    const second = await hub.connect(after.accessToken);
    expect(await second.invoke("WhoAmI")).toBe("bea: nurse");
    expect((await hub.getMe(before.accessToken)).status, "both are published").toBe(200);

    provider.rotate("key-3", { keepsOld: false });
    expect((await hub.getMe(before.accessToken)).status, "nobody has told the hub").toBe(200);
    expect(await authenticator.reloadKeys()).toBe(true);
    for (const { accessToken } of [before, after]) {
      expect(await hub.negotiate(accessToken)).toMatchObject({ status: 401 });
      expect(await hub.getMe(accessToken)).toMatchObject({ status: 401 });
    }
    expect(await live.invoke("WhoAmI"), "a connection is not its key").toBe("ada: doctor");
    expect(await second.invoke("WhoAmI")).toBe("bea: nurse");
  });

  test("without a word from anybody, a key that is gone is refused when the keys are ten minutes old", async () => {
    const { page, hub, provider, keyClock } = await setUp();
    const { accessToken } = await page.signIn("ada", AUDIENCE);
    expect((await hub.getMe(accessToken)).status).toBe(200);
    provider.rotate("key-2", { keepsOld: false });
    keyClock.advance(600_000);
    await until(() => keyClock.pending.includes(600_000)); // they have come, and are good for another ten minutes
    expect((await hub.getMe(accessToken)).status).toBe(401);
    const fresh = await page.signIn("ada", AUDIENCE);
    expect((await hub.getMe(fresh.accessToken)).status).toBe(200);
  });
});

describe("refresh tokens", () => {
  test("each is spent once, and a client reconnects with the new access token", async () => {
    const { page, hub, provider, keyClock } = await setUp();
    const first = await page.signIn("ada", AUDIENCE);
    let accessToken = first.accessToken;
    const connection = hub.build(() => accessToken);
    await connection.start();
    await connection.stop();

    provider.rotate("key-2", { keepsOld: true });
    const second = await page.refresh(first.refreshToken);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    expect(keyIdOf(second.accessToken)).toBe("key-2");
    accessToken = second.accessToken;
    keyClock.advance(30_000);
    await connection.start();
    expect(await connection.invoke("WhoAmI")).toBe("ada: doctor");
    await expect(page.refresh(first.refreshToken)).rejects.toMatchObject({ error: "invalid_grant" });
  });
});

describe("the provider is down", () => {
  test("known keys go on, a new key is 503 and never 401, and it is over when the provider is back", async () => {
    const { page, hub, provider, keyClock } = await setUp();
    const known = await page.signIn("ada", AUDIENCE);
    const live = await hub.connect(known.accessToken);
    provider.rotate("key-2", { keepsOld: true });
    const unknown = await page.signIn("bea", AUDIENCE);
    provider.failKeys((request) => void request.socket.resetAndDestroy());
    keyClock.advance(30_000);

    for (const reply of [await hub.negotiate(unknown.accessToken), await hub.getMe(unknown.accessToken)]) {
      expect(reply).toMatchObject({ status: 503, body: expect.stringMatching(UNAVAILABLE) as unknown });
      expect(Number(reply.headers["retry-after"])).toBeGreaterThan(0);
      expect(reply.headers["www-authenticate"]).toBeUndefined();
    }
    const waiting = hub.build(() => unknown.accessToken);
    await expect(waiting.start()).rejects.toThrow(/auth_unavailable;action=retry-after;retry_after=\d+/);
    expect(waiting.state).toBe(HubConnectionState.Disconnected);
    expect(await live.invoke("WhoAmI")).toBe("ada: doctor");
    expect(await (await hub.connect(known.accessToken)).invoke("WhoAmI")).toBe("ada: doctor");

    provider.failKeys(undefined);
    keyClock.advance(1000);
    await waiting.start();
    expect(await waiting.invoke("WhoAmI")).toBe("bea: nurse");
  });
});
