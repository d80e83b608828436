/** One scenario's world: a server on a real port, its clock, its identity provider, and everyone who connects. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { HubConnection } from "@microsoft/signalr";
import type { App, HubwardOptions, Principal, TelemetryEvent } from "@hubward/server";
import { attach } from "@hubward/server/node";
import { onTestFinished, type TestContext } from "vitest";
import { createFakeClock, type FakeClock } from "../../tests/support/fake-clock.js";
import { Recorder } from "../../tests/support/recorder.js";
import { listen, shut } from "../../tests/support/server.js";
import { until } from "../../tests/support/until.js";
import { createIssuer, type TestIssuer, type TokenOptions } from "../../tests/support/tokens.js";
import { createTestHub, type Sighting } from "./hub.js";
import type { ConnectionOptions, StockClient } from "./stock-clients.js";

export const HUB_PATH = "/hubs/conformance";

/** A connection of a stock client, with all it was told. */
export interface Party {
  readonly connection: HubConnection;
  /** The connection's public id: what the client says, or the server where the client does not know it. */
  id(): Promise<string>;
  /** Every `said` event's text, and "done" for each `done`. */
  readonly heard: Recorder<string>;
  readonly valued: Recorder<unknown>;
  readonly closed: Recorder<Error | undefined>;
  readonly reconnecting: Recorder<Error | undefined>;
  readonly reconnected: Recorder<string | undefined>;
}

export interface Person extends TokenOptions {
  readonly subject?: string | undefined;
}

export interface World {
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  readonly clock: FakeClock;
  readonly issuer: TestIssuer;
  readonly app: App<Principal>;
  readonly telemetry: Recorder<TelemetryEvent>;
  readonly seen: Recorder<Sighting>;
  /** Calls of `Wait` that run: the most at one time, and those aborted. */
  readonly waiting: { now: number; most: number; aborted: number };
  open(gate: string): void;
  tellRoom(room: string, said: string): void;
  tellHub(said: string): void;
  /** Builds a connection, not started; ended with the test. */
  build(client: StockClient, options: ConnectionOptions, url?: string): Party;
  /** A connection that is open. Asks for a new token each time the client does. */
  connect(client: StockClient, person?: Person, options?: ConnectionOptions, url?: string): Promise<Party>;
  opened(count: number): Promise<readonly Opened[]>;
  /** Lets a client that polls come for its news, before the clock is moved. At once for any other. */
  polled(client: Pick<StockClient, "transport">): Promise<void>;
  /** Polls and streams: how many ever came, and how many are not answered to their end. */
  readonly gets: { readonly begun: number; readonly open: number };
}

export type Opened = Extract<TelemetryEvent, { event: "connection.opened" }>;

/** What else lives on the server, mounted before or after the application. */
export interface Neighbours {
  readonly before?: ((server: Server) => void) | undefined;
  readonly after?: ((server: Server) => void) | undefined;
  /** Proxies in front of the server. */
  readonly trustedProxies?: readonly string[] | undefined;
}

/** `atEnd`: the test's own `onTestFinished`, which those that run side by side must bring. */
export async function createWorld(
  options: Partial<HubwardOptions> = {},
  { before, after, trustedProxies }: Neighbours = {},
  atEnd: TestContext["onTestFinished"] = onTestFinished,
): Promise<World> {
  const clock = createFakeClock();
  const issuer = await createIssuer(clock);
  const telemetry = new Recorder<TelemetryEvent>();
  const seen = new Recorder<Sighting>();
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const waiting = { now: 0, most: 0, aborted: 0 };
  const gateOf = (name: string): PromiseWithResolvers<void> => {
    const gate = gates.get(name) ?? deferred();
    gates.set(name, gate);
    return gate;
  };

  const { app, tellRoom, tellHub } = createTestHub(
    { authenticator: issuer.authenticator, telemetry: telemetry.push, clock, ...options },
    {
      saw: seen.push,
      gate: (name) => gateOf(name).promise,
      running(change) {
        waiting.now += change;
        waiting.most = Math.max(waiting.most, waiting.now);
      },
      aborted: () => waiting.aborted++,
    },
  );
  const server = createServer();
  before?.(server);
  attach(server, app, { trustedProxies });
  const gets = watchRequests(server, "GET");
  const posts = watchRequests(server, "POST");
  after?.(server);
  const port = await listen(server);
  const parties: Party[] = [];
  atEnd(async () => {
    for (const gate of gates.values()) gate.resolve();
    await quiet(posts);
    await Promise.all(parties.map(({ connection }) => connection.stop()));
    const closed = app.close();
    // Last words wait so long for a client that polls.
    clock.advance(5_000);
    await closed;
    await shut(server);
  });

  const url = `http://127.0.0.1:${port}${HUB_PATH}`;
  const build: World["build"] = (client, connectionOptions, at = url) => {
    const connection = client.build(at, connectionOptions);
    const party: Party = {
      connection,
      id: async () =>
        client.can("connection id")
          ? (connection.connectionId ?? "")
          : (await connection.invoke<{ readonly connectionId: string }>("WhoAmI")).connectionId,
      heard: new Recorder(),
      valued: new Recorder(),
      closed: new Recorder(),
      reconnecting: new Recorder(),
      reconnected: new Recorder(),
    };
    connection.on("said", party.heard.push);
    connection.on("done", () => party.heard.push("done"));
    connection.on("valued", party.valued.push);
    connection.onclose(party.closed.push);
    if (client.can("automatic reconnect")) {
      connection.onreconnecting(party.reconnecting.push);
      connection.onreconnected(party.reconnected.push);
    }
    parties.push(party);
    return party;
  };

  return {
    server,
    port,
    url,
    clock,
    issuer,
    app,
    telemetry,
    seen,
    waiting,
    open: (name) => gateOf(name).resolve(),
    tellRoom,
    tellHub,
    build,
    async connect(client, { subject = "ada", ...token } = {}, connectionOptions = {}, at = url) {
      const accessTokenFactory = (): Promise<string> => issuer.token(subject, token);
      const party = build(client, { accessTokenFactory, ...connectionOptions }, at);
      await party.connection.start();
      return party;
    },
    async polled({ transport }) {
      if (transport !== "LongPolling") return;
      await until(() => gets.open > 0);
      // What waits in the server's hands is not yet a poll: one turn for who asks.
      await new Promise((resolve) => setImmediate(resolve));
    },
    gets,
    opened: (count) =>
      telemetry.take(count, (event) => event.event === "connection.opened") as Promise<readonly Opened[]>,
  };
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

function deferred(): PromiseWithResolvers<void> {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

/**
 * Lets what the clients still send arrive. A stock client that uploads over HTTP sends one item after the other, and one
 * that fails because the connection was stopped is a rejection that nobody handles, which would end the run.
 */
async function quiet(posts: World["gets"]): Promise<void> {
  let begun = -1;
  // Between an answer and the next request the event loop, which both ends share, turns a few times.
  for (let turns = 0; turns < 50; turns++) {
    if (posts.open > 0 || posts.begun > begun) turns = 0;
    ({ begun } = posts);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function watchRequests(server: Server, method: "GET" | "POST"): World["gets"] {
  const watched = { begun: 0, open: 0 };
  const emit = server.emit;
  server.emit = function (this: Server, event: string | symbol, ...args: unknown[]): boolean {
    const [request, response] = args as [IncomingMessage, ServerResponse];
    if (event === "request" && request.method === method) {
      watched.begun++;
      watched.open++;
      response.on("close", () => watched.open--);
    }
    return Reflect.apply(emit, this, [event, ...args]) as boolean;
  } as typeof server.emit;
  return watched;
}

/** How a promise failed; the test fails when it did not. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(outcome instanceof Error)) throw new Error("this was expected to fail with an Error");
  return outcome;
}

/** The text the client puts in front of what a hub's Close says. */
export const CLOSE_PREFIX = "Server returned an error on close: ";
