/** Chance as the attacker: handshakes and messages that were right until they were damaged. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { opcodes, type RawWebSocket } from "../support/raw-web-socket.js";
import { underAttack } from "./target.js";

const RS = "\x1e";
const HANDSHAKE = `{"protocol":"json","version":1}${RS}`;
const CALL = `{"type":1,"invocationId":"7","target":"Echo","arguments":[{"a":[1,"x",null]}]}${RS}`;

interface Damage {
  /** Where, as a share of the text. */
  readonly at: number;
  readonly cut: number;
  readonly put: string;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat({ max: 4 }),
  put: fc.oneof(
    fc.constant(""),
    fc.constantFrom(
      RS,
      "{",
      "}",
      "[",
      "]",
      '"',
      ":",
      ",",
      "\\",
      "\\u0000",
      "1e999",
      "-0",
      "null",
      "true",
      "type",
      "__proto__",
    ),
    fc.string({ maxLength: 5, unit: "binary" }),
  ),
});

const damaged = (text: string, all: readonly Damage[]): string =>
  all.reduce((rest, { at, cut, put }) => {
    const index = Math.floor(at * rest.length);
    return rest.slice(0, index) + put + rest.slice(index + cut);
  }, text);

/** A text in one frame or several, cut anywhere, also within a character. */
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 });

function send(socket: RawWebSocket, text: string, at: readonly number[]): void {
  const bytes = Buffer.from(text);
  const marks = [0, ...at.map((share) => Math.floor(share * bytes.length)).toSorted((a, b) => a - b), bytes.length];
  for (let index = 1; index < marks.length; index++) socket.sendBinary(bytes.subarray(marks[index - 1], marks[index]));
}

/** Codes that say what was wrong with a payload. */
const TOLD = [1009, 4400, 4406];

/** What became of it: the code it was ended with, or that it is still there, which a ping finds out. */
async function fateOf(socket: RawWebSocket): Promise<number | "open"> {
  const closed = socket.closeFrame().then(({ code }) => code);
  socket.sendFrame({ opcode: opcodes.ping, payload: Buffer.from("?") });
  const pong = socket.frames.first(({ opcode }) => opcode === opcodes.pong).then(() => "open" as const);
  return Promise.race([closed, pong]);
}

describe("chance", () => {
  test(
    "finds no handshake that is taken for one and is none, nor one that is not answered",
    underAttack(async ({ arrive }) => {
      await fc.assert(
        fc.asyncProperty(fc.array(damage, { maxLength: 4 }), cuts, async (all, at) => {
          const socket = await arrive();
          const text = damaged(HANDSHAKE, all);
          send(socket, text, at);
          const fate = await fateOf(socket);
          const [first] = socket.messages.items;
          if (first === undefined) expect([fate, text.includes(RS)]).toEqual(["open", false]);
          else if ("error" in first) expect([fate, TOLD.includes(Number(fate))]).toEqual([fate, true]);
          else {
            // Taken: then the first message was a handshake, to whoever reads it.
            const read = JSON.parse(text.slice(0, text.indexOf(RS))) as { protocol: string; version: number };
            expect([first, read.protocol, read.version]).toEqual([{}, "json", expect.any(Number)]);
            expect(read.version).toBeLessThanOrEqual(2);
          }
          socket.socket.destroy();
        }),
        { numRuns: 60 },
      );
    }),
  );

  test(
    "finds no message that is neither handled nor refused, and calls no method by what it did to a call",
    underAttack(async ({ enter, entered }) => {
      await fc.assert(
        fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), cuts, async (all, at) => {
          const socket = await enter();
          const before = entered.length;
          const text = damaged(CALL, all);
          send(socket, text, at);
          const fate = await fateOf(socket);
          if (fate === "open") {
            // Half a message waits for its rest; everything whole was answered or ignored, and calls go on.
            send(socket, text.endsWith(RS) ? CALL : RS + CALL, []);
            const last = await fateOf(socket);
            expect([last, last === "open" || TOLD.includes(last)]).toEqual([last, true]);
          } else expect([fate, TOLD.includes(fate)]).toEqual([fate, true]);
          for (const { method } of entered.slice(before)) expect(["Echo", "Keys", "Later"]).toContain(method);
          socket.socket.destroy();
        }),
        { numRuns: 60 },
      );
    }),
  );
});
