/**
 * A hub behind https with pages of three origins around it: its own, one that is allowed, one that is not. Each page
 * has the unmodified client from its package. Ended with the test.
 */

import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request, type Server } from "node:https";
import type { Socket } from "node:net";
import { createRequire } from "node:module";
import { hasRole, hubward, HubError, type App, type Principal, type TelemetryEvent } from "@hubward/server";
import { attach } from "@hubward/server/node";
import { onTestFinished } from "vitest";
import { certificate, key } from "../../support/certificate.js";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.js";
import { Recorder } from "../../support/recorder.js";
import { text, wholeNumber, word } from "../../support/schemas.js";
import { listen, shut } from "../../support/server.js";
import { createIssuer, type TestIssuer } from "../../support/tokens.js";
import { until } from "../../support/until.js";

export const HUB_PATH = "/hubs/ward";

/** One item of `Count`, in bytes. */
const ITEM_BYTES = 16 * 1024;

/** What the browser really sent to the hub. */
export interface SentRequest {
  /** `GET`, or `upgrade` for a WebSocket's. */
  readonly method: string;
  /** As sent, with its query. */
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

export type PagePlace = "own" | "allowed" | "denied";

export interface HubWorld {
  readonly app: App<Principal>;
  readonly clock: FakeClock;
  readonly issuer: TestIssuer;
  readonly telemetry: Recorder<TelemetryEvent>;
  readonly origins: Readonly<Record<PagePlace, string>>;
  readonly hubUrl: string;
  readonly requests: readonly SentRequest[];
  /** Items of `Count` that were asked for so far, and how many there were each time a page said it is busy. */
  readonly counted: { items: number; atBusy: number[] };
  readonly cancelled: Recorder<string>;
  say(words: string): void;
  tellWard(ward: string, words: string): void;
  /** Cuts every connection there is. */
  cut(): void;
  /** Cuts every connection and takes no new ones, until the function it returns is called. */
  goDown(): Promise<() => Promise<void>>;
  /** Resolves once a GET waits for its answer. */
  polled(): Promise<void>;
}

const resolvePackage = createRequire(import.meta.url).resolve;
const browserFile = (name: string, file: string): string =>
  resolvePackage(`@microsoft/${name}`).replace(/dist.*$/, `dist/browser/${file}`);
const files: Readonly<Record<string, readonly [type: string, path: string]>> = {
  "/": ["text/html", new URL("hub-page.html", import.meta.url).pathname],
  "/signalr.js": ["text/javascript", browserFile("signalr", "signalr.js")],
  "/signalr-protocol-msgpack.js": [
    "text/javascript",
    browserFile("signalr-protocol-msgpack", "signalr-protocol-msgpack.js"),
  ],
};

/** What a sign-in puts into its Set-Cookie line: by default what ours should hold. */
export interface WorldOptions {
  readonly cookie?: string | undefined;
  readonly sameSite?: "Strict" | "None" | undefined;
}

/** With a `cookie`, `POST /login/<subject>` signs in by it. */
export async function createHubWorld({ cookie, sameSite = "Strict" }: WorldOptions = {}): Promise<HubWorld> {
  const counted: HubWorld["counted"] = { items: 0, atBusy: [] };
  const servePage = (asked: IncomingMessage, response: ServerResponse): void => {
    if (asked.url === "/busy") {
      void standstill().then(() => {
        counted.atBusy.push(counted.items);
        response.end();
      });
      return;
    }
    const [, subject] = /^\/login\/(\w+)$/.exec(asked.url ?? "") ?? [];
    if (cookie !== undefined && subject !== undefined && asked.method === "POST") {
      void issuer.token(subject).then((token) => {
        const line = `${cookie}=${token}; Path=/; Secure; HttpOnly; SameSite=${sameSite}`;
        response.writeHead(204, { "set-cookie": line }).end();
      });
      return;
    }
    const [type, path] = files[asked.url ?? ""] ?? [];
    if (path === undefined) return void response.writeHead(404).end();
    response.setHeader("content-type", type ?? "");
    response.end(readFileSync(path));
  };
  const servers = [0, 1, 2].map(() => createServer({ key, cert: certificate }, servePage)) as [Server, Server, Server];
  const [server] = servers;
  const ports = await Promise.all(servers.map((one) => listen(one)));
  const origins = {
    own: `https://127.0.0.1:${ports[0]}`,
    // Another host, so that the browser calls it another site.
    allowed: `https://localhost:${ports[1]}`,
    denied: `https://localhost:${ports[2]}`,
  };

  /** Nobody asks for an item while others are answered twenty times. */
  async function standstill(): Promise<void> {
    for (let quiet = 0, last = -1; quiet < 20; quiet++) {
      if (counted.items !== last) quiet = 0;
      last = counted.items;
      await roundTrip(ports[0] ?? 0);
    }
  }

  const clock = createFakeClock();
  const issuer = await createIssuer(clock);
  const telemetry = new Recorder<TelemetryEvent>();
  const app = hubward({
    authenticator: issuer.authenticator,
    principal: ({ claims }) => ({ roles: (claims["roles"] as readonly string[] | undefined) ?? [] }),
    allowedOrigins: [origins.own, origins.allowed],
    cookie,
    telemetry: telemetry.push,
    clock,
  });
  const { cancelled, ...speak } = declareHub(app, counted);
  attach(server, app);
  const requests: SentRequest[] = [];
  const waiting = watchRequests(server, requests);
  const sockets = watchSockets(server);
  onTestFinished(async () => {
    const ended = app.close();
    // A page that is gone does not come for a poll's last words, and the time they wait is the clock's.
    clock.advance(20_000);
    await ended;
    await Promise.all(servers.map(shut));
  });

  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    app,
    clock,
    issuer,
    telemetry,
    origins,
    hubUrl: `${origins.own}${HUB_PATH}`,
    requests,
    counted,
    cancelled,
    ...speak,
    cut,
    async goDown() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      await closed;
      return () => new Promise((resolve) => void server.listen(ports[0], "127.0.0.1", resolve));
    },
    async polled() {
      await until(() => waiting.size > 0);
      // What waits in the server's hands is not yet a poll: one turn for who asks.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

function declareHub(
  app: App<Principal>,
  counted: HubWorld["counted"],
): Pick<HubWorld, "cancelled" | "say" | "tellWard"> {
  const cancelled = new Recorder<string>();
  const staff = app.policy("Staff", ({ principal }) => !principal.hasRole("visitor"), {
    message: "visitors may not connect",
  });
  const doctors = app.policy("Doctors", hasRole("doctor"), { message: "doctors only" });
  const ward = app.group("ward/{ward}", { ward: word }).allow(staff);
  const filler = "x".repeat(ITEM_BYTES);
  const hub = app
    .hub<{ said: [words: string] }>(HUB_PATH, { statefulReconnect: true })
    .allow(staff)
    .methods((m) => ({
      WhoAmI: m.handle(({ principal }) => principal.subject),
      Echo: m.args(text).handle((_call, words) => words),
      Join: m.args(word).handle((call, name) => call.groups.join(ward({ ward: name }))),
      Leave: m.args(word).handle((call, name) => call.groups.leave(ward({ ward: name }))),
      Order: m.allow(doctors).handle(() => "ordered"),
      Fail: m.args(text).handle((_call, words) => {
        throw new HubError(words);
      }),
      Count: m.args(wholeNumber).stream(async function* (_call, count) {
        await Promise.resolve();
        for (let number = 1; number <= count; number++) {
          counted.items++;
          yield { number, filler };
        }
      }),
      Endless: m.stream(async function* ({ signal }) {
        yield "first";
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        cancelled.push("Endless");
      }),
      Sum: m.uploads(wholeNumber).handle(async (_call, numbers) => {
        let sum = 0;
        for await (const number of numbers) sum += number;
        return sum;
      }),
    }));
  return {
    cancelled,
    say: (words) => hub.toAll().emit("said", words),
    tellWard: (name, words) => app.to(ward({ ward: name })).emit("said", words),
  };
}

/** Notes requests as they arrive, before anybody looks at them. Returns the GETs of the hub that are not answered. */
function watchRequests(server: Server, requests: SentRequest[]): ReadonlySet<ServerResponse> {
  const waiting = new Set<ServerResponse>();
  const emit = server.emit;
  server.emit = function (this: Server, event: string | symbol, ...args: unknown[]): boolean {
    if (event === "request" || event === "upgrade") {
      const [asked, response] = args as [IncomingMessage, ServerResponse];
      const { method = "", url = "", headers } = asked;
      if (url.startsWith(HUB_PATH)) {
        requests.push({ method: event === "upgrade" ? "upgrade" : method, url, headers: { ...headers } });
        if (event === "request" && method === "GET") {
          waiting.add(response);
          response.on("close", () => waiting.delete(response));
        }
      }
    }
    return Reflect.apply(emit, this, [event, ...args]) as boolean;
  } as typeof server.emit;
  return waiting;
}

function watchSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on("secureConnection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  return sockets;
}

/** One request of a stranger, answered. */
function roundTrip(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/nothing", ca: certificate, agent: false };
    request(options, (response) => {
      response.resume();
      response.on("end", resolve);
    })
      .on("error", reject)
      .end();
  });
}
