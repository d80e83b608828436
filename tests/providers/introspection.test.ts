/** A real identity provider whose access tokens are opaque, a hub that asks it about each, and the stock client. */

import type { EpochMs } from "@hubward/server/ports";
import { hashToken, introspection, type IntrospectionOptions } from "@hubward/server/jose";
import { describe, expect, test } from "vitest";
import { createFakeClock, type FakeClock } from "../support/fake-clock.js";
import { runHub } from "./support/hub.js";
import { HUB_CLIENT, startIdentityProvider } from "./support/identity-provider.js";
import { startIntrospectionServer } from "./support/introspection-server.js";
import { faults, status } from "./support/key-server.js";
import { createSignInClient } from "./support/sign-in.js";

const AUDIENCE = "https://hub.example/";
const INVALID = '{"error":"invalid_token;action=relogin"}';
const WAIT = "auth_unavailable;action=retry-after;retry_after=1";

async function setUp(options: Partial<IntrospectionOptions> = {}) {
  const provider = await startIdentityProvider(AUDIENCE, {
    accessTokenFormat: "opaque",
    hubClientMethod: options.client?.method,
  });
  const authenticator = introspection({
    issuer: provider.issuer,
    endpoint: `${provider.issuer}/token/introspection`,
    client: HUB_CLIENT,
    audience: AUDIENCE,
    allowLoopbackHttp: true,
    timeoutMs: 10_000, // the provider shares this process, and this machine
    ...options,
  });
  return { provider, authenticator, page: await createSignInClient(provider.issuer), hub: await runHub(authenticator) };
}

/** By hand, and about now: the provider's own time is the system's. */
function createProviderClock(): FakeClock {
  const clock = createFakeClock();
  const aheadMs = Date.now() - clock.now();
  return { ...clock, now: () => (clock.now() + aheadMs) as EpochMs };
}

describe("opaque tokens of a real provider", () => {
  test.each(["client_secret_basic", "client_secret_post"] as const)(
    "a stock client connects and calls, and the route answers (%s)",
    async (method) => {
      const { page, hub } = await setUp({ client: { ...HUB_CLIENT, method } });
      const { accessToken } = await page.signIn("ada", AUDIENCE);
      expect(accessToken).not.toContain(".");
      const connection = await hub.connect(accessToken);
      expect(await connection.invoke("WhoAmI")).toBe("ada: doctor");
      expect((await hub.getMe(accessToken)).body).toBe("ada");
    },
  );

  test("a refresh token, which the provider calls active too, another resource's token and made-up ones open nothing", async () => {
    const { page, hub } = await setUp();
    const { refreshToken } = await page.signIn("ada", AUDIENCE);
    const { accessToken: foreign } = await page.signIn("ada", "https://elsewhere.example/");
    for (const token of [refreshToken, foreign, "made-up"]) {
      expect(await hub.negotiate(token)).toMatchObject({ status: 401, body: INVALID });
      expect(await hub.getMe(token)).toMatchObject({ status: 401 });
    }
  });

  test("where the provider looks at the audience, a refresh token opens nothing either", async () => {
    const { page, hub } = await setUp({ audience: "any" });
    const { refreshToken, accessToken } = await page.signIn("ada", AUDIENCE);
    expect((await hub.getMe(accessToken)).status).toBe(200);
    expect((await hub.getMe(refreshToken)).status).toBe(401);
  });

  test("a token that was taken back is refused when its answer is a minute old, or when somebody says so", async () => {
    const clock = createProviderClock();
    const { page, hub, authenticator } = await setUp({ clock });
    const [first, second] = [await page.signIn("ada", AUDIENCE), await page.signIn("bea", AUDIENCE)];
    for (const { accessToken } of [first, second]) expect((await hub.getMe(accessToken)).status).toBe(200);
    await page.revoke(first.accessToken);
    await page.revoke(second.accessToken);
    expect((await hub.getMe(first.accessToken)).status, "nobody has told the hub").toBe(200);
    authenticator.forget(hashToken(first.accessToken));
    expect(await hub.getMe(first.accessToken)).toMatchObject({ status: 401, body: INVALID });
    expect((await hub.getMe(second.accessToken)).status).toBe(200);
    clock.advance(60_000);
    expect((await hub.getMe(second.accessToken)).status).toBe(401);
  });

  test("a live connection whose token was taken back goes on for a minute at most, where nothing is set", async () => {
    const clock = createProviderClock();
    const { page, authenticator } = await setUp({ clock });
    const hub = await runHub(authenticator, { clock });
    const [ada, bea] = [await page.signIn("ada", AUDIENCE), await page.signIn("bea", AUDIENCE)];
    const [adas, beas] = [await hub.connect(ada.accessToken), await hub.connect(bea.accessToken)];
    await page.revoke(ada.accessToken);
    for (const passed of [20_000, 40_000]) {
      clock.advance(20_000);
      expect(await adas.invoke("WhoAmI"), `nobody has asked for ${passed} ms`).toBe("ada: doctor");
      await beas.invoke("WhoAmI");
    }
    await expect(adas.invoke("hubward.reauthenticate", ada.accessToken)).rejects.toThrow(/invalid_token/);
    await beas.invoke("hubward.reauthenticate", bea.accessToken);
    clock.advance(20_000);
    await expect(adas.invoke("WhoAmI")).rejects.toThrow(/token_expired;action=refresh/);
    expect(await beas.invoke("WhoAmI"), "whose token is still active").toBe("bea: nurse");
  });

  test("a live connection shows its token again before the answer's time is up, and the issuer is asked again", async () => {
    const clock = createProviderClock();
    const { page, hub } = await setUp({ clock, maxAnswerSeconds: 120 });
    const { accessToken } = await page.signIn("ada", AUDIENCE);
    const connection = await hub.connect(accessToken);
    const renew = () => connection.invoke<{ expiresInSeconds: number }>("hubward.reauthenticate", accessToken);
    expect((await renew()).expiresInSeconds, "the same answer changes nothing").toBeLessThanOrEqual(120);
    clock.advance(60_000);
    expect((await renew()).expiresInSeconds).toBeGreaterThan(120);
    await page.revoke(accessToken);
    clock.advance(60_000);
    await expect(renew()).rejects.toThrow(/invalid_token/);
    expect(await connection.invoke("WhoAmI"), "what was refused changes nothing").toBe("ada: doctor");
  });

  test("a hub whose own secret is wrong says that it cannot tell, and signs nobody out", async () => {
    const failures: string[] = [];
    const client = { id: HUB_CLIENT.id, secret: "another" };
    const { page, hub } = await setUp({ client, onFailure: ({ message }) => failures.push(message) });
    const { accessToken } = await page.signIn("ada", AUDIENCE);
    expect(await hub.getMe(accessToken)).toMatchObject({ status: 503, body: JSON.stringify({ error: WAIT }) });
    expect(failures).toEqual(["the answer's status is 401"]);
  });
});

describe("a provider that gives no answer", () => {
  const ours = { "answers 401": { answer: status(401) }, "answers 400": { answer: status(400) } };
  test.each(Object.entries({ ...faults, ...ours }))(
    "%s: the route, the door and the stock client hear 503, and hear better when it is mended",
    async (_what, fault) => {
      const clock = createFakeClock();
      const issuer = "https://issuer.example/";
      const exp = clock.now() / 1000 + 300;
      const server = await startIntrospectionServer(() => ({
        active: true,
        sub: "ada",
        aud: "hub",
        exp,
        roles: ["doctor"],
      }));
      const { endpoint } = server;
      const hub = await runHub(
        introspection({ issuer, endpoint, client: HUB_CLIENT, audience: "hub", allowLoopbackHttp: true, clock }),
      );
      server.fail(fault.answer);
      const outcomes = Promise.all([
        hub.getMe("opaque-1"),
        hub.negotiate("opaque-2"),
        hub
          .build(() => "opaque-3")
          .start()
          .then(
            () => "connected",
            (error: unknown) => String(error),
          ),
      ]);
      await server.server.requests.take(3);
      if ("lasts" in fault) clock.advance(1000);
      const [route, door, refusal] = await outcomes;
      for (const reply of [route, door]) {
        expect(reply).toMatchObject({ status: 503, body: JSON.stringify({ error: WAIT }) });
        expect(reply.headers["retry-after"]).toBe("1");
        expect(reply.headers["www-authenticate"]).toBeUndefined();
      }
      expect(refusal).toContain(WAIT);
      server.say(() => ({ active: false }));
      expect((await hub.getMe("opaque-1")).status).toBe(401);
    },
  );
});
