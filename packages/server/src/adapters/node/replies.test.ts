/** Replies that are given later or piece by piece, and bodies that are read when they are wanted, on real sockets. */

import { Agent, createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BodyRead, HttpAnswer, ReplyChannel, ReplyListener, RequestBody } from "../../core/http.js";
import { dial } from "../../../../../tests/support/raw-web-socket.js";
import { Recorder } from "../../../../../tests/support/recorder.js";
import { ask, listen, shut } from "../../../../../tests/support/server.js";
import { until } from "../../../../../tests/support/until.js";
import { attach } from "./attach.js";

let server: Server;
let port: number;

beforeEach(async () => {
  server = createServer();
  port = await listen(server);
});
afterEach(() => shut(server));

function answering(answer: (body: RequestBody) => HttpAnswer | Promise<HttpAnswer>): void {
  attach(server, {
    endpoint: {
      owns: (path) => path === "/hub",
      request: async (_request, body) => answer(body),
      upgrade: () => Promise.resolve({ accepted: false, reply: { status: 404, headers: {}, body: "" } }),
    },
  });
}

interface Held {
  readonly channel: ReplyChannel;
  readonly heard: string[];
}

/** Defers every reply, and hands over its channel. */
function deferring(headers: Readonly<Record<string, string>> = {}): Recorder<Held> {
  const held = new Recorder<Held>();
  answering(() => ({
    headers,
    open(channel): ReplyListener {
      const heard: string[] = [];
      held.push({ channel, heard });
      return { drained: () => void heard.push("drained"), closed: () => void heard.push("closed") };
    },
  }));
  return held;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Asks on one HTTP connection; hands over the response with its head. */
function begin(agent: Agent | false = false): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", port, path: "/hub", agent }, resolve);
    sent.on("error", reject);
    sent.end();
  });
}

describe("a deferred reply", () => {
  test("is given later, whole, with the headers of both who gives it and who let it in", async () => {
    const held = deferring({ vary: "Origin" });
    const asked = ask(port, { path: "/hub" });
    const { channel, heard } = await held.first();
    expect(heard).toEqual([]);
    channel.reply(200, { "content-type": "application/octet-stream" }, bytes("late"));
    channel.reply(204, {});
    expect(await asked).toMatchObject({
      status: 200,
      body: "late",
      headers: { vary: "Origin", "content-type": "application/octet-stream", "content-length": "4" },
    });
    await until(() => heard.length > 0);
    expect(heard).toEqual(["closed"]);
  });

  test("without content has no length, and its HTTP connection is used again", async () => {
    const held = deferring();
    let connections = 0;
    server.on("connection", () => connections++);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let times = 0; times < 3; times++) {
      const response = begin(agent);
      const [{ channel } = {}] = (await held.take(times + 1)).slice(-1);
      channel?.reply(204, {});
      const { statusCode, headers } = (await response).resume();
      expect([statusCode, headers["content-length"]]).toEqual([204, undefined]);
      await until(() => held.items[times]?.heard.includes("closed") === true);
    }
    expect(connections).toBe(1);
    agent.destroy();
  });

  test("is told when its client goes away before, and may be given all the same", async () => {
    const held = deferring();
    const socket = await dial(port);
    socket.write("GET /hub HTTP/1.1\r\nhost: x\r\n\r\n");
    const { channel, heard } = await held.first();
    socket.resetAndDestroy();
    await until(() => heard.length > 0);
    channel.reply(200, {}, bytes("nobody"));
    channel.begin(200, {});
    channel.write(bytes("nobody"));
    channel.end();
    channel.reset();
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual(["closed"]);
  });

  test("in pieces goes out piece by piece, and the kernel has each one when write returns", async () => {
    const held = deferring();
    const responding = begin();
    const { channel, heard } = await held.first();
    channel.begin(200, { "content-type": "text/event-stream" });
    channel.write(bytes(":\r\n"));
    expect(channel.queuedBytes).toBe(0);
    const pieces = new Recorder<string>();
    const response = (await responding).setEncoding("utf8").on("data", pieces.push);
    expect(await pieces.first()).toBe(":\r\n");
    channel.write(bytes("more"));
    expect((await pieces.take(2))[1]).toBe("more");
    channel.end();
    await new Promise((resolve) => response.once("end", resolve));
    await until(() => heard.includes("closed"));
    expect(heard.filter((each) => each === "closed")).toEqual(["closed"]);
  });

  test("that nobody reads queues what the kernel does not take, and says when it has", async () => {
    const held = deferring();
    const responding = begin();
    const { channel, heard } = await held.first();
    channel.begin(200, {});
    channel.write(bytes("x"));
    const response = await responding;
    await until(() => heard.length > 0);
    heard.length = 0;
    response.pause();
    channel.write(new Uint8Array(32 * 1024 * 1024));
    expect(channel.queuedBytes).toBeGreaterThan(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([]);
    response.resume();
    await until(() => heard.length > 0);
    expect([heard, channel.queuedBytes]).toEqual([["drained"], 0]);
    channel.end();
  });

  test("that is reset ends with what the kernel still held taken back", async () => {
    const held = deferring();
    const responding = begin();
    const { channel, heard } = await held.first();
    channel.begin(200, {});
    channel.write(bytes("x"));
    const response = await responding;
    response.on("error", () => undefined);
    response.pause();
    channel.write(new Uint8Array(1024 * 1024));
    channel.reset();
    await until(() => heard.includes("closed"));
    response.resume();
    await new Promise((resolve) => response.once("close", resolve));
    expect(response.complete).toBe(false);
  });
});

describe("a body", () => {
  /** Reads up to 10 bytes and answers with what came of it. */
  function reading(): void {
    answering(async (body) => {
      const read = await body.read(10);
      const text = read.kind === "whole" ? new TextDecoder().decode(read.bytes) : read.kind;
      return { status: read.kind === "whole" ? 200 : 413, headers: {}, body: text };
    });
  }

  test.each([
    ["", 200, ""],
    ["ten bytes!", 200, "ten bytes!"],
    ["eleven byte", 413, "too-large"],
    ["x".repeat(200_000), 413, "too-large"],
  ])("of %j is read whole or not at all", async (body, status, answer) => {
    reading();
    for (const headers of [{}, { "transfer-encoding": "chunked" }]) {
      const reply = await ask(port, { method: "POST", path: "/hub", headers, body });
      expect([reply.status, reply.body]).toEqual([status, answer]);
    }
  });

  test("that is broken off is broken, before and while it is read", async () => {
    const reads = new Recorder<BodyRead>();
    const asked = new Recorder<() => void>();
    answering(async (body) => {
      // The first is read at once, the second when its client has gone.
      if (asked.items.length > 0) await new Promise<void>((resolve) => asked.push(resolve));
      else asked.push(() => undefined);
      reads.push(await body.read(10));
      return { status: 200, headers: {}, body: "" };
    });
    for (let times = 1; times <= 2; times++) {
      const socket = await dial(port);
      socket.write("POST /hub HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1234");
      await asked.take(times);
      socket.resetAndDestroy();
      const connections = (): Promise<number> =>
        new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
      while ((await connections()) > 0) await new Promise((resolve) => setImmediate(resolve));
      asked.items[times - 1]?.();
      expect((await reads.take(times))[times - 1]).toEqual({ kind: "broken" });
    }
  });

  test("that nobody waits for any more is given up, and so is its HTTP connection", async () => {
    const bodies = new Recorder<RequestBody>();
    answering(async (body) => {
      bodies.push(body);
      const { kind } = await body.read(10);
      return { status: 408, headers: {}, body: kind };
    });
    const socket = await dial(port);
    let received = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => (received += chunk));
    socket.write("POST /hub HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1");
    (await bodies.first()).abandon();
    await new Promise((resolve) => socket.once("close", resolve));
    expect(received).toMatch(/^HTTP\/1\.1 408 [^]*connection: close[^]*abandoned$/i);
  });
});
