/** Hub messages in JSON that no client should send. */

import { describe, expect, test } from "vitest";
import type { RawWebSocket } from "../support/raw-web-socket.js";
import { BAD_REQUEST, endingOf, TOO_BIG, TOO_DEEP } from "./ending-of.js";
import { underAttack, type Target } from "./target.js";

const RS = "\x1e";

const nested = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth);
const call = (args: string): string => `{"type":1,"invocationId":"1","target":"Echo","arguments":${args}}${RS}`;

const fatalJson: readonly (readonly [string, string, string])[] = [
  ["an empty message", RS, BAD_REQUEST],
  ["separators alone", RS.repeat(10_000), BAD_REQUEST],
  ["no JSON", `hello${RS}`, BAD_REQUEST],
  ["half JSON", `{"type":6${RS}`, BAD_REQUEST],
  ["an array", `[1,2]${RS}`, BAD_REQUEST],
  ["null", `null${RS}`, BAD_REQUEST],
  ["no type", `{"target":"Echo"}${RS}`, BAD_REQUEST],
  ["a type that is text", `{"type":"1"}${RS}`, BAD_REQUEST],
  ["a type that is no whole number", `{"type":1.5}${RS}`, BAD_REQUEST],
  ["two types", `{"type":6,"type":1}${RS}`, BAD_REQUEST],
  ["no target", `{"type":1,"arguments":[]}${RS}`, BAD_REQUEST],
  ["a target that is no text", `{"type":1,"target":{},"arguments":[]}${RS}`, BAD_REQUEST],
  ["a giant target", `{"type":1,"target":"${"E".repeat(129)}","arguments":[]}${RS}`, BAD_REQUEST],
  ["no arguments", `{"type":1,"target":"Echo"}${RS}`, BAD_REQUEST],
  ["arguments that are no list", `{"type":1,"target":"Echo","arguments":{"0":1,"length":1}}${RS}`, BAD_REQUEST],
  ["too many arguments", call(JSON.stringify(Array.from({ length: 17 }, () => 1))), BAD_REQUEST],
  ["a giant id", `{"type":1,"invocationId":"${"1".repeat(65)}","target":"Echo","arguments":[1]}${RS}`, BAD_REQUEST],
  ["an id that is no text", `{"type":1,"invocationId":1,"target":"Echo","arguments":[1]}${RS}`, BAD_REQUEST],
  ["a stream without an id", `{"type":4,"target":"Echo","arguments":[1]}${RS}`, BAD_REQUEST],
  [
    "more streams than are taken",
    `{"type":1,"target":"Echo","arguments":[1],"streamIds":["1","2","3","4","5","6","7","8","9"]}${RS}`,
    BAD_REQUEST,
  ],
  ["a completion with a result and an error", `{"type":3,"invocationId":"1","result":1,"error":"x"}${RS}`, BAD_REQUEST],
  ["an answer with an empty id", `{"type":3,"invocationId":"","result":1}${RS}`, BAD_REQUEST],
  ["an item that is missing", `{"type":2,"invocationId":"1"}${RS}`, BAD_REQUEST],
  ["an ack without a number", `{"type":8}${RS}`, BAD_REQUEST],
  ["an argument that names the prototype", call('[{"__proto__":{"isAdmin":true}}]'), BAD_REQUEST],
  ["an argument that spells the prototype", call('[{"\\u005f_proto__":{"isAdmin":true}}]'), BAD_REQUEST],
  ["50,000 nested arrays", call(nested("[", "]", 50_000)), TOO_BIG],
  ["10,000 nested arrays", call(nested("[", "]", 10_000)), TOO_DEEP],
  ["10,000 nested objects", call(`[${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}]`), TOO_DEEP],
  ["10,000 open brackets", `${"[".repeat(10_000)}${RS}`, TOO_DEEP],
  ["more values than are accepted", call(`[[${"1,".repeat(12_000)}1]]`), TOO_BIG],
  ["more bytes than are accepted", call(`["${"x".repeat(33_000)}"]`), TOO_BIG],
  ["more bytes than are accepted, and no end", "x".repeat(33_000), TOO_BIG],
];

describe("a connection ends for", () => {
  test.each(fatalJson)("%s", (_, text, ending) =>
    underAttack(async ({ enter, entered }) => {
      const socket = await enter();
      socket.sendText(text);
      expect(await endingOf(socket)).toBe(ending);
      expect(socket.messages.items.slice(1)).toEqual([{ type: 7, error: ending.slice(5) }]);
      expect(entered).toEqual([]);
      expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
    })(),
  );

  test(
    "200,000 nested arrays, which are more than a WebSocket message may be: the transport ends it",
    underAttack(async ({ enter, entered, telemetry }) => {
      const socket = await enter();
      socket.sendText(call(nested("[", "]", 200_000)));
      expect((await socket.closeFrame()).code).toBe(1009);
      socket.end();
      await telemetry.first(({ event }) => event === "connection.closed");
      expect(entered).toEqual([]);
    }),
  );

  test(
    "text that is no UTF-8 inside a binary frame",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      socket.sendBinary(
        Buffer.concat([
          Buffer.from('{"type":1,"target":"Echo","arguments":["'),
          Buffer.from([0xc3, 0x28]),
          Buffer.from(`"]}${RS}`),
        ]),
      );
      expect(await endingOf(socket)).toBe("4400 malformed_unicode;action=fix-request");
    }),
  );
});

/** Sends harmless strangeness and makes sure that the connection still works. */
async function shrugsOff(socket: RawWebSocket, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) socket.sendText(text);
  const ending = socket.closeFrame().then(({ reason }) => reason);
  expect(await Promise.race([socket.invoke("after", "Echo", "fine"), ending])).toEqual({
    type: 3,
    invocationId: "after",
    result: "fine",
  });
}

describe("a connection shrugs off", () => {
  const unknownIds = ["1", "s1", "-1", "__proto__", "constructor", "hasOwnProperty", "x".repeat(64)];

  test(
    "answers to calls nobody made, items of streams nobody takes, cancellations of nothing",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      await shrugsOff(
        socket,
        ...unknownIds.flatMap((invocationId) =>
          [{ type: 3, result: 1 }, { type: 3, error: "x" }, { type: 2, item: 1 }, { type: 5 }].map(
            (message) => JSON.stringify({ ...message, invocationId }) + RS,
          ),
        ),
      );
      expect(socket.messages.items).toHaveLength(2);
    }),
  );

  test(
    "acks and sequences of a stateful reconnect nobody negotiated",
    underAttack(async ({ enter }) => {
      await shrugsOff(await enter(), `{"type":8,"sequenceId":9007199254740991}${RS}`, `{"type":9,"sequenceId":0}${RS}`);
    }),
  );

  test(
    "types that are not known yet, and members that are not",
    underAttack(async ({ enter }) => {
      await shrugsOff(
        await enter(),
        `{"type":99}${RS}{"type":-1,"x":[]}${RS}{"type":0}${RS}`,
        `{"type":6,"toString":1,"constructor":{"prototype":{"isAdmin":true}}}${RS}`,
      );
    }),
  );

  test(
    "half a message in one frame and half in the next",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      await shrugsOff(
        socket,
        '{"type":1,"invocationId":"half","tar',
        `get":"Echo","arguments":["ä𝄞"]}${RS}{"ty`,
        `pe":6}${RS}`,
      );
      expect(socket.messages.items[1]).toEqual({ type: 3, invocationId: "half", result: "ä𝄞" });
    }),
  );

  test(
    "ten thousand pings of the hub's own",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      await shrugsOff(socket, ...Array.from({ length: 10 }, () => `{"type":6}${RS}`.repeat(1_000)));
    }),
  );

  test(
    "the same id for many calls at once: each is answered",
    underAttack(
      async ({ enter }) => {
        const socket = await enter();
        for (let index = 0; index < 100; index++) {
          socket.sendJson({ type: 1, invocationId: "same", target: "Later", arguments: [index] });
        }
        const answers = await socket.messages.take(100, ({ invocationId }) => invocationId === "same");
        expect(answers.map(({ result }) => result)).toEqual(Array.from({ length: 100 }, (_, index) => index));
      },
      { limits: false },
    ),
  );
});

describe("names of Object's own members", () => {
  const names = ["__proto__", "constructor", "hasOwnProperty", "toString", "valueOf", "prototype", "then"];

  test(
    "as methods are methods nobody declared",
    underAttack(async ({ enter, entered }) => {
      const socket = await enter();
      for (const name of names) {
        expect((await socket.invoke(name, name, 1))["error"]).toBe(
          `Failed to invoke '${name}' due to an error on the server. HubException: Method does not exist.`,
        );
      }
      expect(entered).toEqual([]);
    }),
  );

  test(
    "as members of arguments are members like any other",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      const value = Object.fromEntries(names.slice(1).map((name) => [name, 1]));
      expect((await socket.invoke("1", "Keys", value))["result"]).toEqual(names.slice(1));
      expect((await socket.invoke("2", "Echo", { constructor: { prototype: { isAdmin: true } } }))["result"]).toEqual({
        constructor: { prototype: { isAdmin: true } },
      });
      expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
    }),
  );

  test(
    "as members of headers are headers nobody reads",
    underAttack(async ({ enter }) => {
      const socket = await enter();
      socket.sendText(
        `{"type":1,"headers":{"constructor":"x","hasOwnProperty":"y"},"invocationId":"1","target":"Echo","arguments":[1]}${RS}`,
      );
      expect(await socket.messages.first(({ type }) => type === 3)).toMatchObject({ result: 1 });
    }),
  );
});

describe("a trace context", () => {
  test(
    "in the headers of a call (.NET 9 and later) changes nothing and is told to nobody",
    underAttack(async ({ enter, entered, telemetry }) => {
      const socket = await enter();
      const headers = {
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        tracestate: "vendor=secret",
        baggage: "patient=ada",
      };
      for (const invocationId of ["1", "2"]) {
        socket.sendJson({ type: 1, headers, invocationId, target: "Echo", arguments: [invocationId] });
      }
      socket.sendJson({
        type: 1,
        headers: { traceparent: "no trace context" },
        invocationId: "3",
        target: "Nobodys",
        arguments: [],
      });
      const answers = await socket.messages.take(3, ({ type }) => type === 3);
      expect(answers.map(({ result }) => result)).toEqual(["1", "2", undefined]);
      expect(entered.map(({ args }) => args)).toEqual([["1"], ["2"]]);
      const told = JSON.stringify([socket.messages.items, telemetry.items]);
      expect(told).not.toMatch(/0af7651916|vendor|patient|trace/);
    }),
  );
});

describe("a value that promises something", () => {
  test(
    "is a value: a member called `then` is not run",
    underAttack(async (target: Target) => {
      const socket = await target.enter();
      expect((await socket.invoke("1", "Echo", { then: "x" }))["result"]).toEqual({ then: "x" });
      expect((await socket.invoke("2", "Later", { then: { then: 1 } }))["result"]).toEqual({ then: { then: 1 } });
    }),
  );
});
