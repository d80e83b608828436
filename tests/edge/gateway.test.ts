/** nginx as the gateway that checks who asks (`auth_request`), with the documented configuration. */

import { createServer } from "node:http";
import { forwardedIdentity } from "@hubward/server";
import { expect, onTestFinished, test } from "vitest";
import { ask, bearer, listen, shut } from "../support/server.js";
import { holdsTicket } from "../support/tokens.js";
import { connectStock, runEdgeApp, type RunningEdgeApp } from "./support/edge-app.js";
import { documented, freePort, nginxSuite, startNginx, type Nginx } from "./support/nginx.js";

const issuer = "https://gateway.example/";
const nginxAddress = "127.0.0.77";

/** Where the gateway asks who a cookie is: `person=anna` is Anna of the staff, anything else nobody. */
async function startIdentityService(): Promise<number> {
  const server = createServer(({ headers }, response) => {
    const subject = /(?:^|; )person=([a-z]+)(?:;|$)/.exec(headers.cookie ?? "")?.[1];
    if (subject === undefined) return void response.writeHead(401).end();
    const expires = String(Math.floor(Date.now() / 1000) + 600);
    const identity = { "x-auth-subject": subject, "x-auth-expires": expires, "x-auth-roles": "staff, nurse" };
    response.writeHead(204, identity).end();
  });
  onTestFinished(() => shut(server));
  return listen(server);
}

interface Gateway extends Nginx {
  readonly port: number;
  readonly running: RunningEdgeApp;
}

async function setUp(): Promise<Gateway> {
  const authenticator = forwardedIdentity({ issuer });
  const running = await runEdgeApp({ authenticator, trustedProxies: [nginxAddress] });
  const identityPort = await startIdentityService();
  const port = await freePort();
  const nginx = await startNginx(`
    upstream application { server 127.0.0.1:${running.port}; keepalive 4; }
    upstream identity { server 127.0.0.1:${identityPort}; }
    server {
      listen 127.0.0.1:${port};
      access_log ACCESS_LOG hubward;
      location / {
        proxy_pass http://application;
        proxy_bind ${nginxAddress};
        include ${documented("hubward-proxy.conf")};
        include ${documented("hubward-gateway.conf")};
      }
      location = /_identity {
        internal;
        proxy_pass http://identity;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
      }
      location /open/ { proxy_pass http://application/; proxy_bind ${nginxAddress}; include ${documented("hubward-proxy.conf")}; }
    }
  `);
  return { ...nginx, port, running };
}

const negotiating = { method: "POST", path: "/hub/negotiate?negotiateVersion=1" } as const;
const claimed = {
  "x-auth-subject": "root",
  "x-auth-expires": "4102444800",
  "x-auth-roles": "staff",
  "x-auth-session": "1",
};

nginxSuite("behind nginx that knows who asks", () => {
  test("the stock client needs no token of its own, and gets a ticket as usual", async () => {
    const { port, running } = await setUp();
    const connection = await connectStock(`http://127.0.0.1:${port}/hub`, { headers: { cookie: "person=anna" } });
    expect(await connection.invoke("WhoAmI")).toBe("anna");
    expect(running.telemetry.items).toContainEqual(
      expect.objectContaining({
        event: "connection.opened",
        principal: expect.objectContaining({ issuer, subject: "anna", roles: ["staff", "nurse"] }) as unknown,
        remoteAddress: "127.0.0.1",
      }),
    );
    const negotiated = await ask(port, { ...negotiating, headers: { cookie: "person=anna" } });
    const { accessToken } = JSON.parse(negotiated.body) as { readonly accessToken: string };
    expect(holdsTicket(accessToken)).toBe(true);
  });

  test("guarded routes know the same person", async () => {
    const { port } = await setUp();
    const reply = await ask(port, { path: "/me", headers: { cookie: "person=anna" } });
    expect([reply.status, reply.body]).toEqual([200, "anna"]);
    expect((await ask(port, { path: "/me" })).status).toBe(401);
  });

  test("a client cannot say who it is: not through the gateway, not past it, not where nothing is checked", async () => {
    const { port, running } = await setUp();
    const asAnna = await ask(port, { path: "/me", headers: { ...claimed, cookie: "person=anna" } });
    expect([asAnna.status, asAnna.body]).toEqual([200, "anna"]);
    const outcomes = [
      ask(port, { ...negotiating, headers: claimed }),
      ask(running.port, { path: "/me", headers: claimed }),
      ask(running.port, { ...negotiating, headers: claimed }),
    ].map(async (reply) => (await reply).status);
    expect(await Promise.all(outcomes)).toEqual([401, 400, 400]);
    // A bare challenge: the application saw none of the headers.
    expect(await ask(port, { path: "/open/me", headers: claimed })).toMatchObject({ status: 401, body: "" });
  });

  test("a token that the gateway has checked goes no further, and a ticket does", async () => {
    const { port } = await setUp();
    const cookie = { cookie: "person=anna" };
    expect((await ask(port, { ...negotiating, headers: { ...cookie, ...bearer("eyJ.some.token") } })).status).toBe(200);
    const wrongTicket = `hwt_${"a".repeat(43)}`;
    const reply = await ask(port, { ...negotiating, headers: { ...cookie, ...bearer(wrongTicket) } });
    expect([reply.status, reply.body]).toEqual([401, expect.stringContaining("ticket_invalid")]);
  });
});
