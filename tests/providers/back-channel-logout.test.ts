/** A real identity provider that tells the hub's own HTTP server when somebody signed out. */

import { createServer } from "node:http";
import type { CarriedOut } from "@hubward/server";
import { backChannelLogout, discover, jwt, localJwks, type KeySource, type Logout } from "@hubward/server/jose";
import { fetchListener } from "@hubward/server/node";
import type { EpochMs } from "@hubward/server/ports";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { describe, expect, onTestFinished, test } from "vitest";
import { createFakeClock } from "../support/fake-clock.js";
import { Recorder } from "../support/recorder.js";
import { ask, listen, shut, type PlainReply } from "../support/server.js";
import { runHub } from "./support/hub.js";
import { CLIENT_ID, startIdentityProvider, type IdentityProvider } from "./support/identity-provider.js";
import { faults, startKeyServer } from "./support/key-server.js";
import { createSignInClient } from "./support/sign-in.js";
import { createSigner } from "./support/signer.js";

const AUDIENCE = "https://hub.example/";

/** What arrived at the endpoint, and how it was answered. */
interface Delivery {
  readonly token: string;
  readonly status: number;
}

interface Receiver {
  readonly uri: string;
  readonly deliveries: Recorder<Delivery>;
  readonly logouts: Recorder<Logout>;
  /** Sends a token once more, as the provider did. */
  resend(token: string): Promise<PlainReply>;
  /** Begins to receive: an issuer's address is known only after this server's. */
  open(options: { issuer: string; keys: KeySource; onLogout?: (logout: Logout) => Promise<void> }): void;
}

async function startReceiver(): Promise<Receiver> {
  const deliveries = new Recorder<Delivery>();
  const logouts = new Recorder<Logout>();
  let receive: (request: Request) => Promise<Response> = () => Promise.resolve(new Response(null, { status: 500 }));
  const listener = fetchListener(async (request) => {
    const [copy, response] = [request.clone(), await receive(request)];
    const token = new URLSearchParams(await copy.text()).get("logout_token") ?? "";
    deliveries.push({ token, status: response.status });
    return response;
  });
  const server = createServer((request, response) => void listener(request, response));
  const port = await listen(server);
  onTestFinished(() => shut(server));
  return {
    uri: `http://127.0.0.1:${port}/back-channel-logout`,
    deliveries,
    logouts,
    resend: (token) =>
      ask(port, {
        method: "POST",
        path: "/back-channel-logout",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ logout_token: token }).toString(),
      }),
    open({ issuer, keys, onLogout }) {
      const take = onLogout ?? ((logout) => Promise.resolve(logouts.push(logout)));
      receive = backChannelLogout({ issuer, audience: CLIENT_ID, keys, onLogout: take });
    },
  };
}

async function setUp() {
  const receiver = await startReceiver();
  const provider: IdentityProvider = await startIdentityProvider(AUDIENCE, { logoutUri: receiver.uri });
  const { issuer } = provider;
  const keyClock = createFakeClock();
  const keys = discover(issuer, { allowLoopbackHttp: true, clock: keyClock });
  const authenticator = jwt({ issuer, audience: AUDIENCE, keys });
  return { receiver, provider, issuer, keys, keyClock, authenticator, page: await createSignInClient(issuer) };
}

describe("somebody signs out at the provider", () => {
  test("the hub hears of the very session that its token names, from the keys it has already", async () => {
    const { receiver, issuer, keys, authenticator, page, provider } = await setUp();
    receiver.open({ issuer, keys });
    const hub = await runHub(authenticator);
    const ada = await page.signIn("ada", AUDIENCE);
    const bea = await page.signIn("bea", AUDIENCE);
    await (await hub.connect(ada.accessToken)).invoke("WhoAmI");
    const asked = provider.keyRequests.length;

    await ada.signOut();
    const logout = await receiver.logouts.first();
    const [delivery] = receiver.deliveries.items;
    expect(delivery?.status).toBe(200);
    expect(decodeProtectedHeader(delivery?.token ?? "")).toMatchObject({ typ: "logout+jwt", alg: "ES256" });
    expect(logout).toMatchObject({ issuer, sessionId: decodeJwt(ada.accessToken)["sid"] });
    expect(logout.sessionId).not.toBe(decodeJwt(bea.accessToken)["sid"]);
    expect(provider.keyRequests).toHaveLength(asked);
    expect(receiver.logouts.items).toHaveLength(1);

    expect((await receiver.resend(delivery?.token ?? "")).status, "a repetition").toBe(200);
    expect(receiver.logouts.items).toHaveLength(1);
  });

  test("ends the connections of that session, and of no other, before the provider is answered", async () => {
    const { receiver, issuer, keys, authenticator, page } = await setUp();
    const hub = await runHub(authenticator);
    receiver.open({
      issuer,
      keys,
      onLogout: async ({ action }) => void (await hub.app.carryOut(action)),
    });
    const [ada, bea] = [await page.signIn("ada", AUDIENCE), await page.signIn("bea", AUDIENCE)];
    const [adas, beas] = [await hub.connect(ada.accessToken), await hub.connect(bea.accessToken)];
    const ended = new Recorder<string>();
    adas.onclose((error) => ended.push(error?.message ?? "no reason"));

    await ada.signOut();
    expect((await receiver.deliveries.first()).status).toBe(200);
    expect(await ended.first()).toContain("session_revoked;action=relogin");
    expect(await beas.invoke("WhoAmI")).toContain("bea");
    await expect(hub.connect(ada.accessToken)).rejects.toThrow("session_revoked;action=relogin");
  });

  test.each([
    ["with tenants", "tid"],
    ["without tenants", undefined],
  ])(
    "a logout that names the subject alone ends all of theirs on a hub %s, and nobody else's",
    async (_, tenantClaim) => {
      const issuer = "https://id.example/";
      const signer = createSigner("a", { issuer, audience: AUDIENCE, clock: { now: () => Date.now() as EpochMs } });
      const keys = localJwks({ keys: [signer.jwk] });
      const hub = await runHub(jwt({ issuer, audience: AUDIENCE, keys, tenantClaim }), { rolesOf: () => ["nurse"] });
      const receiver = await startReceiver();
      const carried: CarriedOut[] = [];
      const carryOut = async ({ action }: Logout) => void carried.push(await hub.app.carryOut(action));
      receiver.open({ issuer, keys, onLogout: carryOut });

      const ended = new Recorder<string>();
      const adas = [];
      for (const tid of ["acme", "globex"]) adas.push(await signer.token({ sub: "ada", tid, sid: `s-${tid}` }));
      for (const token of adas) {
        const connection = await hub.connect(token);
        connection.onclose((error) => ended.push(error?.message ?? "no reason"));
      }
      const beas = await hub.connect(await signer.token({ sub: "bea", tid: "acme", sid: "s-bea" }));

      const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
      const logout = await signer.token({ aud: CLIENT_ID, sub: "ada", events }, { typ: "logout+jwt" });
      expect((await receiver.resend(logout)).status).toBe(200);
      expect(carried).toEqual([{ matched: 2 }]);
      for (const reason of await ended.take(2)) expect(reason).toContain("session_revoked;action=relogin");
      for (const token of adas) expect((await hub.getMe(token)).status).toBe(401);
      expect(await beas.invoke("WhoAmI")).toBe("bea: nurse");
    },
  );

  test("an access token and an ID token of the same issuer sign nobody out", async () => {
    const { receiver, issuer, keys, page } = await setUp();
    receiver.open({ issuer, keys });
    const { accessToken, idToken } = await page.signIn("ada", AUDIENCE);
    for (const token of [accessToken, idToken]) expect((await receiver.resend(token)).status).toBe(400);
    expect(receiver.logouts.items).toEqual([]);
  });

  test("a hub that cannot keep it says so, and takes the same token when it can", async () => {
    const { receiver, issuer, keys, page } = await setUp();
    let isFull = true;
    receiver.open({
      issuer,
      keys,
      onLogout: (logout) =>
        isFull ? Promise.reject(new Error("full disk")) : Promise.resolve(receiver.logouts.push(logout)),
    });
    await (await page.signIn("ada", AUDIENCE)).signOut();
    const { token, status } = await receiver.deliveries.first();
    expect(status).toBe(503);
    isFull = false;
    expect((await receiver.resend(token)).status).toBe(200);
    expect(receiver.logouts.items).toHaveLength(1);
  });

  test("the provider's keys change: the new one is found, and the old one's word counts no longer once it is gone", async () => {
    const { receiver, issuer, keys, keyClock, authenticator, page, provider } = await setUp();
    receiver.open({ issuer, keys });
    await (await page.signIn("ada", AUDIENCE)).signOut();
    const { token: old } = await receiver.deliveries.first();
    provider.rotate("key-2", { keepsOld: true });
    keyClock.advance(30_000);
    await (await page.signIn("bea", AUDIENCE)).signOut();
    const [, second] = await receiver.deliveries.take(2);
    expect(second?.status).toBe(200);
    expect(decodeProtectedHeader(second?.token ?? "").kid).toBe("key-2");

    receiver.open({ issuer, keys }); // another process, which has not heard the old one
    expect((await receiver.resend(old)).status, "both are published").toBe(200);
    provider.rotate("key-3", { keepsOld: false });
    expect(await authenticator.reloadKeys()).toBe(true);
    receiver.open({ issuer, keys });
    expect((await receiver.resend(old)).status).toBe(400);
  });
});

describe("a provider whose keys cannot be had", () => {
  test.each(Object.entries(faults))("%s: its logouts are 503, and come again", async (_what, fault) => {
    const keyClock = createFakeClock();
    const server = await startKeyServer(fault.answer);
    const issuer = server.origin;
    const clock = { now: () => Date.now() as ReturnType<typeof keyClock.now> };
    const key = createSigner("a", { issuer, audience: CLIENT_ID, clock });
    const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
    const token = await key.token({ events }, { typ: "logout+jwt" });
    const receiver = await startReceiver();
    receiver.open({ issuer, keys: discover(issuer, { allowLoopbackHttp: true, clock: keyClock }) });
    const outcome = receiver.resend(token);
    await server.requests.first();
    if (fault.lasts) keyClock.advance(3000);
    const reply = await outcome;
    expect(reply).toMatchObject({ status: 503, headers: { "retry-after": "1", "cache-control": "no-store" } });
    expect(receiver.logouts.items).toEqual([]);
  });
});
