/** Hubward, Socket.IO and a plain WebSocket server on one HTTP server: each hears its own and nobody else's. */

import { afterAll, beforeAll, expect, test } from "vitest";
import WebSocket from "ws";
import { upgrade } from "../tests/support/raw-web-socket.js";
import { Recorder } from "../tests/support/recorder.js";
import { outcomeOf } from "../tests/support/running-app.js";
import { ask, bearer } from "../tests/support/server.js";
import { holdsJwt, holdsTicket } from "../tests/support/tokens.js";
import { startExample, type Example } from "./support/example.js";

let example: Example;

beforeAll(async () => {
  example = await startExample("examples/beside/main.mjs");
});
afterAll(() => example?.end("SIGKILL"));

/** Socket.IO spoken by hand (Engine.IO protocol 4, Socket.IO protocol 5): what the server says to a namespace connect. */
async function openSocketIO(token: string): Promise<{ readonly heard: Recorder<string>; readonly socket: WebSocket }> {
  const socket = new WebSocket(`ws://127.0.0.1:${example.port}/socket.io/?EIO=4&transport=websocket`);
  const heard = new Recorder<string>();
  socket.on("message", (data: Buffer) => heard.push(data.toString()));
  await heard.first((packet) => packet.startsWith("0{"));
  socket.send(`40${JSON.stringify({ token })}`);
  await heard.first((packet) => packet.startsWith("4"));
  return { heard, socket };
}

function openFeed(token?: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${example.port}/feed`, {
      headers: token === undefined ? {} : bearer(token),
    });
    socket.on("open", () => resolve(socket));
    socket.on("error", reject);
  });
}

test("all three work at the same time, for the same person by the same token", async () => {
  const token = await example.signIn("nina");
  const connection = example.client(token);
  await connection.start();
  const { heard, socket } = await openSocketIO(token);
  const feed = await openFeed(token);
  const fed = new Recorder<string>();
  feed.on("message", (data: Buffer) => fed.push(data.toString()));

  socket.send('421["greet"]');
  expect(await heard.first((packet) => packet.startsWith("43"))).toBe('431["hello nina, from Socket.IO"]');
  feed.send("hello");
  expect(await fed.first()).toBe("the feed heard hello");
  expect(await connection.invoke("Patients", "icu")).toEqual([
    { id: "p1", name: "Grace" },
    { id: "p2", name: "Alan" },
  ]);
  expect(JSON.parse((await ask(example.port, { path: "/me", headers: bearer(token) })).body)).toEqual({
    name: "nina",
    roles: ["nurse"],
  });
  socket.close();
  feed.close();
  await connection.stop();
});

test("all three refuse whom the policy does not allow", async () => {
  const token = await example.signIn("vera");
  expect(await outcomeOf(example.client(token).start())).toContain("forbidden: staff only");
  const { heard, socket } = await openSocketIO(token);
  expect(heard.items.at(-1)).toBe('44{"message":"forbidden: staff only"}');
  socket.close();
  expect(await outcomeOf(openFeed(token))).toContain("403");
  expect(await upgrade({ port: example.port, path: "/feed", headers: bearer(token) })).toMatchObject({
    isOpen: false,
    status: 403,
    body: '{"error":"forbidden: staff only"}',
  });
  expect(await upgrade({ port: example.port, path: "/feed" })).toMatchObject({ isOpen: false, status: 401, body: "" });
});

test("none hears another's upgrades or requests, and what is nobody's is a 404", async () => {
  const { port, output, errors } = example;
  const token = await example.signIn("nina");
  const mark = `/mark-${process.hrtime.bigint()}`;
  await ask(port, { path: mark });
  await output.first((line) => line.endsWith(mark));
  const since = output.items.length;
  const opened = (): number => errors.items.filter((line) => line.includes('"connection.opened"')).length;
  const openedBefore = opened();

  const connection = example.client(token);
  await connection.start();
  const { socket } = await openSocketIO(token);
  const feed = await openFeed(token);
  expect(await upgrade({ port, path: "/elsewhere" })).toMatchObject({ isOpen: false, status: 404 });
  const polling = await ask(port, { path: "/socket.io/?EIO=4&transport=polling" });
  expect([polling.status, polling.body.slice(0, 2)]).toEqual([200, "0{"]);
  const hub = await upgrade({ port, path: `/hubs/ward?access_token=${token}` });
  expect(hub.isOpen).toBe(false);
  await ask(port, { path: `${mark}-end` });
  await output.first((line) => line.endsWith(`${mark}-end`));

  // What the server's own listeners were told, in order: the hub's upgrades and requests are not among it.
  expect(output.items.slice(since)).toEqual([
    "upgrade /socket.io/",
    "socket.io connection",
    "upgrade /feed",
    "feed connection",
    "upgrade /elsewhere",
    "request GET /socket.io/",
    `request GET ${mark}-end`,
  ]);
  expect(opened() - openedBefore).toBe(1);
  const everything = [...output.items, ...errors.items].join("\n");
  expect(everything).not.toContain(token);
  expect([holdsJwt(everything), holdsTicket(everything)]).toEqual([false, false]);

  socket.close();
  feed.close();
  await connection.stop();
});

test("it ends in good order with all three connected", async () => {
  const token = await example.signIn("nina");
  const connection = example.client(token);
  await connection.start();
  const { socket } = await openSocketIO(token);
  const feed = await openFeed(token);
  const ends = [socket, feed].map((one) => new Promise((resolve) => one.on("close", resolve)));
  expect(await example.end("SIGINT")).toBe(0);
  await Promise.all(ends);
  await connection.stop();
});
