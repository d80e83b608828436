/** Peers that will not take an ending for one. */

import { describe, expect, test } from "vitest";
import { encodeFrame, opcodes } from "../support/raw-web-socket.js";
import { until } from "../support/until.js";
import { underAttack } from "./target.js";

const echo = (value: unknown): string =>
  `${JSON.stringify({ type: 1, invocationId: "1", target: "Echo", arguments: [value] })}\x1e`;

describe("a peer that is told to go", () => {
  test(
    "and keeps calling is not heard, and reset in the end",
    underAttack(async ({ enter, entered }) => {
      const socket = await enter();
      // Everything in one write: the server reads the calls behind the broken message, and must not run them.
      const flood = Array.from({ length: 3_000 }, (_, index) =>
        encodeFrame({ opcode: opcodes.text, payload: Buffer.from(echo(index)) }),
      );
      const last = encodeFrame({ opcode: opcodes.text, payload: Buffer.from("broken\x1e") });
      socket.socket.write(Buffer.concat([last, ...flood]));
      await socket.closeFrame();
      // It does not answer the Close frame, and goes on.
      let isGone = false;
      const ending = socket.closed.then((how) => {
        isGone = true;
        return how;
      });
      while (!isGone) {
        socket.sendText(echo("still here"));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await ending).toEqual({ wasReset: true });
      expect(entered).toEqual([]);
      expect(socket.messages.items).toEqual([{}, { type: 7, error: "bad_request;action=fix-request" }]);
    }),
  );

  test(
    "because its credential expired gets nothing more, though it goes on",
    underAttack(async ({ enter, entered, clock, tellRoom, heard }) => {
      const socket = await enter();
      await socket.invoke("join", "Join");
      clock.jump(3_000_000);
      tellRoom("only the canary's token is still good");
      socket.sendText(echo("too late"));
      expect(await socket.closeFrame()).toEqual({ code: 4401, reason: "token_expired;action=refresh" });
      socket.sendText(echo("too late"));
      expect(await socket.closed).toEqual({ wasReset: true });
      expect(entered).toEqual([]);
      expect(await heard.first()).toBe("only the canary's token is still good");
      expect(socket.messages.items.at(-1)).toEqual({
        type: 7,
        error: "token_expired;action=refresh",
        allowReconnect: true,
      });
    }),
  );
});

describe("a peer that says goodbye", () => {
  test(
    "ten thousand times ends once",
    underAttack(async ({ enter, telemetry }) => {
      const socket = await enter();
      const close = encodeFrame({ opcode: opcodes.text, payload: Buffer.from('{"type":7}\x1e') });
      const frame = encodeFrame({ opcode: opcodes.close, payload: Buffer.from([0x03, 0xe8]) });
      socket.socket.write(Buffer.concat(Array.from({ length: 5_000 }, () => [close, frame]).flat()));
      await socket.closed;
      const ended = await telemetry.first(({ event }) => event === "connection.closed");
      expect(ended).toMatchObject({ reason: "normal" });
    }),
  );

  test(
    "in the transport's words only is gone",
    underAttack(async ({ enter, telemetry }) => {
      const socket = await enter();
      socket.sendFrame({ opcode: opcodes.close, payload: Buffer.from([0x0b, 0xb8]) });
      await socket.closed;
      await telemetry.first(({ event }) => event === "connection.closed");
    }),
  );

  test(
    "and calls behind it is not heard",
    underAttack(async ({ enter, entered }) => {
      const socket = await enter();
      socket.sendText(`{"type":7}\x1e${echo(1)}`);
      socket.sendText(echo(2));
      await socket.closeFrame();
      socket.end();
      await socket.closed;
      expect(entered).toEqual([]);
    }),
  );

  test(
    "with half a TCP connection is gone",
    underAttack(async ({ enter, telemetry }) => {
      const socket = await enter();
      socket.socket.end();
      await telemetry.first(({ event }) => event === "connection.closed");
      await socket.closed;
    }),
  );
});

describe("the end of the server", () => {
  test(
    "comes within two seconds, also when nobody answers and some have not shaken hands",
    underAttack(
      async ({ app, arrive, enter, canary }) => {
        const silent = await enter();
        const unshaken = await arrive();
        const ended = app.close();
        expect((await silent.closeFrame()).code).toBe(1001);
        expect((await unshaken.closeFrame()).code).toBe(1001);
        expect(await silent.closed).toEqual({ wasReset: true });
        expect(await unshaken.closed).toEqual({ wasReset: true });
        await ended;
        await until(() => canary.state === "Disconnected");
      },
      {},
      { outlivesServer: true },
    ),
  );
});
