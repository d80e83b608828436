/** Long polling and Server-Sent Events in hostile hands. */

import { Agent, request as httpRequest } from "node:http";
import { describe, expect, test } from "vitest";
import { dial } from "../support/raw-web-socket.js";
import { ask, bearer, type PlainReply } from "../support/server.js";
import { until } from "../support/until.js";
import { statusesOf } from "./send-raw.js";
import { HUB, underAttack, type Target } from "./target.js";

const HELLO = '{"protocol":"json","version":1}\x1e';

interface Attacker {
  readonly token: string;
  readonly path: string;
  send(method: string, body?: string): Promise<PlainReply>;
}

/** Somebody who has negotiated. */
async function negotiate(target: Target): Promise<Attacker> {
  const token = await target.strangersToken();
  const { body } = await ask(target.port, {
    method: "POST",
    path: `${HUB}/negotiate?negotiateVersion=1`,
    headers: bearer(token),
  });
  const path = `${HUB}?id=${(JSON.parse(body) as { connectionToken: string }).connectionToken}`;
  return {
    token,
    path,
    send: (method, content = "") => ask(target.port, { method, path, headers: bearer(token), body: content }),
  };
}

/** Somebody with an open long-polling connection. */
async function enterPolling(target: Target): Promise<Attacker> {
  const attacker = await negotiate(target);
  await attacker.send("GET");
  await attacker.send("POST", HELLO);
  expect((await attacker.send("GET")).body).toBe("{}\x1e");
  return attacker;
}

/** A POST by hand, up to the end of its head. Tells what came back when the server ends the connection. */
async function beginPost({ port }: Target, { token, path }: Attacker, ...headers: readonly string[]) {
  const socket = await dial(port);
  let received = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (received += chunk));
  socket.on("error", () => undefined);
  const answered = new Promise<string>((resolve) => socket.on("close", () => resolve(received)));
  const head = [`POST ${path} HTTP/1.1`, "host: x", `authorization: Bearer ${token}`, ...headers];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  return { socket, answered };
}

const reasonsOf = ({ telemetry }: Target): readonly unknown[] =>
  telemetry.items.flatMap((event) => (event.event === "connection.closed" ? [event.reason] : []));

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

async function beginsToRead(target: Target): Promise<void> {
  // The inbox is watched from then on: the heartbeat of the transports has a timer beside that of the connections.
  await until(() => target.clock.pending.length > 0);
  await turns(20);
}

describe("a send", () => {
  test.each([
    ["of a body that comes drop by drop", "content-length: 100", "x"],
    ["of chunks that never end", "transfer-encoding: chunked", "1\r\nx\r\n"],
    ["of a body that never comes", "content-length: 100", ""],
  ])("%s is given up after 10 s, and its connection goes on", (_, header, drop) =>
    underAttack(async (target) => {
      const attacker = await enterPolling(target);
      const { socket, answered } = await beginPost(target, attacker, header);
      await beginsToRead(target);
      for (let second = 0; second < 11; second++) {
        socket.write(drop);
        await turns(5);
        target.clock.advance(1_000);
      }
      expect(statusesOf(await answered)).toEqual(["408"]);
      expect((await attacker.send("POST", '{"type":6}\x1e')).status).toBe(200);
      expect((await attacker.send("DELETE")).status).toBe(202);
    })(),
  );

  test(
    "that says it is too long is answered before a byte of it is read",
    underAttack(async (target) => {
      const attacker = await enterPolling(target);
      const { answered } = await beginPost(target, attacker, "content-length: 999999999999");
      expect(statusesOf(await answered)).toEqual(["413"]);
      await attacker.send("DELETE");
    }),
  );

  test(
    "in chunks without end is cut off at the cap",
    underAttack(async (target) => {
      const attacker = await enterPolling(target);
      const { socket, answered } = await beginPost(target, attacker, "transfer-encoding: chunked");
      const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
      let written = 0;
      socket.on("drain", () => undefined);
      while (!socket.destroyed && written < 64 * 1024 * 1024) {
        written += chunk.length;
        if (!socket.write(chunk)) {
          await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), answered]);
        }
      }
      const statuses = statusesOf(await answered);
      // A peer that never stops to write may be reset before it reads the answer.
      expect(["413", undefined]).toContain(statuses[0]);
      // What the kernels hold comes on top of the 1 MiB that was read.
      expect(written).toBeLessThan(32 * 1024 * 1024);
      expect((await attacker.send("POST", '{"type":6}\x1e')).status).toBe(200);
      await attacker.send("DELETE");
    }),
  );

  test(
    "that is broken off in the middle leaves nothing behind, and what follows is not taken for its rest",
    underAttack(async (target) => {
      const attacker = await enterPolling(target);
      for (let times = 0; times < 20; times++) {
        const { socket, answered } = await beginPost(target, attacker, "content-length: 1000");
        socket.write('{"type":1,"target":"Echo","argum');
        await turns(2);
        socket.resetAndDestroy();
        await answered;
      }
      await attacker.send("POST", '{"type":1,"invocationId":"1","target":"Echo","arguments":["whole"]}\x1e');
      expect((await attacker.send("GET")).body).toContain("whole");
      expect(target.entered.map(({ args }) => args[0])).toEqual(["whole"]);
      await attacker.send("DELETE");
    }),
  );

  test.each([
    ["no JSON", "not json\x1e", "bad_request"],
    ["bytes of any kind", "\u0000\u00ff\u001e\u001e\u001e", "bad_request"],
    [
      "a message over the limit",
      `{"type":1,"target":"Echo","arguments":["${"x".repeat(40_000)}"]}\x1e`,
      "message_too_big",
    ],
    ["a depth beyond all sense", `${"[".repeat(10_000)}\x1e`, "too_deep"],
  ])("of %s ends its connection, which is told why", (_, garbage, reason) =>
    underAttack(async (target) => {
      const attacker = await enterPolling(target);
      expect((await attacker.send("POST", garbage)).status).toBe(200);
      const { body } = await attacker.send("GET");
      expect(body).toMatch(/^\{"type":7,"error":"[a-z_]+;action=fix-request"\}\x1e$/);
      expect((await attacker.send("GET")).status).toBe(204);
      await until(() => reasonsOf(target).length > 0);
      expect([reasonsOf(target), (await attacker.send("GET")).status]).toEqual([[expect.any(String)], 404]);
      expect(String(reasonsOf(target)[0])).toMatch(new RegExp(`^(${reason}|bad_request)$`));
      expect(target.entered).toEqual([]);
    })(),
  );

  test(
    "behind 64 that wait is turned away, and those that wait are taken once each",
    underAttack(
      async (target) => {
        const attacker = await enterPolling(target);
        const held = await beginPost(target, attacker, "content-length: 11", "connection: close");
        await beginsToRead(target);
        const echo = (index: number): string => `{"type":1,"target":"Echo","arguments":[${index}]}\x1e`;
        const replies: Promise<PlainReply>[] = [];
        for (let index = 0; index < 80; index++) {
          replies.push(attacker.send("POST", echo(index)));
          await turns(3);
        }
        const crowded = await Promise.all(replies.slice(70));
        expect(new Set(crowded.map(({ status }) => status))).toEqual(new Set([429]));
        held.socket.write('{"type":6}\x1e');
        expect(statusesOf(await held.answered)).toEqual(["200"]);
        const statuses = (await Promise.all(replies)).map(({ status }) => status);
        const taken = statuses.flatMap((status, index) => (status === 200 ? [index] : []));
        expect(taken).toHaveLength(63);
        expect(target.entered.map(({ args }) => args[0]).sort((a, b) => Number(a) - Number(b))).toEqual(taken);
        await attacker.send("DELETE");
      },
      { limits: false },
    ),
  );

  test(
    "before the first poll is not kept",
    underAttack(async (target) => {
      const attacker = await negotiate(target);
      for (let times = 0; times < 50; times++) {
        expect((await attacker.send("POST", "x".repeat(100_000))).status).toBe(400);
      }
      expect((await attacker.send("GET")).status).toBe(200);
      await attacker.send("DELETE");
    }),
  );

  test(
    "that asks whether it may is told so, or why not",
    underAttack(async (target) => {
      const attacker = await enterPolling(target);
      target.server.on("checkContinue", () => undefined);
      const asking = ["expect: 100-continue", "connection: close"];
      const { socket, answered } = await beginPost(target, attacker, "content-length: 11", ...asking);
      await new Promise((resolve) => socket.once("data", resolve));
      socket.write('{"type":6}\x1e');
      expect(statusesOf(await answered)).toEqual(["100", "200"]);
      const refused = await beginPost(target, attacker, "content-length: 99999999", ...asking);
      expect(statusesOf(await refused.answered)).toEqual(["413"]);
      await attacker.send("DELETE");
    }),
  );
});

describe("polls", () => {
  test(
    "ten thousand in a row overtake each other, and the last one hears the news",
    underAttack(async (target) => {
      const attacker = await enterPolling(target);
      await attacker.send("POST", '{"type":1,"target":"Join","arguments":[]}\x1e');
      const agent = new Agent({ keepAlive: true });
      const poll = (): Promise<{ status: number; body: string }> =>
        new Promise((resolve, reject) => {
          const sent = httpRequest(
            { host: "127.0.0.1", port: target.port, path: attacker.path, headers: bearer(attacker.token), agent },
            (response) => {
              let body = "";
              response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
              response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
            },
          );
          sent.on("error", reject);
          sent.end();
        });
      let last = poll();
      for (let times = 0; times < 10_000; times++) {
        const next = poll();
        expect((await last).status).toBe(204);
        last = next;
      }
      target.tellRoom("news");
      expect(await last).toMatchObject({ status: 200, body: expect.stringContaining("news") as string });
      agent.destroy();
      await attacker.send("DELETE");
    }),
    60_000,
  );

  test(
    "two hundred at once leave one that waits",
    underAttack(async (target) => {
      const attacker = await enterPolling(target);
      await attacker.send("POST", '{"type":1,"target":"Join","arguments":[]}\x1e');
      let overtaken = 0;
      const replies = Array.from({ length: 200 }, async () => {
        const reply = await attacker.send("GET");
        if (reply.status === 204) overtaken++;
        return reply;
      });
      await until(() => overtaken === 199);
      target.tellRoom("news");
      const told = (await Promise.all(replies)).filter(({ status }) => status === 200);
      expect(told.map(({ body }) => body.includes("news"))).toEqual([true]);
      await attacker.send("DELETE");
    }),
  );

  test(
    "that are cut off as soon as they begin cost nothing and lose the connection nothing",
    underAttack(async (target) => {
      const attacker = await enterPolling(target);
      for (let times = 0; times < 100; times++) {
        const socket = await dial(target.port);
        socket.on("error", () => undefined);
        socket.write(`GET ${attacker.path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${attacker.token}\r\n\r\n`);
        await turns(2);
        socket.resetAndDestroy();
      }
      await turns(20);
      await attacker.send("POST", '{"type":1,"invocationId":"1","target":"Echo","arguments":["still here"]}\x1e');
      expect((await attacker.send("GET")).body).toContain("still here");
      await attacker.send("DELETE");
    }),
  );

  test(
    "that never come again end the connection after 15 s, whatever is said to it meanwhile",
    underAttack(async (target) => {
      const attacker = await enterPolling(target);
      await attacker.send("POST", '{"type":1,"target":"Join","arguments":[]}\x1e');
      for (let second = 0; second < 15; second++) {
        target.tellRoom("x".repeat(10_000));
        await turns(2);
        target.clock.advance(1_000);
      }
      await until(() => reasonsOf(target).length === 1);
      expect((await attacker.send("GET")).status).toBe(404);
    }),
  );

  test(
    "that do not come fast enough make a slow consumer, and what was kept for it is gone",
    underAttack(
      async (target) => {
        const attacker = await enterPolling(target);
        await attacker.send("POST", '{"type":1,"target":"Join","arguments":[]}\x1e');
        for (let times = 0; times < 40; times++) {
          target.tellRoom("x".repeat(10_000));
          await turns(1);
        }
        await until(() => reasonsOf(target).length === 1);
        expect(reasonsOf(target)).toEqual(["slow_consumer"]);
        expect((await attacker.send("GET")).status).toBe(404);
      },
      { outbox: { maxBytes: 256 * 1024 } },
    ),
  );
});

describe("a stream of events", () => {
  test(
    "that nobody reads is cut off when the kernels are full, and a neighbour in the same group misses nothing",
    underAttack(async (target) => {
      const attacker = await negotiate(target);
      const socket = await dial(target.port);
      socket.on("error", () => undefined);
      socket.write(
        `GET ${attacker.path} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nauthorization: Bearer ${attacker.token}\r\n\r\n`,
      );
      await new Promise((resolve) => socket.once("data", resolve));
      await attacker.send("POST", `${HELLO}{"type":1,"target":"Join","arguments":[]}\x1e`);
      socket.pause();
      let said = 0;
      while (reasonsOf(target).length === 0 && said < 4_000) {
        target.tellRoom("x".repeat(8_000));
        said++;
        await turns(1);
      }
      expect(reasonsOf(target)).toEqual(["slow_consumer"]);
      expect(await target.heard.take(said)).toHaveLength(said);
      socket.destroy();
    }),
    30_000,
  );

  test(
    "that begin and are cut off at once leave nothing behind",
    underAttack(async (target) => {
      for (let times = 0; times < 50; times++) {
        const attacker = await negotiate(target);
        const socket = await dial(target.port);
        socket.on("error", () => undefined);
        socket.write(
          `GET ${attacker.path} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nauthorization: Bearer ${attacker.token}\r\n\r\n`,
        );
        if (times % 2 === 0) await new Promise((resolve) => socket.once("data", resolve));
        socket.resetAndDestroy();
      }
    }),
  );
});
