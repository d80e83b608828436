/** Calls and what comes back, to the letter. HubProtocol.md, Invocations; DefaultHubDispatcher.cs. */

import { close, invoke, ping, stream, type Message } from "../runner/hub-messages.js";
import { Float, type Packable } from "../runner/message-pack.js";
import type { ConnectWishes, Run } from "../runner/run.js";
import { everyTransport, inBothEncodings, type Script, type ScriptRun } from "../runner/script.js";

/** One message, and everything it brings back. */
function brings(name: string, wishes: ConnectWishes, ...messages: readonly Message[]): readonly ScriptRun[] {
  return inBothEncodings(name, async (run, encoding) => {
    const ada = await run.connect({ ...wishes, encoding });
    for (const message of messages) {
      ada.send(message);
      await ada.fence();
    }
  });
}

/** Calls one after the other on one connection. */
function calls(
  name: string,
  ...all: readonly (readonly [target: string, ...args: readonly Packable[]])[]
): readonly ScriptRun[] {
  return brings(name, {}, ...all.map(([target, ...args], index) => invoke(String(index + 1), target, ...args)));
}

/** Texts as they are, JSON only. */
function sends(name: string, ...texts: readonly string[]): ScriptRun {
  return {
    name,
    play: async (run) => {
      const ada = await run.connect();
      for (const text of texts) {
        ada.sendRaw(`${text}\x1e`);
        await ada.fence();
      }
    },
  };
}

async function inOrder(run: Run, hub: string, gate: string): Promise<void> {
  const ada = await run.connect({ hub });
  const bob = await run.connect({ name: "bob", hub });
  ada.send(invoke("1", "Wait", gate), invoke("2", "Echo", "second"), invoke("3", "Echo", "third"));
  if (hub === "/hubs/parallel") await ada.expect(2);
  bob.send(invoke("1", "Open", gate));
  await bob.expect();
  await ada.expect(hub === "/hubs/parallel" ? 1 : 3);
}

export const invocations: Script = {
  name: "invocations",
  runs: [
    ...calls(
      "values come back as they were",
      ["Echo", null],
      ["Echo", true],
      ["Echo", 0],
      ["Echo", -1],
      ["Echo", 4_294_967_296],
      ["Echo", Number.MAX_SAFE_INTEGER],
      ["Echo", 1.5],
      ["Echo", ""],
      ["Echo", "line\nend \u2028 < > & ' \" \\ é 😀"],
      ["Echo", []],
      ["Echo", [1, [2, ["three", null]]]],
      ["Echo", {}],
      ["Echo", { camelCase: 1, PascalCase: { "with space": [true] } }],
    ),
    {
      name: "values only MessagePack has",
      play: async (run) => {
        const ada = await run.connect({ encoding: "messagepack" });
        for (const value of [Buffer.from([0, 1, 255]), Buffer.alloc(0), new Float(2), new Float(0.1)]) {
          ada.send(invoke("1", "Echo", value));
          await ada.expect();
        }
        ada.send(invoke("1", "EchoBytes", Buffer.from([0, 1, 255])));
        await ada.expect();
      },
    },
    ...calls("bytes are base64 in JSON", ["EchoBytes", "AAH/"], ["EchoBytes", "no base64"], ["EchoBytes", null]),
    sends(
      "JSON texts",
      '{"type":1,"invocationId":"1","target":"Echo","arguments":["\\u00e9\\uD83D\\uDE00"]}',
      '{"type":1,"invocationId":"2","target":"Echo","arguments":[1e3]}',
      '{"type":1,"invocationId":"3","target":"Echo","arguments":[1.0]}',
      '{"type":1,"invocationId":"4","target":"Echo","arguments":[123456789012345678901234567890]}',
      '{"type":1,"invocationId":"5","target":"Echo","arguments":[{"a":1,"a":2}]}',
      '{"type":1,"invocationId":"6","target":"Echo","arguments":[{"__proto__":{"x":1},"constructor":2}]}',
    ),
    sends("a text with half a character", '{"type":1,"invocationId":"1","target":"Echo","arguments":["\\ud800"]}'),
    sends("an empty target", '{"type":1,"invocationId":"1","target":"","arguments":[]}'),
    ...calls("several arguments", ["Add", 2, 3], ["Describe", "bed", 7, true]),
    ...calls(
      "nothing and null",
      ["Nothing"],
      ["NothingLater"],
      ["Null"],
      ["NullLater"],
      ["EchoLater", "later"],
      ["EchoLater", null],
    ),
    ...calls("names in any case", ["echo", 1], ["ECHO", 2], ["renamed"], ["Renamed"], ["OriginalName"]),
    ...calls(
      "no such method",
      ["NoSuchMethod"],
      ["noSuchMethod", 1, 2],
      ["OnConnectedAsync"],
      ["ToString"],
      ["Dispose"],
    ),
    ...calls("the wrong number of arguments", ["Add"], ["Add", 1], ["Add", 1, 2, 3], ["Nothing", 1], ["Echo"]),
    ...calls(
      "arguments of the wrong kind",
      ["Add", "two", 3],
      ["Add", 1.5, 3],
      ["Add", null, 3],
      ["Add", [1], {}],
      ["Describe", 1, 2, true],
      ["Add", 4_294_967_296, 1],
    ),
    ...calls("whole numbers as floats", ["Add", new Float(2), 3]),
    ...calls("null for a text", ["Describe", null, 2, true]),
    ...calls(
      "a HubException's text is told",
      ["Fail", "no bed left"],
      ["FailLater", "no bed left"],
      ["Fail", ""],
      ["FailWithoutText"],
      ["fail", "in lower case"],
    ),
    ...calls("another exception's text is not", ["Crash"], ["crash"]),
    ...brings(
      "detailed errors",
      { hub: "/hubs/detailed" },
      invoke("1", "Crash"),
      invoke("2", "Fail", "no bed left"),
      invoke("3", "NoSuchMethod"),
      invoke("4", "Add", 1),
      invoke("5", "Add", "two", 3),
      invoke("6", "Doctors"),
      stream("7", "Echo", 1),
      invoke("8", "Count", 1),
    ),
    ...calls(
      "a method for others",
      ["Doctors"],
      ["doctors"],
      ["DoctorsAdd", 1, 2],
      ["DoctorsAdd", 1],
      ["DoctorsAdd", "one", "two"],
      ["DoctorsCount", 1],
    ),
    ...brings(
      "a method for this one",
      { roles: ["doctor"] },
      invoke("1", "Doctors"),
      invoke("2", "DoctorsAdd", 1, 2),
      invoke("3", "DoctorsAdd", 1),
    ),
    ...brings(
      "no id: nothing comes back",
      {},
      invoke(undefined, "Nothing"),
      invoke(undefined, "Echo", 1),
      invoke(undefined, "Fail", "unheard"),
      invoke(undefined, "Crash"),
      invoke(undefined, "NoSuchMethod"),
      invoke(undefined, "Add", 1),
      invoke(undefined, "Doctors"),
      invoke(undefined, "Count", 1),
    ),
    ...brings(
      "ids",
      {},
      invoke("", "Echo", "empty"),
      invoke(" ", "Echo", "space"),
      invoke("same", "Echo", "first"),
      invoke("same", "Echo", "again"),
      invoke("é😀", "Echo", "more than ASCII"),
      invoke("x".repeat(2000), "Echo", "long"),
    ),
    {
      name: "the same id twice at the same time",
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/parallel" });
        const bob = await run.connect({ name: "bob", hub: "/hubs/parallel" });
        ada.send(invoke("same", "Wait", "twice"), invoke("same", "Echo", "second"));
        await ada.expect();
        bob.send(invoke("1", "Open", "twice"));
        await bob.expect();
        await ada.expect();
      },
    },
    sends("ids that are no text", '{"type":1,"invocationId":1,"target":"Echo","arguments":[1]}'),
    sends("an id that is null", '{"type":1,"invocationId":null,"target":"Echo","arguments":[1]}'),
    ...brings("headers are ignored", {}, { ...invoke("1", "Echo", 1), headers: { "x-trace": "abc" } }),
    sends("headers that are null", '{"type":1,"headers":null,"invocationId":"1","target":"Echo","arguments":[1]}'),
    sends(
      "a header that is no text",
      '{"type":1,"headers":{"a":1},"invocationId":"1","target":"Echo","arguments":[1]}',
    ),
    sends("headers that are no object", '{"type":1,"headers":"a","invocationId":"1","target":"Echo","arguments":[1]}'),
    sends(
      "fields in any order",
      '{"target":"Echo","arguments":[1],"invocationId":"1","type":1}',
      '{"arguments":[2],"target":"Echo","type":1,"invocationId":"2"}',
      '{"arguments":["two",3],"type":1,"target":"Add","invocationId":"3"}',
      '{"arguments":[4],"type":1,"target":"NoSuchMethod","invocationId":"4"}',
    ),
    sends(
      "fields that nobody knows",
      '{"type":1,"invocationId":"1","target":"Echo","arguments":[1],"extra":{"deep":[1]},"more":null}',
    ),
    sends(
      "fields in other letters are unknown fields",
      '{"type":1,"invocationId":"1","target":"Echo","arguments":[1],"Target":"Nothing","ARGUMENTS":[]}',
    ),
    sends(
      "a field twice",
      '{"type":1,"invocationId":"1","invocationId":"2","target":"Nothing","target":"Echo","arguments":[1]}',
    ),
    sends("streamIds that are empty", '{"type":1,"invocationId":"1","target":"Echo","arguments":[1],"streamIds":[]}'),
    sends("spaces around a message", '  {"type":1,"invocationId":"1","target":"Echo","arguments":[1]}\r\n'),
    sends("a ping with fields", '{"type":6,"extra":1}'),
    {
      name: "one message over two frames, two in one",
      play: async (run) => {
        const ada = await run.connect();
        ada.sendRaw('{"type":1,"invocationId":"1","target":"Ec');
        ada.sendRaw('ho","arguments":[1]}\x1e');
        await ada.expect();
        ada.send(invoke("2", "Echo", 2), ping, invoke("3", "Echo", 3));
        await ada.expect(2);
      },
    },
    {
      name: "one call at a time: the others wait, in order",
      transports: everyTransport,
      play: (run) => inOrder(run, "/hubs/main", "one-at-a-time"),
    },
    {
      name: "two calls at a time",
      transports: everyTransport,
      play: (run) => inOrder(run, "/hubs/parallel", "two-at-a-time"),
    },
    {
      name: "a result that comes after the client said Close",
      play: async (run) => {
        const ada = await run.connect();
        ada.send(invoke("1", "Echo", 1), close());
        await ada.expectEnd();
      },
    },
    {
      name: "text in binary frames",
      play: async (run) => {
        const ada = await run.connect();
        ada.sendRaw(Buffer.from('{"type":1,"invocationId":"1","target":"Echo","arguments":[1]}\x1e'));
        await ada.expect();
      },
    },
    {
      name: "MessagePack in text frames",
      play: async (run) => {
        const ada = await run.connect({ encoding: "messagepack" });
        ada.sendRaw(Buffer.from("0d960180a131a44563686f910190", "hex"), { isBinary: false });
        await ada.fence();
      },
    },
  ],
};
