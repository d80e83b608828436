/** `POST {hub}/refresh` from pages of browsers, with cookies and behind a gateway. */

import { forwardedIdentity } from "@hubward/server";
import { expect, onTestFinished, test } from "vitest";
import { openWebSocket } from "../support/raw-web-socket.js";
import { ask } from "../support/server.js";
import { HUB, lifetimeIn, runWard, short } from "./refreshing.js";

const OWN = "https://ward.example";
const EVIL = "https://evil.example";

test("a page of an allowed origin may refresh and read the answer, refusals too", async () => {
  const { enter, refresh, token } = await runWard({ allowedOrigins: [OWN] });
  const { id, who } = await enter("ada");
  const headers = { origin: OWN, "sec-fetch-site": "cross-site" };
  const shared = { "access-control-allow-origin": OWN, "access-control-allow-credentials": "true", vary: "Origin" };
  expect(await refresh(id, await token("eve"), { headers })).toMatchObject({ status: 403, headers: shared });
  expect(await refresh(id, null, { headers })).toMatchObject({ status: 401, headers: shared });
  expect(await refresh("unknown", await token("ada"), { headers })).toMatchObject({ status: 404, headers: shared });
  const reply = await refresh(id, await token("ada", { lifetime: 900 }), { headers });
  expect(reply).toMatchObject({ status: 200, headers: shared });
  expect(await who()).toMatchObject({ expiresInSeconds: 900 });
});

test("a page of another origin may not, whatever it presents", async () => {
  const { enter, refresh, token, outcomes, telemetry } = await runWard({ allowedOrigins: [OWN] });
  const { id, who } = await enter("ada");
  const later = await token("ada", { lifetime: 900 });
  for (const headers of [{ origin: EVIL }, { origin: "null" }, { "sec-fetch-site": "cross-site" }]) {
    const reply = await refresh(id, later, { headers });
    expect(short(reply)).toBe('403 {"error":"origin_denied;action=fix-request"}');
    expect(reply.headers["access-control-allow-origin"]).toBeUndefined();
  }
  expect(telemetry.items.filter(({ event }) => event === "connection.refused")).toHaveLength(3);
  expect(outcomes()).toEqual([]);
  expect(await who()).toMatchObject({ expiresInSeconds: 300 });
});

test("a browser's question beforehand is answered without any credential", async () => {
  const { refresh } = await runWard({ allowedOrigins: [OWN] });
  const asking = { "access-control-request-method": "POST", "access-control-request-headers": "authorization" };
  const allowed = await refresh("x", null, { method: "OPTIONS", headers: { origin: OWN, ...asking } });
  expect(allowed.status).toBe(204);
  expect(allowed.headers["access-control-allow-methods"]).toContain("POST");
  expect(allowed.headers["access-control-allow-headers"]).toContain("authorization");
  const denied = await refresh("x", null, { method: "OPTIONS", headers: { origin: EVIL, ...asking } });
  expect(denied.status).toBe(403);
  expect(denied.headers["access-control-allow-origin"]).toBeUndefined();
});

test("a cookie of the day keeps the connection that an older one opened", async () => {
  const ward = await runWard({ allowedOrigins: [OWN], cookie: "__Host-access" });
  const { port, token, refresh, clock, outcomes } = ward;
  const page = { origin: OWN, "sec-fetch-site": "same-origin" };
  const cookieOf = async (subject: string, lifetime: number) => ({
    ...page,
    cookie: `__Host-access=${await token(subject, { lifetime })}`,
  });
  const first = await cookieOf("ada", 60);
  const path = `${HUB}/negotiate?negotiateVersion=1`;
  const { connectionToken: id, tokenLifetimeSeconds } = JSON.parse(
    (await ask(port, { method: "POST", path, headers: first })).body,
  ) as { readonly connectionToken: string; readonly tokenLifetimeSeconds: number };
  expect(tokenLifetimeSeconds).toBeGreaterThanOrEqual(54);
  expect(tokenLifetimeSeconds).toBeLessThanOrEqual(60);
  const socket = await openWebSocket({ port, path: `${HUB}?id=${id}`, headers: first });
  onTestFinished(() => void socket.socket.resetAndDestroy());
  await socket.shakeHands();

  const later = await cookieOf("ada", 900);
  expect((await refresh(id, null, { headers: { ...later, origin: EVIL } })).status).toBe(403);
  const form = { cookie: later.cookie, "sec-fetch-site": "cross-site" };
  expect((await refresh(id, null, { headers: form })).status).toBe(403);
  // Without any word of the page it came from, a cookie proves nothing.
  expect((await refresh(id, null, { headers: { cookie: later.cookie } })).status).toBe(403);
  expect(outcomes()).toEqual([]);
  expect(short(await refresh(id, null, { headers: await cookieOf("eve", 900) }))).toBe(
    '403 {"error":"principal_mismatch"}',
  );
  expect(lifetimeIn(await refresh(id, null, { headers: later }))).toBeGreaterThanOrEqual(810);
  clock.advance(60_000);
  expect(await socket.invoke("1", "Who")).toMatchObject({ result: { subject: "ada", expiresInSeconds: 840 } });
});

test("a cookie alone is nobody where the hub takes none", async () => {
  const { enter, refresh, token } = await runWard({ allowedOrigins: [OWN] });
  const { id } = await enter("ada");
  const headers = { origin: OWN, "sec-fetch-site": "same-origin", cookie: `__Host-access=${await token("ada")}` };
  expect(short(await refresh(id, null, { headers }))).toBe('401 {"error":"invalid_token"}');
});

test("a gateway's later word is a later credential, and nobody else's word is", async () => {
  const saying = (subject: string, seconds: number): Record<string, string> => ({
    "x-auth-subject": subject,
    "x-auth-expires": String(Math.floor(ward.clock.now() / 1000) + seconds),
    "x-auth-roles": "nurse",
  });
  const trusting = { trustedProxies: ["127.0.0.1"] };
  const clock = (await runWard()).clock;
  const authenticator = forwardedIdentity({ issuer: "https://gateway.hubward.test/", clock });
  const ward = await runWard({ authenticator, clock, attachOptions: trusting });
  const path = `${HUB}/negotiate?negotiateVersion=1`;
  const { body } = await ask(ward.port, { method: "POST", path, headers: saying("ada", 60) });
  const { connectionToken: id, accessToken } = JSON.parse(body) as Record<string, string>;
  const headers = { ...saying("ada", 60), authorization: `Bearer ${accessToken}` };
  const socket = await openWebSocket({ port: ward.port, path: `${HUB}?id=${id}`, headers });
  onTestFinished(() => void socket.socket.resetAndDestroy());
  await socket.shakeHands();

  const reply = await ward.refresh(id ?? "", null, { headers: saying("ada", 900) });
  expect(lifetimeIn(reply)).toBeGreaterThanOrEqual(810);
  expect(short(await ward.refresh(id ?? "", null, { headers: saying("eve", 900) }))).toBe(
    '403 {"error":"principal_mismatch"}',
  );
  // The ticket beside it does not make it one: it is still no credential here.
  expect((await ward.refresh(id ?? "", accessToken ?? "", { headers: saying("ada", 900) })).status).toBe(401);
  expect(await socket.invoke("1", "Who")).toMatchObject({ result: { subject: "ada", expiresInSeconds: 900 } });
});
