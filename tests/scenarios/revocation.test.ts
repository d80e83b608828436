/** Revocation over real sockets: stock clients on every transport, peers that do not read, and two lives of a process. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createPlainServer, request as plainRequest, type IncomingMessage } from "node:http";
import { createServer as createSecureServer, request as secureRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { HttpTransportType, HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import { hubward } from "@hubward/server";
import { attach } from "@hubward/server/node";
import { createSqliteRevocationLog, openDatabase } from "@hubward/sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { certificate, key } from "../support/certificate.js";
import { createFakeClock } from "../support/fake-clock.js";
import { encodeFrame, opcodes } from "../support/raw-web-socket.js";
import { outcomeOf, runApp, type RunOptions } from "../support/running-app.js";
import { bearer, listen, shut } from "../support/server.js";
import { createIssuer } from "../support/tokens.js";

const HUB = "/hubs/ward";
const HELLO = '{"protocol":"json","version":1}\x1e';

const runWard = (options?: RunOptions) =>
  runApp(
    () => ({ roles: [] }),
    (app) => {
      const anyone = app.policy("Anyone", () => true);
      app
        .hub(HUB)
        .allow(anyone)
        .methods((m) => ({ Hi: m.handle(({ principal }) => principal.subject) }));
    },
    options,
  );

describe.each([
  ["WebSockets", HttpTransportType.WebSockets],
  ["server-sent events", HttpTransportType.ServerSentEvents],
  ["long polling", HttpTransportType.LongPolling],
] as const)("a stock client over %s", (_, transport) => {
  test("hears why it ended, stays away, and its neighbours get every event", async () => {
    const ward = await runWard();
    const enter = async (
      subject: string,
    ): Promise<{ connection: HubConnection; news: number[]; ended: Promise<string> }> => {
      const accessTokenFactory = () => ward.issuer.token(subject, { claims: { sid: `s-${subject}` } });
      const connection = new HubConnectionBuilder()
        .configureLogging(LogLevel.None)
        .withUrl(`http://127.0.0.1:${ward.port}${HUB}`, { accessTokenFactory, transport })
        .withAutomaticReconnect([0, 0, 0])
        .build();
      onTestFinished(() => connection.stop());
      const news: number[] = [];
      connection.on("news", (number: number) => news.push(number));
      const ended = new Promise<string>((resolve) => connection.onclose((error) => resolve(error?.message ?? "")));
      await connection.start();
      return { connection, news, ended };
    };
    const [ada, bob] = [await enter("ada"), await enter("bob")];
    ward.app.toAll().emit("news", 1);
    expect(await ada.connection.invoke("Hi")).toBe("ada");
    const receipt = ward.app.revoke({ session: "s-ada" });
    ward.app.toAll().emit("news", 2);
    expect(await ada.ended).toContain("session_revoked;action=relogin");
    expect(await receipt).toMatchObject({ number: 1, matched: 1, stillClosing: 0 });
    ward.app.toAll().emit("news", 3);
    expect(await bob.connection.invoke("Hi")).toBe("bob");
    expect([ada.news, bob.news]).toEqual([[1], [1, 2, 3]]);
    expect(await outcomeOf(ada.connection.start())).toContain("session_revoked;action=relogin");
  });
});

const FRAME_BYTES = 16_384;
/** 1 MiB; a peer that cannot confirm what it read is handed as much as the kernels take: there, 16 MiB. */
const floods = { webSocket: 64, stream: 1_000, poll: 64 } as const;

/** A hub over TCP or TLS, and peers that have shaken hands and stopped reading. */
async function runFlooded(isSecure: boolean) {
  const clock = createFakeClock();
  const issuer = await createIssuer(clock);
  const app = hubward({
    authenticator: issuer.authenticator,
    principal: () => ({}),
    telemetry: () => undefined,
    clock,
    outbox: { maxBytes: 2 * 1_000 * FRAME_BYTES },
  });
  const anyone = app.policy("Anyone", () => true);
  const hub = app
    .hub<{ flood: [number: number, filling: string]; late: [] }>(HUB)
    .allow(anyone)
    .methods(() => ({}));
  const server = isSecure ? createSecureServer({ key, cert: certificate }) : createPlainServer();
  attach(server, app);
  const port = await listen(server);
  onTestFinished(async () => {
    await app.close();
    await shut(server);
  });
  const token = await issuer.token("ada", { claims: { sid: "s-ada" } });
  const target = { host: "127.0.0.1", port, ca: certificate, servername: "localhost", agent: false } as const;
  const ask = isSecure ? secureRequest : plainRequest;

  function send(options: object, body = ""): Promise<IncomingMessage> {
    return new Promise(
      (resolve, reject) =>
        void ask({ ...target, ...options }, resolve)
          .on("error", reject)
          .end(body),
    );
  }
  const read = async (response: IncomingMessage): Promise<string> => (await response.toArray()).join("");

  async function negotiate(): Promise<{ readonly path: string; readonly headers: Record<string, string> }> {
    const asked = { method: "POST", path: `${HUB}/negotiate?negotiateVersion=1`, headers: bearer(token) };
    const body = JSON.parse(await read(await send(asked))) as { connectionToken: string; accessToken: string };
    return { path: `${HUB}?id=${body.connectionToken}`, headers: { ...bearer(body.accessToken) } };
  }

  return {
    app,
    send,
    read,
    negotiate,
    flood(count: number) {
      for (let number = 0; number < count; number++) hub.toAll().emit("flood", number, "x".repeat(FRAME_BYTES));
    },
    late: () => hub.toAll().emit("late"),
    async webSocket(): Promise<Duplex> {
      const headers = {
        ...bearer(token),
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
      };
      const socket = await new Promise<Duplex>((resolve, reject) => {
        const upgrade = ask({ ...target, path: HUB, headers }, () => reject(new Error("refused")));
        upgrade.on("error", reject);
        upgrade.on("upgrade", (_response, open) => resolve(open));
        upgrade.end();
      });
      socket.write(encodeFrame({ opcode: opcodes.text, payload: Buffer.from(HELLO) }));
      await new Promise((resolve) => socket.once("data", resolve));
      socket.pause();
      return socket;
    },
    async stream(): Promise<Duplex | IncomingMessage> {
      const { path, headers } = await negotiate();
      const stream = await send({ path, headers: { ...headers, accept: "text/event-stream" } });
      const heard = new Promise((resolve) => stream.once("data", resolve));
      await send({ method: "POST", path, headers }, HELLO);
      await heard;
      stream.pause();
      return stream;
    },
  };
}

/** Reads a paused peer to its end, whichever way that comes; listens from now on. */
function reader(stream: Duplex | IncomingMessage): () => Promise<string> {
  let heard = "";
  const closed = new Promise<void>((resolve) => stream.on("close", resolve));
  stream.on("error", () => undefined);
  return async () => {
    stream.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
    stream.resume();
    await closed;
    return heard;
  };
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe.each([
  ["TCP", false],
  ["TLS", true],
])("with more queued than fits for a peer that does not read, over %s", (_, isSecure) => {
  test.each(["webSocket", "stream"] as const)("nothing is handed over after the gate (%s)", async (kind) => {
    const ward = await runFlooded(isSecure);
    const readToEnd = reader(await ward[kind]());
    ward.flood(floods[kind]);
    await turns(20);
    const receipt = ward.app.revoke({ session: "s-ada" });
    ward.late();
    await turns(20);
    ward.late();
    const heard = await readToEnd();
    expect(await receipt).toMatchObject({ matched: 1, stillClosing: 0 });
    expect(heard).not.toContain("late");
    // What the kernels held already may still be read; the rest never is.
    expect(heard.split('"flood"').length - 1).toBeLessThan(floods[kind]);
  });

  test("the next poll brings the reason alone", async () => {
    const ward = await runFlooded(isSecure);
    const { path, headers } = await ward.negotiate();
    await ward.send({ path, headers });
    await ward.send({ method: "POST", path, headers }, HELLO);
    expect(await ward.read(await ward.send({ path, headers }))).toBe("{}\x1e");
    ward.flood(floods.poll);
    await turns(5);
    const receipt = ward.app.revoke({ session: "s-ada" });
    ward.late();
    const last = await ward.read(await ward.send({ path, headers }));
    expect(last).toBe('{"type":7,"error":"session_revoked;action=relogin"}\x1e');
    await ward.send({ path, headers });
    expect((await ward.send({ path, headers })).statusCode).toBe(404);
    expect(await receipt).toMatchObject({ matched: 1, stillClosing: 0 });
  });
});

test("a process that starts again knows whom the one before shut out, and keeps nobody else waiting", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hubward-revoked-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "hubward.db");

  const live = async () => {
    const database = await openDatabase({ path });
    const ward = await runWard({ revocations: createSqliteRevocationLog({ database }) });
    await ward.app.ready();
    return { ...ward, database };
  };
  const first = await live();
  const ada = await first.connect(HUB, "ada", { claims: { sid: "s-ada" } });
  const ended = new Promise<string>((resolve) => ada.connection.onclose((error) => resolve(error?.message ?? "")));
  expect(await first.app.revoke({ session: "s-ada" })).toMatchObject({ number: 1, matched: 1 });
  expect(await ended).toContain("session_revoked");
  await first.app.close();
  // Without a word to the log: as good as killed.
  first.database.close();

  const second = await live();
  onTestFinished(() => second.database.close());
  const again = second.build(HUB, "ada", { claims: { sid: "s-ada" } });
  expect(await outcomeOf(again.connection.start())).toContain("session_revoked;action=relogin");
  await second.connect(HUB, "ada", { claims: { sid: "s-later" } });
  expect(await second.app.revoke({ session: "s-later" })).toMatchObject({ number: 2, matched: 1 });
});
