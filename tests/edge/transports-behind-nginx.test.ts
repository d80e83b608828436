/** Server-sent events and long polls through nginx, with the documented configuration as it stands. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { HttpTransportType } from "@microsoft/signalr";
import { hubward } from "@hubward/server";
import { attach } from "@hubward/server/node";
import { expect, onTestFinished, test } from "vitest";
import { createFakeClock } from "../support/fake-clock.js";
import { Recorder } from "../support/recorder.js";
import { text } from "../support/schemas.js";
import { listen, shut } from "../support/server.js";
import { createIssuer, holdsJwt, holdsTicket, type TestIssuer } from "../support/tokens.js";
import { connectStock } from "./support/edge-app.js";
import { documented, freePort, nginxSuite, startNginx, type Nginx } from "./support/nginx.js";

const hubs = ["/hubs/ward", "/hubs/desk"] as const;
const transports = ["ServerSentEvents", "LongPolling"] as const;
const cases = transports.flatMap((transport) => ["", "/clinic"].map((prefix) => [transport, prefix] as const));

interface Site {
  readonly origin: string;
  readonly nginx: Nginx;
  readonly issuer: TestIssuer;
  /** What comes through, as the application's server sees it: `GET /hubs/ward`. */
  readonly arrived: Recorder<string>;
  say(hub: (typeof hubs)[number], words: string): void;
}

/** Two hubs behind one nginx, at its root and under `/clinic/`. */
async function setUp(): Promise<Site> {
  const clock = createFakeClock();
  const issuer = await createIssuer(clock);
  const { authenticator } = issuer;
  const app = hubward({ authenticator, principal: () => ({ roles: [] }), telemetry: () => undefined, clock });
  const anyone = app.policy("Anyone", () => true);
  const [ward, desk] = hubs.map((path) =>
    app
      .hub<{ said: [words: string] }>(path)
      .allow(anyone)
      .methods((m) => ({ Echo: m.args(text).handle((_call, words) => `${path} ${words}`) })),
  );
  const server = createServer();
  attach(server, app);
  const arrived = new Recorder<string>();
  const emit = server.emit;
  server.emit = function (this: typeof server, event: string | symbol, ...args: unknown[]): boolean {
    const [{ method, url } = {}] = args as [Partial<IncomingMessage>?, ServerResponse?];
    const isGoingOn = Reflect.apply(emit, this, [event, ...args]) as boolean;
    if (event === "request") arrived.push(`${method} ${url?.split("?")[0]}`);
    return isGoingOn;
  } as typeof server.emit;
  const port = await listen(server);
  onTestFinished(async () => {
    await app.close();
    await shut(server);
  });

  const own = await freePort();
  const nginx = await startNginx(`
    upstream application { server 127.0.0.1:${port}; keepalive 4; }
    server {
      listen 127.0.0.1:${own};
      access_log ACCESS_LOG hubward;
      location / { proxy_pass http://application; include ${documented("hubward-proxy.conf")}; }
      location /clinic/ { proxy_pass http://application/; include ${documented("hubward-proxy.conf")}; }
    }
  `);
  const say: Site["say"] = (hub, words) => (hub === "/hubs/ward" ? ward : desk)?.toAll().emit("said", words);
  return { origin: `http://127.0.0.1:${own}`, nginx, issuer, arrived, say };
}

async function enter({ origin, issuer }: Site, path: string, transport: (typeof transports)[number]) {
  const connection = await connectStock(`${origin}${path}`, {
    accessTokenFactory: () => issuer.token("anna"),
    transport: HttpTransportType[transport],
  });
  const heard = new Recorder<string>();
  connection.on("said", heard.push);
  return { connection, heard };
}

nginxSuite("server-sent events and long polls behind nginx", () => {
  test.each(cases)(
    "%s under %j: each event comes before the next is said, on each of two hubs",
    async (transport, prefix) => {
      const site = await setUp();
      const [ward, desk] = await Promise.all(hubs.map((hub) => enter(site, `${prefix}${hub}`, transport)));
      for (const number of [1, 2, 3, 4, 5]) {
        site.say("/hubs/ward", `ward ${number}`);
        // A proxy that waits for more, or for the end of the response, would keep this one back for ever.
        await ward?.heard.take(number);
        site.say("/hubs/desk", `desk ${number}`);
        await desk?.heard.take(number);
      }
      expect(ward?.heard.items).toEqual(["ward 1", "ward 2", "ward 3", "ward 4", "ward 5"]);
      expect(desk?.heard.items).toEqual(["desk 1", "desk 2", "desk 3", "desk 4", "desk 5"]);
      expect(await ward?.connection.invoke("Echo", "one")).toBe("/hubs/ward one");
      expect(await desk?.connection.invoke("Echo", "two")).toBe("/hubs/desk two");
      const gets = site.arrived.items.filter((request) => request === "GET /hubs/ward").length;
      // One response carried all of it, or a poll each.
      if (transport === "ServerSentEvents") expect(gets).toBe(1);
      else expect(gets).toBeGreaterThan(5);

      await Promise.all([ward?.connection.stop(), desk?.connection.stop()]);
      await expect.poll(() => site.nginx.accessLog()).toContain(`"GET ${prefix}/hubs/ward HTTP/1.1" 200`);
      expect(site.nginx.accessLog()).toContain(`"POST ${prefix}/hubs/desk HTTP/1.1" 200`);
      const said = site.nginx.accessLog() + site.nginx.errors();
      expect([holdsTicket(said), holdsJwt(said), /[?&]id=/.test(said)]).toEqual([false, false, false]);
    },
  );
});
