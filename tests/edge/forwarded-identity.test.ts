/** A gateway checks who asks and says so in headers; what its word is worth at every door, and nobody else's. */

import { forwardedIdentity, forwardedToken } from "@hubward/server";
import { jwt, publicKey } from "@hubward/server/jose";
import type { Authenticator, Clock } from "@hubward/server/ports";
import type { IncomingMessage } from "node:http";
import { expect, it, describe } from "vitest";
import { createFakeClock } from "../support/fake-clock.js";
import { ask, bearer } from "../support/server.js";
import { AUDIENCE, createIssuer, ISSUER, verifyingJwk } from "../support/tokens.js";
import { upgrade } from "../support/raw-web-socket.js";
import { connectStock, runEdgeApp, type RunningEdgeApp } from "./support/edge-app.js";

const local = ["127.0.0.1"];
const elsewhere = ["10.0.0.0/8"];
const pageOrigin = "https://ward.example";

/** What the gateway says of somebody, by default for the next minute. */
function saying(
  clock: Pick<Clock, "now">,
  subject: string,
  { roles = "staff", seconds = 60 }: { readonly roles?: string; readonly seconds?: number } = {},
): Record<string, string> {
  const expires = String(Math.floor(clock.now() / 1000) + seconds);
  return { "x-auth-subject": subject, "x-auth-expires": expires, "x-auth-roles": roles };
}

const negotiating = { method: "POST", path: "/hub/negotiate?negotiateVersion=1" } as const;

interface NegotiateBody {
  readonly accessToken: string;
  readonly connectionToken: string;
}

async function negotiate(port: number, headers: Record<string, string>): Promise<NegotiateBody> {
  return JSON.parse((await ask(port, { ...negotiating, headers })).body) as NegotiateBody;
}

/** Why connects were refused, as the operator reads it. */
function hints({ telemetry }: Pick<RunningEdgeApp, "telemetry">): readonly unknown[] {
  return telemetry.items.map((event) =>
    event.event === "connection.refused" || event.event === "request.refused"
      ? [event.reason, event.hint]
      : event.event,
  );
}

const untrustedHint = ["invalid_request", "identity headers from an address that is no trusted proxy"];

describe("identity validated at the edge", () => {
  it("connects the stock client, which gets a ticket and then goes on beside the gateway's word", async () => {
    const clock = createFakeClock();
    const authenticator = forwardedIdentity({ issuer: ISSUER, clock });
    const { port, telemetry } = await runEdgeApp({ authenticator, clock, trustedProxies: local });
    const connection = await connectStock(`http://127.0.0.1:${port}/hub`, { headers: saying(clock, "anna") });
    expect(await connection.invoke("WhoAmI")).toBe("anna");
    const opened = await telemetry.first((event) => event.event === "connection.opened");
    expect(opened).toMatchObject({ principal: { subject: "anna", issuer: ISSUER, roles: ["staff"] } });
  });

  it("ends when the gateway's word does", async () => {
    const clock = createFakeClock();
    const authenticator = forwardedIdentity({ issuer: ISSUER, clock });
    const { port, telemetry } = await runEdgeApp({ authenticator, clock, trustedProxies: local });
    const headers = saying(clock, "anna", { seconds: 12 });
    await connectStock(`http://127.0.0.1:${port}/hub`, { headers });
    clock.advance(12_000);
    const closed = await telemetry.first((event) => event.event === "connection.closed");
    expect(closed).toMatchObject({ reason: "token_expired", subject: "anna" });
  });

  it("opens guarded routes, too, and no listener and no logger sees the headers", async () => {
    const clock = createFakeClock();
    const seen: string[] = [];
    const { port } = await runEdgeApp({
      authenticator: forwardedIdentity({ issuer: ISSUER, clock }),
      clock,
      trustedProxies: local,
      listener: ({ headers, rawHeaders, headersDistinct }: IncomingMessage) =>
        void seen.push(JSON.stringify([headers, rawHeaders, headersDistinct])),
    });
    const me = async (headers: Record<string, string>) => {
      const { status, body } = await ask(port, { path: "/me", headers });
      return [status, body];
    };
    expect(await me(saying(clock, "anna"))).toEqual([200, "anna"]);
    expect(await me(saying(clock, "anna", { roles: "visitor" }))).toEqual([403, expect.stringContaining("forbidden")]);
    expect(await me({})).toEqual([401, ""]);
    expect(await me({ ...saying(clock, "anna"), origin: "https://evil.example" })).toEqual([
      403,
      expect.stringContaining("origin_denied"),
    ]);
    expect(seen).toHaveLength(4);
    expect(seen.join()).not.toMatch(/anna|visitor/);
  });

  it("is nobody's own to claim: from any other address the headers are refused at every door", async () => {
    const clock = createFakeClock();
    const authenticator = forwardedIdentity({ issuer: ISSUER, clock });
    const running = await runEdgeApp({ authenticator, clock, trustedProxies: elsewhere });
    const headers = saying(clock, "anna");
    const statuses = [
      (await ask(running.port, { ...negotiating, headers })).status,
      (await upgrade({ port: running.port, path: "/hub", headers })) as { readonly status?: number },
      (await ask(running.port, { path: "/me", headers })).status,
      (await ask(running.port, { path: "/me", headers: { "x-auth-roles": "staff" } })).status,
      (await ask(running.port, { path: "/me" })).status,
    ].map((outcome) => (typeof outcome === "number" ? outcome : outcome.status));
    expect(statuses).toEqual([400, 400, 400, 400, 401]);
    expect(hints(running)).toEqual([
      ...Array.from({ length: 4 }, () => untrustedHint),
      ["invalid_token", "no credential was presented"],
    ]);
  });

  it("is refused where a header stands twice, or a token that nobody here verifies beside it", async () => {
    const clock = createFakeClock();
    const authenticator = forwardedIdentity({ issuer: ISSUER, clock });
    const running = await runEdgeApp({ authenticator, clock, trustedProxies: local });
    const twice = { ...saying(clock, "anna"), "x-auth-subject": ["anna", "berta"] as unknown as string };
    const withToken = { ...saying(clock, "anna"), ...bearer("eyJ.some.token") };
    for (const headers of [twice, withToken]) {
      expect((await ask(running.port, { ...negotiating, headers })).status).toBe(400);
      expect((await ask(running.port, { path: "/me", headers })).status).toBe(400);
    }
    expect((await ask(running.port, { ...negotiating, headers: bearer("eyJ.some.token") })).status).toBe(401);
    const twiceHint = ["invalid_request", "an identity header stands there more than once"];
    const besideHint = [
      "invalid_request",
      "a bearer stands beside the gateway's identity, and nothing here verifies it",
    ];
    expect(hints(running)).toEqual([
      twiceHint,
      twiceHint,
      besideHint,
      besideHint,
      ["invalid_token", "a bearer without the gateway's identity headers, which are required here"],
    ]);
  });

  it("does not mix with somebody else's ticket", async () => {
    const clock = createFakeClock();
    const authenticator = forwardedIdentity({ issuer: ISSUER, clock });
    const { port } = await runEdgeApp({ authenticator, clock, trustedProxies: local });
    const { accessToken, connectionToken } = await negotiate(port, saying(clock, "anna"));
    const path = `/hub?id=${encodeURIComponent(connectionToken)}&access_token=${accessToken}`;
    expect(await upgrade({ port, path, headers: saying(clock, "berta") })).toMatchObject({ status: 400 });
    const ended = { ...saying(clock, "anna"), "x-auth-expires": "1000000000" };
    expect(await upgrade({ port, path, headers: ended })).toMatchObject({ status: 401 });
    const opened = await upgrade({ port, path, headers: saying(clock, "anna") });
    expect(opened.isOpen).toBe(true);
    if (opened.isOpen) opened.webSocket.end();
  });

  it("needs pages of allowed origins, as every credential that a browser sends along", async () => {
    const clock = createFakeClock();
    const authenticator = forwardedIdentity({ issuer: ISSUER, clock });
    const { port } = await runEdgeApp({ authenticator, clock, trustedProxies: local, allowedOrigins: [pageOrigin] });
    const from = async (origin: string): Promise<number> =>
      (await ask(port, { ...negotiating, headers: { ...saying(clock, "anna"), origin } })).status;
    expect([await from(pageOrigin), await from("https://evil.example")]).toEqual([200, 403]);
  });
});

describe("identity validated at the edge and in the application", () => {
  async function setUp(require: "both" | "either") {
    const clock = createFakeClock();
    const issuer = await createIssuer(clock);
    const token = await issuer.token("anna", { roles: ["staff"] });
    const authenticator = forwardedIdentity({ issuer: ISSUER, clock, bearer: issuer.authenticator, require });
    const running = await runEdgeApp({ authenticator, clock, trustedProxies: local });
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await ask(running.port, { ...negotiating, headers })).status;
    return { ...running, clock, token, status };
  }

  it("must be the same in both, where both are wanted", async () => {
    const { port, clock, token, status } = await setUp("both");
    expect(await status({ ...saying(clock, "anna"), ...bearer(token) })).toBe(200);
    expect(await status({ ...saying(clock, "berta"), ...bearer(token) })).toBe(400);
    expect(await status(saying(clock, "anna"))).toBe(401);
    expect(await status(bearer(token))).toBe(401);
    const connection = await connectStock(`http://127.0.0.1:${port}/hub`, {
      headers: saying(clock, "anna"),
      accessTokenFactory: () => token,
    });
    expect(await connection.invoke("WhoAmI")).toBe("anna");
  });

  it("may be either, and still not two", async () => {
    const { clock, token, status } = await setUp("either");
    expect(await status({ ...saying(clock, "anna"), ...bearer(token) })).toBe(200);
    expect(await status({ ...saying(clock, "berta"), ...bearer(token) })).toBe(400);
    expect(await status(saying(clock, "anna"))).toBe(200);
    expect(await status(bearer(token))).toBe(200);
  });
});

describe("identity that a gateway signs", () => {
  it("is verified here, whoever brings it, and is kept out of everybody's sight", async () => {
    const clock = createFakeClock();
    const keys = publicKey(await verifyingJwk());
    const signed: Authenticator = jwt({ issuer: ISSUER, audience: AUDIENCE, keys, clock });
    const seen: string[] = [];
    const { port } = await runEdgeApp({
      authenticator: forwardedToken("cf-access-jwt-assertion", signed),
      clock,
      listener: ({ headers, rawHeaders }: IncomingMessage) => void seen.push(JSON.stringify([headers, rawHeaders])),
    });
    const token = await (await createIssuer(clock)).token("anna", { roles: ["staff"] });
    const headers = { "Cf-Access-Jwt-Assertion": token };
    const connection = await connectStock(`http://127.0.0.1:${port}/hub`, { headers });
    expect(await connection.invoke("WhoAmI")).toBe("anna");
    const statuses = [headers, { "cf-access-jwt-assertion": `${token}x` }, bearer(token), {}].map(
      async (sent) => (await ask(port, { path: "/me", headers: { ...sent } })).status,
    );
    expect(await Promise.all(statuses)).toEqual([200, 401, 401, 401]);
    // A bearer in `Authorization` is left to whoever answers the route.
    expect(seen.filter((request) => !request.includes("authorization")).join()).not.toContain("eyJ");
  });
});
