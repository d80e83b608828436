/** The built demo behind nginx, as its README says: `PUBLIC_ORIGIN` is where browsers reach it. */

import { expect, onTestFinished, test } from "vitest";
import { browserSuite, launchBrowser, openContext } from "../browser/support/chromium.js";
import { heartRatesMove, openWard, order, orderIs } from "../browser/support/clinic-page.js";
import { startDemo } from "../browser/support/demo.js";
import { ask } from "../support/server.js";
import { holdsJwt, holdsTicket } from "../support/tokens.js";
import { documented, freePort, nginxSuite, startNginx, type Nginx } from "./support/nginx.js";

interface DemoBehindNginx extends Nginx {
  readonly port: number;
  readonly origin: string;
}

async function setUp(): Promise<DemoBehindNginx> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const demo = await startDemo({ publicOrigin: origin });
  onTestFinished(() => demo.stop());
  const nginx = await startNginx(`
    upstream demo { server 127.0.0.1:${demo.port}; keepalive 4; }
    server {
      listen 127.0.0.1:${port};
      access_log ACCESS_LOG hubward;
      location / { proxy_pass http://demo; include ${documented("hubward-proxy.conf")}; }
    }
  `);
  return { ...nginx, port, origin };
}

nginxSuite("the demo behind nginx", () => {
  test("answers its page and lets only its public origin sign in", async () => {
    const { port, origin } = await setUp();
    expect((await ask(port, { path: "/" })).body).toContain("<title>");
    const signInFrom = async (from: string): Promise<number> => {
      const body = JSON.stringify({ username: "doctor-icu", password: "demo" });
      const headers = { origin: from, "content-type": "application/json", "content-length": body.length };
      return (await ask(port, { method: "POST", path: "/auth/login", headers, body })).status;
    };
    expect([await signInFrom(origin), await signInFrom("http://evil.example")]).toEqual([200, 403]);
    expect((await ask(port, { path: "/", headers: { host: "evil.example" } })).status).toBe(421);
  });

  browserSuite("in Chromium", () => {
    test("shows a ward live, takes an order, and leaves no credential in the access log", async (own) => {
      const { origin, accessLog, errors } = await setUp();
      const browser = await launchBrowser();
      onTestFinished(() => browser.close());
      const context = await openContext(browser, own);
      const { page } = await openWard(context, origin, "doctor-icu", "icu");
      await heartRatesMove(page);
      await order(page, "general-icu-1", "Heparin");
      await orderIs(page, "general-icu-1", "ordered");
      await page.close();
      await expect.poll(accessLog).toContain('"GET /hubs/clinical HTTP/1.1" 101');
      const said = accessLog() + errors();
      expect([holdsTicket(said), holdsJwt(said)]).toEqual([false, false]);
    });
  });
});
