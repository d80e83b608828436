/**
 * Over TLS Node learns a turn late what the kernel has taken. A peer that reads everything must not pass for one that
 * does not because something was written to it in the turn in which its credential ends.
 */

import { createServer, request } from "node:https";
import type { IncomingMessage } from "node:http";
import { hubward } from "@hubward/server";
import { attach } from "@hubward/server/node";
import { WebSocket } from "ws";
import { expect, onTestFinished, test } from "vitest";
import { certificate, key } from "../support/certificate.js";
import { createFakeClock, type FakeClock } from "../support/fake-clock.js";
import { Recorder } from "../support/recorder.js";
import { bearer, listen, shut } from "../support/server.js";
import { createIssuer } from "../support/tokens.js";

const HUB = "/hubs/secure";
const HELLO = '{"protocol":"json","version":1}\x1e';
const PING = '{"type":6}\x1e';
const EXPIRED = '{"type":7,"error":"token_expired;action=refresh","allowReconnect":true}\x1e';

interface SecureHub {
  readonly port: number;
  readonly clock: FakeClock;
  /** Good for 16 s: a second longer than the server is silent. */
  readonly token: string;
}

async function startSecureHub(): Promise<SecureHub> {
  const clock = createFakeClock();
  const issuer = await createIssuer(clock);
  const app = hubward({
    authenticator: issuer.authenticator,
    principal: () => ({ roles: [] }),
    telemetry: () => undefined,
    clock,
  });
  app
    .hub(HUB)
    .allow(app.policy("Anybody", () => true))
    .methods(() => ({}));
  const server = createServer({ key, cert: certificate });
  attach(server, app);
  const port = await listen(server);
  onTestFinished(async () => {
    await app.close();
    await shut(server);
  });
  return { port, clock, token: await issuer.token("ada", { lifetime: 16 }) };
}

/** In one leap, so that no ping has been waiting for its pong meanwhile; the last second in one turn. */
function endWithPing(clock: FakeClock): void {
  clock.jump(15_000);
  clock.advance(1_000);
}

const secure = { host: "127.0.0.1", ca: certificate, servername: "localhost", agent: false } as const;

function send({ port }: SecureHub, options: object, body = ""): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ ...secure, port, ...options }, resolve)
      .on("error", reject)
      .end(body);
  });
}

test("a WebSocket that was pinged in the same turn is told that its credential has ended", async () => {
  const { port, clock, token } = await startSecureHub();
  const socket = new WebSocket(`wss://127.0.0.1:${port}${HUB}`, { ...secure, headers: bearer(token) });
  const said = new Recorder<string>();
  socket.on("message", (data: Buffer) => said.push(data.toString()));
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  await new Promise((resolve) => socket.once("open", resolve));
  socket.send(HELLO);
  await said.first();
  let pings = 0;
  socket.on("ping", () => pings++);
  endWithPing(clock);
  expect([await closed, pings]).toEqual([4401, 1]);
  expect(said.items).toEqual(["{}\x1e", EXPIRED]);
});

test("a stream of events that was pinged in the same turn is told that its credential has ended", async () => {
  const hub = await startSecureHub();
  const negotiate = { method: "POST", path: `${HUB}/negotiate?negotiateVersion=1`, headers: bearer(hub.token) };
  const { connectionToken, accessToken } = JSON.parse((await (await send(hub, negotiate)).toArray()).join("")) as {
    readonly connectionToken: string;
    readonly accessToken: string;
  };
  const path = `${HUB}?id=${connectionToken}`;
  const headers = { ...bearer(accessToken), accept: "text/event-stream" };
  const stream = (await send(hub, { path, headers })).setEncoding("utf8");
  const said = new Recorder<string>();
  stream.on("data", said.push);
  const ended = new Promise<boolean>((resolve) => stream.on("close", () => resolve(stream.complete)));
  stream.on("error", () => undefined);
  await send(hub, { method: "POST", path, headers: bearer(accessToken) }, HELLO);
  await said.first((chunk) => chunk.includes("{}"));
  // The server hears a turn later that the answer has left, and would not write a ping before.
  await new Promise((resolve) => setImmediate(resolve));
  endWithPing(hub.clock);
  expect(await ended).toBe(true);
  expect(said.items.join("")).toContain(PING);
  expect(said.items.join("")).toContain(EXPIRED);
});
