/** Handshakes that are none. */

import { describe, expect, test } from "vitest";
import { opcodes, type RawWebSocket } from "../support/raw-web-socket.js";
import { underAttack } from "./target.js";

const RS = "\x1e";
const UNREADABLE = "An unexpected error occurred during connection handshake.";
const CANCELED = "Handshake was canceled.";

/** The error in the server's handshake answer and the code it closed with. */
async function refusalOf(socket: RawWebSocket): Promise<readonly [unknown, number]> {
  const { code } = await socket.closeFrame();
  const [answer] = socket.messages.items;
  expect(socket.messages.items).toHaveLength(1);
  socket.end();
  await socket.closed;
  return [answer?.["error"], code];
}

const malformed: readonly (readonly [string, string, string, number])[] = [
  ["a separator alone", RS, UNREADABLE, 4400],
  ["separators alone", RS.repeat(1_000), UNREADABLE, 4400],
  ["no JSON", `hello${RS}`, UNREADABLE, 4400],
  ["half JSON", `{"protocol":"json","vers${RS}`, UNREADABLE, 4400],
  ["an array", `[]${RS}`, UNREADABLE, 4400],
  ["null", `null${RS}`, UNREADABLE, 4400],
  ["no protocol", `{}${RS}`, UNREADABLE, 4400],
  ["a message instead", `{"type":6}${RS}`, UNREADABLE, 4400],
  ["a call instead", `{"type":1,"target":"Echo","arguments":["x"]}${RS}`, UNREADABLE, 4400],
  ["no version", `{"protocol":"json"}${RS}`, UNREADABLE, 4400],
  ["a version that is text", `{"protocol":"json","version":"1"}${RS}`, UNREADABLE, 4400],
  ["a version that is no whole number", `{"protocol":"json","version":1.5}${RS}`, UNREADABLE, 4400],
  ["a protocol that is no text", `{"protocol":["json"],"version":1}${RS}`, UNREADABLE, 4400],
  ["the protocol twice", `{"protocol":"json","protocol":"messagepack","version":1}${RS}`, UNREADABLE, 4400],
  ["a prototype's name", `{"__proto__":{"protocol":"json"},"version":1}${RS}`, UNREADABLE, 4400],
  [
    "deep nesting",
    `{"protocol":"json","version":1,"x":${"[".repeat(2_000)}${"]".repeat(2_000)}}${RS}`,
    UNREADABLE,
    4400,
  ],
  ["more than 4 KiB", `{"protocol":"json","version":1,"x":"${"x".repeat(5_000)}"}${RS}`, CANCELED, 1009],
  ["more than 4 KiB without an end", "x".repeat(5_000), CANCELED, 1009],
  ["an unknown protocol", `{"protocol":"xml","version":1}${RS}`, "The protocol 'xml' is not supported.", 4406],
  [
    "a protocol named like a prototype's member",
    `{"protocol":"constructor","version":1}${RS}`,
    "The protocol 'constructor' is not supported.",
    4406,
  ],
  [
    "a protocol nobody should find in a log",
    `{"protocol":"<script>alert(1)</script>\\r\\n","version":1}${RS}`,
    "The protocol '?' is not supported.",
    4406,
  ],
  [
    "a version to come",
    `{"protocol":"json","version":3}${RS}`,
    "The server does not support version 3 of the 'json' protocol.",
    4406,
  ],
];

describe("a handshake of", () => {
  test.each(malformed)("%s is refused", (_, text, error, code) =>
    underAttack(async ({ arrive, app }) => {
      const socket = await arrive();
      socket.sendText(text);
      expect(await refusalOf(socket)).toEqual([error, code]);
      expect(app.connectionCount).toBe(1);
    })(),
  );

  test(
    "bytes that are no UTF-8 is refused",
    underAttack(async ({ arrive }) => {
      const socket = await arrive();
      socket.sendBinary(Buffer.from([0x7b, 0xff, 0xfe, 0x7d, 0x1e]));
      expect(await refusalOf(socket)).toEqual([UNREADABLE, 4400]);
    }),
  );

  test(
    "MessagePack is refused: it is JSON in both encodings",
    underAttack(async ({ arrive }) => {
      const socket = await arrive();
      socket.sendBinary(Buffer.from([0x02, 0x91, 0x06, 0x1e]));
      expect(await refusalOf(socket)).toEqual([UNREADABLE, 4400]);
    }),
  );

  test(
    "single bytes in a frame each is understood",
    underAttack(async ({ arrive }) => {
      const socket = await arrive();
      for (const character of `{"protocol":"json","version":1}${RS}`) socket.sendText(character);
      expect(await socket.messages.first()).toEqual({});
      expect(await socket.invoke("1", "Echo", "x")).toMatchObject({ result: "x" });
    }),
  );

  test(
    "the right words with calls behind them in one frame is understood, and the calls are answered",
    underAttack(async ({ arrive }) => {
      const socket = await arrive();
      socket.sendText(
        `{"protocol":"json","version":1}${RS}{"type":1,"invocationId":"1","target":"Echo","arguments":[7]}${RS}`,
      );
      expect(await socket.messages.take(2)).toEqual([{}, { type: 3, invocationId: "1", result: 7 }]);
    }),
  );

  test(
    "the right words twice is a broken message",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      socket.sendText(`{"protocol":"json","version":1}${RS}`);
      expect(await socket.closeFrame()).toEqual({ code: 4400, reason: "bad_request;action=fix-request" });
    }),
  );
});

describe("sockets that never shake hands", () => {
  test(
    "a thousand of them are not connections, and end when their time is up",
    underAttack(async ({ arrive, app, clock, canary, telemetry }) => {
      const sockets = await Promise.all(Array.from({ length: 1_000 }, () => arrive()));
      expect(app.connectionCount).toBe(1);
      // Half of them say something, but never an end.
      for (const [index, socket] of sockets.entries()) if (index % 2 === 0) socket.sendText('{"protocol"');
      expect(await canary.invoke("Echo", "meanwhile")).toBe("meanwhile");
      clock.advance(15_000);
      expect(canary.state).toBe("Connected");
      const closes = await Promise.all(sockets.map((socket) => socket.closeFrame()));
      expect(new Set(closes.map(({ code, reason }) => `${code} ${reason}`))).toEqual(
        new Set(["4408 handshake_timeout;action=retry-after"]),
      );
      expect(new Set(sockets.map(({ messages }) => messages.items[0]?.["error"]))).toEqual(new Set([CANCELED]));
      for (const socket of sockets) socket.end();
      await Promise.all(sockets.map(({ closed }) => closed));
      await telemetry.take(1_000, ({ event }) => event === "connection.closed");
      expect(telemetry.items.filter(({ event }) => event === "connection.opened")).toHaveLength(1);
    }),
  );

  test(
    "pings do not buy them time",
    underAttack(async ({ arrive, clock }) => {
      const socket = await arrive();
      clock.advance(14_000);
      socket.sendFrame({ opcode: opcodes.ping });
      await socket.frames.first(({ opcode }) => opcode === opcodes.pong);
      clock.advance(1_000);
      expect((await socket.closeFrame()).code).toBe(4408);
    }),
  );
});
