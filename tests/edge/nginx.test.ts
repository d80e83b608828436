/** The documented nginx configuration, as it stands, in front of an application. */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { createFakeClock } from "../support/fake-clock.js";
import { Recorder } from "../support/recorder.js";
import { ask, bearer } from "../support/server.js";
import { createIssuer, holdsJwt, holdsTicket, type TestIssuer } from "../support/tokens.js";
import { askFrom, connectStock, runEdgeApp, type RunningEdgeApp } from "./support/edge-app.js";
import { documented, freePort, nginxPath, nginxSuite, startNginx, type Nginx } from "./support/nginx.js";

const mounts = `
  location / { proxy_pass http://application; include ${documented("hubward-proxy.conf")}; }
  location /ward/ { proxy_pass http://application/; include ${documented("hubward-proxy.conf")}; }
`;

/** One nginx in front of `port`, from an address of its own. */
async function inFrontOf(port: number): Promise<Nginx & { readonly port: number }> {
  const own = await freePort();
  const nginx = await startNginx(`
    upstream application { server 127.0.0.1:${port}; keepalive 4; }
    server {
      listen 127.0.0.1:${own};
      access_log ACCESS_LOG hubward;
      proxy_bind 127.0.0.77;
      ${mounts}
    }
  `);
  return { ...nginx, port: own };
}

async function setUp(): Promise<
  RunningEdgeApp & { readonly issuer: TestIssuer; readonly nginx: Nginx & { port: number } }
> {
  const clock = createFakeClock();
  const issuer = await createIssuer(clock);
  const { authenticator } = issuer;
  const running = await runEdgeApp({ authenticator, clock, trustedProxies: ["127.0.0.77"], allowQueryToken: true });
  return { ...running, issuer, nginx: await inFrontOf(running.port) };
}

/** Events of the hub's door, each with the address it says. */
const addresses = ({ telemetry }: Pick<RunningEdgeApp, "telemetry">): readonly unknown[] =>
  telemetry.items.flatMap((event) => ("remoteAddress" in event ? [event.remoteAddress] : []));

nginxSuite("behind nginx, with the documented configuration", () => {
  test.each(["/hub", "/ward/hub"])("the stock client connects by WebSocket, calls and hears, at %s", async (path) => {
    const { nginx, issuer } = await setUp();
    const connection = await connectStock(`http://127.0.0.1:${nginx.port}${path}`, {
      accessTokenFactory: () => issuer.token("anna", { roles: ["staff"] }),
    });
    const heard = new Recorder<string>();
    connection.on("said", heard.push);
    expect(await connection.invoke("WhoAmI")).toBe("anna");
    await connection.invoke("Say", "good morning");
    expect(await heard.first()).toBe("good morning");
    await connection.stop();
    const log = nginx.accessLog();
    expect(log).toContain(`"POST ${path}/negotiate HTTP/1.1" 200`);
    // The only transport there is but WebSockets would have been refused.
    await expect.poll(() => nginx.accessLog()).toContain(`"GET ${path} HTTP/1.1" 101`);
  });

  test("a wish for another protocol than WebSocket goes no further, and its request does, with its body", async () => {
    const clock = createFakeClock();
    const issuer = await createIssuer(clock);
    const seen: string[] = [];
    const { authenticator } = issuer;
    const { port } = await runEdgeApp({
      authenticator,
      clock,
      listener({ method, headers }) {
        seen.push(`${method} ${headers.upgrade} ${headers.connection} ${headers["content-length"]}`);
      },
    });
    const nginx = await inFrontOf(port);
    const upgrade = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "AAMAAABk" };
    const headers = { ...bearer(await issuer.token("anna", { roles: ["staff"] })), ...upgrade };
    const reply = await ask(nginx.port, { method: "POST", path: "/me", headers, body: "hello" });
    expect([reply.status, reply.body]).toEqual([200, "anna"]);
    const negotiated = await ask(nginx.port, { method: "POST", path: "/hub/negotiate?negotiateVersion=1", headers });
    expect(negotiated.status).toBe(200);
    expect(seen).toEqual(["POST undefined undefined 5"]);
  });

  test("no ticket, no token and no id of a connection stands in the access log or the error log", async () => {
    const { nginx, issuer } = await setUp();
    const token = await issuer.token("anna", { roles: ["staff"] });
    const negotiated = await ask(nginx.port, {
      method: "POST",
      path: "/hub/negotiate?negotiateVersion=1",
      headers: bearer(token),
    });
    const { accessToken, connectionToken } = JSON.parse(negotiated.body) as Record<string, string>;
    expect(holdsTicket(accessToken ?? "")).toBe(true);
    const queries = [
      `id=${connectionToken}&access_token=${accessToken}`,
      `access_token=${token}`,
      `%61ccess_token=${token}`,
    ];
    for (const query of queries) {
      const headers = { referer: `http://127.0.0.1/page?${query}` };
      await ask(nginx.port, { path: `/hub?${query}`, headers });
      await ask(nginx.port, { path: `/hub/nowhere?${query}`, headers });
    }
    const said = nginx.accessLog() + nginx.errors();
    expect(nginx.accessLog().trim().split("\n")).toHaveLength(1 + 2 * queries.length);
    expect([holdsTicket(said), holdsJwt(said), said.includes(connectionToken ?? "")]).toEqual([false, false, false]);
  });

  test("an application that is down makes nginx quote no request in its error log", async () => {
    const { port } = await inFrontOf(await freePort()).then(async (nginx) => {
      const { status } = await ask(nginx.port, { path: `/hub?access_token=hwt_${"a".repeat(43)}` });
      expect(status).toBe(502);
      expect(holdsTicket(nginx.accessLog() + nginx.errors())).toBe(false);
      return nginx;
    });
    expect(port).toBeGreaterThan(0);
  });

  test("the log names the client's own address, and not the one it makes up", async () => {
    const running = await setUp();
    const headers = { "x-forwarded-for": "203.0.113.66", "x-real-ip": "203.0.113.66", forwarded: "for=203.0.113.66" };
    const path = "/hub/negotiate";
    await askFrom("127.0.0.9", running.nginx.port, { method: "POST", path, headers });
    await askFrom("127.0.0.9", running.nginx.port, { method: "POST", path });
    // Past nginx, nobody's word counts.
    await askFrom("127.0.0.8", running.port, { method: "POST", path, headers });
    expect(addresses(running)).toEqual(["127.0.0.9", "127.0.0.9", "127.0.0.8"]);
  });

  test("the whole example site is accepted by nginx", async () => {
    const folder = await mkdtemp(join(tmpdir(), "hubward-site-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const site = (await readFile(documented("site.conf"), "utf8"))
      .replaceAll("/etc/nginx/hubward", dirname(documented("site.conf")))
      .replaceAll("/var/log/nginx", folder);
    const file = join(folder, "nginx.conf");
    await writeFile(file, `pid ${folder}/pid;\nerror_log stderr;\nevents { }\nhttp { access_log off;\n${site}\n}`);
    const { stderr } = await promisify(execFile)(nginxPath ?? "", ["-t", "-p", folder, "-c", file]);
    expect(stderr).toContain("syntax is ok");
    expect(stderr).not.toContain("[warn]");
  });
});
