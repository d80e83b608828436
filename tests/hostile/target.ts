/**
 * A server to attack. Around every attack stands the same frame: a stock client that was there before must still
 * work, somebody new must be able to connect, and in the end nothing may be left.
 */

import { createServer, type Server } from "node:http";
import { HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import {
  hubward,
  type App,
  type HubwardOptions,
  type Principal,
  type RoomsOptions,
  type TelemetryEvent,
} from "@hubward/server";
import { attach } from "@hubward/server/node";
import { expect } from "vitest";
import { createFakeClock, type FakeClock } from "../support/fake-clock.js";
import { openWebSocket, type RawWebSocket, type UpgradeOptions } from "../support/raw-web-socket.js";
import { Recorder } from "../support/recorder.js";
import { anything, word } from "../support/schemas.js";
import { bearer, listen, shut } from "../support/server.js";
import { createIssuer, type TestIssuer } from "../support/tokens.js";
import { until } from "../support/until.js";

export const HUB = "/hub";

export interface Target {
  readonly port: number;
  readonly server: Server;
  readonly clock: FakeClock;
  readonly issuer: TestIssuer;
  readonly app: App<Principal>;
  readonly telemetry: Recorder<TelemetryEvent>;
  /** Names of the methods that were entered, with what they were given. */
  readonly entered: { readonly method: string; readonly args: readonly unknown[] }[];
  readonly canary: HubConnection;
  /** What the canary heard. */
  readonly heard: Recorder<unknown>;
  /** A token of somebody who never was here before. */
  strangersToken(): Promise<string>;
  /** An open WebSocket without the protocol's handshake. */
  arrive(options?: Partial<UpgradeOptions>): Promise<RawWebSocket>;
  /** An open connection that has shaken hands. */
  enter(protocol?: "json" | "messagepack"): Promise<RawWebSocket>;
  /** Says something to everyone in the group `room/one`. */
  tellRoom(what: unknown): void;
}

/** A test body with the frame around it; without the first half for attacks that outlive the server. */
export function underAttack(
  attack: (target: Target) => Promise<void>,
  options: Partial<HubwardOptions> = {},
  { outlivesServer = false, rooms = {} }: { readonly outlivesServer?: boolean; readonly rooms?: RoomsOptions } = {},
): () => Promise<void> {
  return async () => {
    const { target, finish } = await createTarget(options, rooms);
    try {
      await attack(target);
      if (!outlivesServer) await assertUnharmed(target);
    } finally {
      await finish();
    }
    await assertNothingLeft(target);
  };
}

async function createTarget(
  options: Partial<HubwardOptions>,
  rooms: RoomsOptions,
): Promise<{ target: Target; finish: () => Promise<void> }> {
  const clock = createFakeClock();
  const issuer = await createIssuer(clock);
  const telemetry = new Recorder<TelemetryEvent>();
  const entered: { method: string; args: readonly unknown[] }[] = [];
  const app = hubward({
    authenticator: issuer.authenticator,
    principal: () => ({}),
    telemetry: telemetry.push,
    clock,
    // What is attacked here has bounds of its own; the rates would hide them.
    limits: false,
    ...options,
  });
  const anyone = app.policy("Anyone", () => true);
  const room = app
    .group("room/{room}", { room: word })
    .allow(anyone)
    .room((draft) => draft.publish("note", anything, (publication) => publication.members()));
  app.rooms("/rooms", rooms).allow(anyone);
  app
    .hub("/hub")
    .allow(anyone)
    .methods((m) => ({
      Echo: m.args(anything).handle(({ method }, value) => {
        entered.push({ method, args: [value] });
        return value;
      }),
      Keys: m.args(anything).handle((_call, value) => Object.keys(value as object)),
      Join: m.handle((call) => call.groups.join(room({ room: "one" }))),
      /** Reads what is sent along until that ends. */
      Count: m.uploads(anything).handle(async (_call, items) => {
        let count = 0;
        for await (const _item of items) count++;
        return count;
      }),
      /** Takes a stream and looks at none of it, for as long as it may. */
      Hoard: m.uploads(anything).handle(({ method, signal }) => {
        entered.push({ method, args: [] });
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve(null)));
      }),
      ForEver: m.stream(async function* ({ method }) {
        entered.push({ method, args: [] });
        for (let count = 0; ; count++) {
          await new Promise((resolve) => setImmediate(resolve));
          yield count;
        }
      }),
      Later: m.args(anything).handle(async ({ method }, value) => {
        entered.push({ method, args: [value] });
        await new Promise((resolve) => setImmediate(resolve));
        return value;
      }),
    }));
  const server = createServer();
  attach(server, app);
  const port = await listen(server);

  const raw: RawWebSocket[] = [];
  let strangers = 0;
  const strangersToken = (): Promise<string> => issuer.token(`stranger-${++strangers}`, { lifetime: 3_000 });
  const arrive: Target["arrive"] = async (upgrade = {}) => {
    const token = await strangersToken();
    const socket = await openWebSocket({ port, path: HUB, headers: bearer(token), ...upgrade });
    raw.push(socket);
    return socket;
  };
  const canary = new HubConnectionBuilder()
    .configureLogging(LogLevel.None)
    .withUrl(`http://127.0.0.1:${port}${HUB}`, {
      accessTokenFactory: () => issuer.token("canary", { lifetime: 80_000 }),
    })
    .build();
  const heard = new Recorder<unknown>();
  canary.on("said", heard.push);
  await canary.start();
  await canary.invoke("Join");

  const target: Target = {
    port,
    server,
    clock,
    issuer,
    app,
    telemetry,
    entered,
    canary,
    heard,
    strangersToken,
    arrive,
    async enter(protocol = "json") {
      const socket = await arrive();
      await socket.shakeHands(protocol);
      return socket;
    },
    tellRoom: (what) => app.to(room({ room: "one" })).emit("said", what),
  };
  return {
    target,
    async finish() {
      for (const socket of raw) socket.socket.destroy();
      await canary.stop();
      server.closeIdleConnections();
      await until(() => app.connectionCount === 0 && clock.pending.length === 0);
      await app.close();
      await shut(server);
    },
  };
}

async function assertUnharmed({ canary, enter }: Target): Promise<void> {
  expect(canary.state).toBe("Connected");
  expect(await canary.invoke("Echo", "canary")).toBe("canary");
  const newcomer = await enter();
  expect(await newcomer.invoke("1", "Echo", "newcomer")).toMatchObject({ result: "newcomer" });
  newcomer.end();
  await newcomer.closed;
}

/** No connection, no timer, no open socket; every connection that opened has closed once. */
async function assertNothingLeft({ app, clock, server, telemetry }: Target): Promise<void> {
  expect(app.connectionCount).toBe(0);
  expect(clock.pending).toEqual([]);
  const sockets = await new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
  expect(sockets).toBe(0);
  const ids = (name: "connection.opened" | "connection.closed"): readonly string[] =>
    telemetry.items.flatMap((event) => (event.event === name ? [event.connectionId ?? ""] : [])).sort();
  const closed = ids("connection.closed");
  expect(new Set(closed).size).toBe(closed.length);
  for (const id of ids("connection.opened")) expect(closed).toContain(id);
  expect(telemetry.items.filter(({ event }) => event === "application.failed")).toEqual([]);
}
