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
const NEWS = '{"type":1,"target":"said","arguments":["news"]}\x1e';
const EXPIRED = '{"type":7,"error":"token_expired;action=refresh","allowReconnect":true}\x1e';

interface SecureHub {
  readonly port: number;
  readonly clock: FakeClock;
  /** Tells everybody. */
  readonly tell: (what: string) => void;
  /** Good for 16 s. */
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
  const hub = app
    .hub<{ said: [what: string] }>(HUB)
    .allow(app.policy("Anybody", () => true))
    .methods(() => ({}));
  const server = createServer({ key, cert: certificate });
  attach(server, app);
  const port = await listen(server);
  onTestFinished(async () => {
    await app.close();
    await shut(server);
  });
  return {
    port,
    clock,
    tell: (what) => hub.toAll().emit("said", what),
    token: await issuer.token("ada", { lifetime: 16 }),
  };
}

/** Says something, and lets the credential end in the turn in which that is written, behind it. */
function endBehindNews({ clock, tell }: SecureHub): void {
  // In one leap, so that no ping has been waiting for its pong meanwhile.
  clock.jump(15_999);
  tell("news");
  setImmediate(() => clock.advance(1));
}

const secure = { host: "127.0.0.1", ca: certificate, servername: "localhost", agent: false } as const;

function send({ port }: SecureHub, options: object, body = ""): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ ...secure, port, ...options }, resolve)
      .on("error", reject)
      .end(body);
  });
}

test("a WebSocket that was told something in the same turn is told that its credential has ended", async () => {
  const hub = await startSecureHub();
  const { port, token } = hub;
  const socket = new WebSocket(`wss://127.0.0.1:${port}${HUB}`, { ...secure, headers: bearer(token) });
  const said = new Recorder<string>();
  socket.on("message", (data: Buffer) => said.push(data.toString()));
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  await new Promise((resolve) => socket.once("open", resolve));
  socket.send(HELLO);
  await said.first();
  endBehindNews(hub);
  expect(await closed).toBe(4401);
  expect(said.items).toEqual(expect.arrayContaining(["{}\x1e", NEWS]));
  expect(said.items.at(-1)).toBe(EXPIRED);
});

test("a stream of events that was told something in the same turn is told that its credential has ended", async () => {
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
  endBehindNews(hub);
  expect(await ended).toBe(true);
  expect(said.items.join("")).toContain(NEWS);
  expect(said.items.join("")).toContain(EXPIRED);
});
