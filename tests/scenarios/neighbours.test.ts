/** An application beside whatever else lives on its server. */

import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { promisify } from "node:util";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { hubward, type App, type Principal } from "@hubward/server";
import { attach } from "@hubward/server/node";
import { expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import { openWebSocket, upgrade } from "../support/raw-web-socket.js";
import { outcomeOf, runApp } from "../support/running-app.js";
import { ask, bearer, listen, shut } from "../support/server.js";
import { createIssuer } from "../support/tokens.js";

const clock = { now: () => Date.now() as ReturnType<Parameters<typeof createIssuer>[0]["now"]> };

function createApp(path: string, authenticator: Parameters<typeof hubward>[0]["authenticator"]): App<Principal> {
  const app = hubward({ authenticator, principal: () => ({}), telemetry: () => undefined });
  const anyone = app.policy("Anyone", () => true);
  app
    .hub(path)
    .allow(anyone)
    .methods((m) => ({ Where: m.handle(() => path) }));
  return app;
}

test("a plain WebSocket server on another path works beside the hub, mounted before or after it", async () => {
  for (const order of ["before", "after"]) {
    const { server, port, connect } = await runApp(
      () => ({}),
      (app) => {
        const anyone = app.policy("Anyone", () => true);
        app
          .hub("/hub")
          .allow(anyone)
          .methods((m) => ({ Where: m.handle(() => "hub") }));
      },
    );
    const others = new WebSocketServer({ server, path: `/others-${order}` });
    others.on("connection", (ws) => ws.on("message", (message) => ws.send(`others heard ${String(message)}`)));
    const { connection } = await connect("/hub", "ada");
    expect(await connection.invoke("Where")).toBe("hub");
    const socket = await openWebSocket({ port, path: `/others-${order}` });
    socket.sendText("hello");
    expect((await socket.frames.first()).payload.toString()).toBe("others heard hello");
    // What neither of them knows is the other's to refuse, who is a listener like any other.
    expect(await upgrade({ port, path: "/nobodys" })).toMatchObject({ isOpen: false, status: 400 });
    expect(await connection.invoke("Where")).toBe("hub");
    socket.end();
    others.close();
  }
});

test("an upgrade that nobody could want is a 404, and so is a request", async () => {
  const { port } = await runApp(
    () => ({}),
    (app) => {
      const anyone = app.policy("Anyone", () => true);
      app
        .hub("/hub")
        .allow(anyone)
        .methods((m) => ({ Where: m.handle(() => "hub") }));
    },
    { listener: undefined },
  );
  expect(await upgrade({ port, path: "/nobodys" })).toMatchObject({ isOpen: false, status: 404 });
  expect((await ask(port, { path: "/nobodys" })).status).toBe(404);
});

test("two applications share a server, each with its own paths, and one of them may leave", async () => {
  const issuer = await createIssuer(clock);
  const first = createApp("/first", issuer.authenticator);
  const second = createApp("/second", issuer.authenticator);
  const server = createServer((_request, response) => response.end("an ordinary answer"));
  const attachment = attach(server, first);
  attach(server, second);
  const port = await listen(server);
  onTestFinished(() => shut(server));
  const open = async (path: string): Promise<string> => {
    const accessTokenFactory = (): Promise<string> => issuer.token("ada");
    const connection = new HubConnectionBuilder()
      .configureLogging(LogLevel.None)
      .withUrl(`http://127.0.0.1:${port}${path}`, { accessTokenFactory })
      .build();
    onTestFinished(() => connection.stop());
    return outcomeOf(connection.start().then(() => connection.invoke("Where")));
  };
  expect(await open("/first")).toBe('"/first"');
  expect(await open("/second")).toBe('"/second"');
  attachment.detach();
  expect(await open("/first")).not.toBe('"/first"');
  expect((await ask(port, { path: "/first" })).body).toBe("an ordinary answer");
  expect(await open("/second")).toBe('"/second"');
  // Whoever was there stays until the application itself ends.
  expect(first.connectionCount).toBe(1);
  await first.close();
  expect(first.connectionCount).toBe(0);
  expect(second.connectionCount).toBe(2);
  await second.close();
});

test("ordinary requests keep their credentials, and those of the hub's never come by", async () => {
  const issuer = await createIssuer(clock);
  const app = createApp("/hub", issuer.authenticator);
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization}`);
    response.end();
  });
  attach(server, app);
  const port = await listen(server);
  onTestFinished(() => shut(server));
  await ask(port, { path: "/ordinary?access_token=kept", headers: bearer("kept") });
  await ask(port, { method: "POST", path: "/hub/negotiate?access_token=gone", headers: bearer("gone") });
  expect(seen).toEqual(["/ordinary?access_token=kept Bearer kept"]);
});

test("curl may ask for HTTP/2: it is answered in HTTP/1.1, by the hub and by its neighbours", async () => {
  const issuer = await createIssuer(clock);
  const app = createApp("/hub", issuer.authenticator);
  const server = createServer((request, response) => response.end(`${request.headers.upgrade} ${request.url}`));
  attach(server, app);
  const port = await listen(server);
  onTestFinished(() => shut(server));
  const curl = async (path: string, ...options: readonly string[]): Promise<string> => {
    const url = `http://127.0.0.1:${port}${path}`;
    const { stdout } = await promisify(execFile)("curl", ["-sS", "-m", "10", "-i", "--http2", ...options, url]);
    return stdout;
  };
  expect(await curl("/ordinary")).toMatch(/^HTTP\/1\.1 200 OK[^]*\r\n\r\nh2c \/ordinary$/);
  const authorization = `authorization: Bearer ${await issuer.token("ada")}`;
  const negotiated = await curl("/hub/negotiate?negotiateVersion=1", "-X", "POST", "-H", authorization);
  expect(negotiated).toMatch(/^HTTP\/1\.1 200 OK[^]*"connectionToken":/);
  expect(await curl("/hub/negotiate", "-X", "POST")).toMatch(/^HTTP\/1\.1 401 /);
  expect(await curl("/hub?id=unknown", "-H", authorization)).toMatch(/^HTTP\/1\.1 404 /);
});
