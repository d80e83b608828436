/** WebSocket frames that break the transport's rules, or keep to them without end. RFC 6455. */

import { describe, expect, test } from "vitest";
import { encodeFrame, opcodes } from "../support/raw-web-socket.js";
import { endingOf } from "./ending-of.js";
import { underAttack } from "./target.js";

const echo = (id: string, value: unknown): string =>
  `${JSON.stringify({ type: 1, invocationId: id, target: "Echo", arguments: [value] })}\x1e`;

const broken: readonly (readonly [string, Uint8Array, number])[] = [
  [
    "an unmasked frame",
    encodeFrame({ opcode: opcodes.text, payload: Buffer.from(echo("1", 1)), isMasked: false }),
    1002,
  ],
  ["a reserved bit", Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
  ["a reserved opcode", encodeFrame({ opcode: 5 }), 1002],
  ["a continuation of nothing", encodeFrame({ opcode: opcodes.continuation }), 1002],
  ["a fragmented ping", encodeFrame({ opcode: opcodes.ping, isFinal: false }), 1002],
  ["a ping over 125 bytes", encodeFrame({ opcode: opcodes.ping, payload: Buffer.alloc(126) }), 1002],
  ["a close of one byte", encodeFrame({ opcode: opcodes.close, payload: Buffer.from([3]) }), 1002],
  [
    "a close with a code nobody may send",
    encodeFrame({ opcode: opcodes.close, payload: Buffer.from([0x03, 0xee]) }),
    1002,
  ],
  [
    "a close whose reason is no UTF-8",
    encodeFrame({ opcode: opcodes.close, payload: Buffer.from([0x03, 0xe8, 0xff]) }),
    1007,
  ],
  ["text that is no UTF-8", encodeFrame({ opcode: opcodes.text, payload: Buffer.from([0xff]) }), 1007],
  ["a length of 9 exabytes", Buffer.from([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), 1009],
  ["a length over the limit", Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0]), 1009],
];

describe("a connection ends for", () => {
  test.each(broken)("%s", (_, bytes, code) =>
    underAttack(async ({ enter, entered, telemetry }) => {
      const socket = await enter();
      socket.socket.write(bytes);
      // What comes behind the broken frame is not even looked at.
      socket.sendText(echo("2", "behind"));
      expect((await socket.closeFrame()).code).toBe(code);
      // The hub's own last words come first: a stock client comes back after every close code.
      expect(socket.messages.items).toEqual([{}, { type: 7, error: "protocol_error;action=fix-request" }]);
      socket.end();
      await socket.closed;
      await telemetry.first(({ event }) => event === "connection.closed");
      expect(entered).toEqual([]);
    })(),
  );

  test.each(broken)("%s, also before its handshake", (_, bytes, code) =>
    underAttack(async ({ arrive, telemetry }) => {
      const socket = await arrive();
      socket.socket.write(bytes);
      expect((await socket.closeFrame()).code).toBe(code);
      socket.end();
      await telemetry.first(({ event }) => event === "connection.closed");
    })(),
  );

  test(
    "60,000 fragments of one message",
    underAttack(async ({ enter, entered }) => {
      const socket = await enter();
      const fragment = encodeFrame({ opcode: opcodes.continuation, payload: Buffer.from("x"), isFinal: false });
      socket.sendFrame({ opcode: opcodes.text, payload: Buffer.from('"'), isFinal: false });
      socket.socket.write(Buffer.concat(Array.from({ length: 60_000 }, () => fragment)));
      expect((await socket.closeFrame()).code).toBe(1008);
      socket.end();
      expect(entered).toEqual([]);
    }),
  );

  test(
    "60,000 empty fragments of one message",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      const fragment = encodeFrame({ opcode: opcodes.continuation, isFinal: false });
      socket.sendFrame({ opcode: opcodes.text, isFinal: false });
      socket.socket.write(Buffer.concat(Array.from({ length: 60_000 }, () => fragment)));
      expect((await socket.closeFrame()).code).toBe(1008);
      socket.end();
    }),
  );
});

test(
  "a hundred that break the rules in one moment are all told why",
  underAttack(async ({ enter }) => {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => enter()));
    for (const { socket } of sockets) socket.write(Buffer.from([0xc1, 0x80, 0, 0, 0, 0]));
    const endings = await Promise.all(sockets.map((socket) => endingOf(socket)));
    expect(new Set(endings)).toEqual(new Set(["1002 protocol_error;action=fix-request"]));
    for (const { messages } of sockets) expect(messages.items.at(-1)).toMatchObject({ type: 7 });
  }),
);

describe("a connection survives", () => {
  test(
    "calls cut into frames at every byte",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      for (const byte of Buffer.from(echo("1", "ä𝄞"))) socket.sendBinary(Buffer.from([byte]));
      expect(await socket.messages.first(({ type }) => type === 3)).toMatchObject({ result: "ä𝄞" });
    }),
  );

  test(
    "frames cut into TCP segments at every byte",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      for (const byte of encodeFrame({ opcode: opcodes.text, payload: Buffer.from(echo("1", 1)) })) {
        await new Promise<void>((resolve) => socket.socket.write(Buffer.from([byte]), () => resolve()));
      }
      expect(await socket.messages.first(({ type }) => type === 3)).toMatchObject({ result: 1 });
    }),
  );

  test(
    "empty frames",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      for (let index = 0; index < 5_000; index++) socket.sendFrame({ opcode: opcodes.text });
      expect(await socket.invoke("1", "Echo", 1)).toMatchObject({ result: 1 });
    }),
  );

  test(
    "pongs nobody asked for",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      for (let index = 0; index < 5_000; index++) socket.sendFrame({ opcode: opcodes.pong, payload: Buffer.from("x") });
      expect(await socket.invoke("1", "Echo", 1)).toMatchObject({ result: 1 });
    }),
  );
});

describe("others survive", () => {
  test(
    "a flood of pings from somebody who reads",
    underAttack(async ({ enter, canary }) => {
      const socket = await enter();
      const ping = encodeFrame({ opcode: opcodes.ping, payload: Buffer.alloc(125, 0x78) });
      for (let burst = 0; burst < 20; burst++) {
        socket.socket.write(Buffer.concat(Array.from({ length: 500 }, () => ping)));
        expect(await canary.invoke("Echo", burst)).toBe(burst);
      }
    }),
  );

  test(
    "a flood of pings from somebody who does not read",
    underAttack(async ({ enter, canary }) => {
      const socket = await enter();
      socket.socket.pause();
      const ping = encodeFrame({ opcode: opcodes.ping, payload: Buffer.alloc(125, 0x78) });
      for (let burst = 0; burst < 30; burst++) {
        if (!socket.socket.destroyed) socket.socket.write(Buffer.concat(Array.from({ length: 1_000 }, () => ping)));
        expect(await canary.invoke("Echo", burst)).toBe(burst);
      }
    }),
  );

  test(
    "half a frame, and then nothing ever again",
    underAttack(async ({ enter, clock, canary, telemetry }) => {
      const socket = await enter();
      const whole = encodeFrame({ opcode: opcodes.text, payload: Buffer.from(echo("1", 1)) });
      socket.socket.write(whole.subarray(0, whole.length - 1));
      expect(await canary.invoke("Echo", 1)).toBe(1);
      clock.advance(20_000);
      expect(await canary.invoke("Echo", 2)).toBe(2);
      clock.advance(15_000);
      const ended = await telemetry.first(({ event }) => event === "connection.closed");
      expect(ended).toMatchObject({ reason: "heartbeat_timeout" });
      await socket.closed;
      expect(canary.state).toBe("Connected");
    }),
  );

  test(
    "a peer that resets in the middle of a frame, of a call and of an answer",
    underAttack(async ({ enter, telemetry }) => {
      for (const text of [echo("1", 1).slice(0, 20), echo("1", 1), echo("1", "x".repeat(20_000))]) {
        const socket = await enter();
        const whole = encodeFrame({ opcode: opcodes.text, payload: Buffer.from(text) });
        socket.socket.write(whole.subarray(0, whole.length - 3));
        socket.socket.resetAndDestroy();
        const again = await enter();
        again.sendText(text);
        again.socket.resetAndDestroy();
      }
      await telemetry.take(6, ({ event }) => event === "connection.closed");
    }),
  );
});
