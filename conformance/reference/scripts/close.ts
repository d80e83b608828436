/** How connections end, who says what last, and what is no reason to end one. */

import { close, framed, invoke, type Message } from "../runner/hub-messages.js";
import { pack } from "../runner/message-pack.js";
import type { ConnectWishes } from "../runner/run.js";
import { everyTransport, type Script, type ScriptRun } from "../runner/script.js";

/** Sends a text after the handshake, JSON, and writes down everything until the end. */
function ends(name: string, text: string, wishes: ConnectWishes = {}): ScriptRun {
  return {
    name,
    play: async (run) => {
      const ada = await run.connect(wishes);
      ada.sendRaw(text);
      await ada.expectEnd();
    },
  };
}

/** The same with an array in MessagePack. */
function endsPacked(name: string, bytes: Uint8Array, wishes: ConnectWishes = {}): ScriptRun {
  return {
    name: `${name} [MessagePack]`,
    play: async (run) => {
      const ada = await run.connect({ ...wishes, encoding: "messagepack" });
      ada.sendRaw(bytes);
      await ada.expectEnd();
    },
  };
}

function onConnected(name: string, hub: string): ScriptRun {
  return {
    name,
    play: async (run) => {
      const ada = await run.connect({ hub });
      await ada.expectEnd();
    },
  };
}

function clientSays(name: string, message: Message): ScriptRun {
  return {
    name,
    play: async (run) => {
      const ada = await run.connect();
      ada.send(message);
      await ada.expectEnd();
    },
  };
}

const line = (message: object): string => `${JSON.stringify(message)}\x1e`;

export const closing: Script = {
  name: "close",
  isConcurrent: true,
  runs: [
    clientSays("the client says Close", close()),
    clientSays("the client says Close with an error", close({ error: "the client's reason" })),
    clientSays("the client says Close and that it may reconnect", close({ allowReconnect: true })),
    ...[1000, 1001, 3000, 4000, undefined].map((code): ScriptRun => ({
      name: `the client closes the WebSocket ${code === undefined ? "without a code" : `with ${code}`}`,
      play: async (run) => {
        const ada = await run.connect();
        ada.close(code);
        await ada.expectEnd();
      },
    })),
    {
      name: "the server aborts",
      play: async (run) => {
        const ada = await run.connect();
        ada.send(invoke("1", "Abort"), invoke("2", "Echo", "behind it"));
        await ada.expectEnd();
      },
    },
    {
      name: "the server aborts [MessagePack]",
      play: async (run) => {
        const ada = await run.connect({ encoding: "messagepack" });
        ada.send(invoke("1", "Abort"));
        await ada.expectEnd();
      },
    },
    ...(["ServerSentEvents", "LongPolling"] as const).map((transport): ScriptRun => ({
      name: `the server aborts over ${transport}`,
      play: async (run) => {
        const ada = await run.connect({ transport });
        ada.send(invoke("1", "Abort"));
        await ada.expectEnd();
      },
    })),
    {
      name: "a running call does not keep a connection",
      play: async (run) => {
        const ada = await run.connect();
        ada.send(invoke("1", "Wait", "never-opened"));
        ada.close(1000);
        await ada.expectEnd();
      },
    },
    onConnected("OnConnected fails", "/hubs/refusing"),
    onConnected("OnConnected fails with a HubException", "/hubs/refusing-hub-exception"),
    onConnected("OnConnected fails, detailed errors", "/hubs/refusing-detailed"),
    onConnected("OnConnected aborts", "/hubs/aborting"),
    ...everyTransport.slice(1).map((transport): ScriptRun => ({
      name: `OnConnected fails over ${transport}`,
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/refusing", transport });
        await ada.expectEnd();
      },
    })),
    ends("no JSON", "no message\x1e"),
    ends("no JSON, detailed errors", "no message\x1e", { hub: "/hubs/detailed" }),
    ends("an empty message", "\x1e"),
    ends("an array", "[]\x1e"),
    ends("null", "null\x1e"),
    ends("an object cut short", '{"type":1\x1e'),
    ends("no type", line({ target: "Echo", arguments: [] })),
    ends("a type that is no number", line({ type: "1" })),
    ends("a type that is no whole number", '{"type":1.5}\x1e'),
    ends("an invocation without a target", line({ type: 1, invocationId: "1", arguments: [] })),
    ends("an invocation without arguments", line({ type: 1, invocationId: "1", target: "Nothing" })),
    ends("a target that is no text", line({ type: 1, invocationId: "1", target: 1, arguments: [] })),
    ends("a target that is null", line({ type: 1, invocationId: "1", target: null, arguments: [] })),
    ends("arguments that are no array", line({ type: 1, invocationId: "1", target: "Nothing", arguments: {} })),
    ends("an id that is an object", line({ type: 1, invocationId: {}, target: "Nothing", arguments: [] })),
    ends(
      "streamIds that are no array",
      line({ type: 1, invocationId: "1", target: "Nothing", arguments: [], streamIds: "1" }),
    ),
    ends(
      "an unknown type: nothing behind it is ever read, until it is too much",
      '{"type":99}\x1e' + line({ type: 6 }).repeat(100),
      {
        hub: "/hubs/small",
      },
    ),
    endsPacked(
      "an unknown type: nothing behind it is ever read, until it is too much",
      Buffer.concat([framed(pack([99])), Buffer.from("029106".repeat(400), "hex")]),
      {
        hub: "/hubs/small",
      },
    ),
    ends("arguments that are null", line({ type: 1, invocationId: "1", target: "Nothing", arguments: null })),
    ends(
      "streamIds that are null",
      line({ type: 1, invocationId: "1", target: "Nothing", arguments: [], streamIds: null }),
    ),
    ends("a stream invocation without an id", line({ type: 4, target: "Count", arguments: [1] })),
    ends("a stream invocation with an empty id", line({ type: 4, invocationId: "", target: "Count", arguments: [1] })),
    ends("a stream item without an id", line({ type: 2, item: 1 })),
    ends("a stream item without an item", line({ type: 2, invocationId: "1" })),
    ends("a completion without an id", line({ type: 3, result: 1 })),
    ends("a completion with a result and an error", line({ type: 3, invocationId: "1", result: 1, error: "x" })),
    ends("a cancellation without an id", line({ type: 5 })),
    ends("an acknowledgement without a number", line({ type: 8 })),
    ends("a sequence without a number", line({ type: 9 })),
    ends("no message, detailed errors: what is missing is told", line({ type: 1, invocationId: "1" }), {
      hub: "/hubs/detailed",
    }),
    {
      name: "an acknowledgement and a sequence where there is no stateful reconnect",
      play: async (run) => {
        const ada = await run.connect();
        ada.send({ type: 8, sequenceId: 1 });
        await ada.fence();
        ada.send({ type: 9, sequenceId: 1 });
        await ada.fence();
      },
    },
    {
      name: "completions, items and cancellations that nobody waits for",
      play: async (run) => {
        const ada = await run.connect();
        ada.send({ type: 3, invocationId: "none", result: 1 });
        await ada.fence();
        ada.send({ type: 3, invocationId: "none", error: "x" });
        await ada.fence();
        ada.send({ type: 5, invocationId: "none" });
        await ada.fence();
        ada.send({ type: 2, invocationId: "none", item: 1 });
        await ada.fence();
      },
    },
    ends(
      "a message that is too large",
      line({ type: 1, invocationId: "1", target: "Echo", arguments: ["x".repeat(1100)] }),
      {
        hub: "/hubs/small",
      },
    ),
    ends("a message that is too large and never ends", "x".repeat(1100), { hub: "/hubs/small" }),
    {
      name: "exactly the largest message, its separator included, and one byte more",
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/small" });
        const frame = JSON.stringify(invoke("1", "Echo", ""));
        ada.send(invoke("1", "Echo", "x".repeat(1023 - frame.length)));
        await ada.expect();
        ada.send(invoke("1", "Echo", "x".repeat(1024 - frame.length)));
        await ada.expectEnd();
      },
    },
    {
      name: "many messages in a payload that is larger than one may be",
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/small" });
        ada.send(...Array.from({ length: 30 }, (_, index) => invoke(String(index), "Nothing")));
        await ada.expect(30);
      },
    },
    endsPacked("no MessagePack", Buffer.from("02c1c1", "hex")),
    endsPacked("an empty message", Buffer.from("00", "hex")),
    endsPacked("an empty array", framed(pack([]))),
    endsPacked("no array", framed(pack({ type: 6 }))),
    endsPacked("a type that is no number", framed(pack(["1"]))),
    endsPacked("an invocation cut short", framed(pack([1, {}, "1"]))),
    endsPacked("an invocation whose target is null", framed(pack([1, {}, "1", null, []]))),
    {
      name: "what is no reason to close",
      play: async (run) => {
        const ada = await run.connect();
        ada.sendRaw('{"type":6}{}\x1e');
        await ada.fence();
        ada.sendRaw('{"type":1,"invocationId":"1","target":"Echo","arguments":[1]}no more JSON\x1e');
        await ada.fence();
      },
    },
    {
      name: "what is no reason to close [MessagePack]",
      play: async (run) => {
        const ada = await run.connect({ encoding: "messagepack" });
        ada.sendRaw(framed(pack([1, {}, "1", "Nothing", {}])));
        await ada.fence();
        ada.sendRaw(framed(pack([1, {}, "2", "Nothing", [], [], "more"])));
        await ada.fence();
        ada.sendRaw(framed(Buffer.concat([pack([6]), pack([6])])));
        await ada.fence();
        ada.sendRaw(framed(pack([1, null, "3", "Nothing", []])));
        await ada.fence();
      },
    },
    endsPacked("an empty target", framed(pack([1, {}, "1", "", []]))),
    endsPacked("a length that takes more than five bytes", Buffer.from("ffffffffff01", "hex")),
    endsPacked("a message that is too large", framed(pack([1, {}, "1", "Echo", ["x".repeat(1100)]])), {
      hub: "/hubs/small",
    }),
    endsPacked("a length that says too much", Buffer.concat([Buffer.from("ffff03", "hex"), Buffer.alloc(1100)]), {
      hub: "/hubs/small",
    }),
    endsPacked("headers that are no map", framed(pack([1, [], "1", "Nothing", []]))),
    endsPacked("no message, detailed errors", framed(pack([1, {}, "1"])), { hub: "/hubs/detailed" }),
    {
      name: "a credential that expires",
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/expiring", lifetime: 3 });
        await ada.expectEnd();
      },
    },
    ...everyTransport.slice(0, 2).map((transport): ScriptRun => ({
      name: `a client that falls silent over ${transport}`,
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/impatient", transport });
        ada.send({ type: 6 });
        await ada.expectEnd();
      },
    })),
    {
      name: "a client that never said a word is not waited for",
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/impatient" });
        await ada.expectPings(5);
        await ada.fence();
      },
    },
    {
      name: "pings come where nothing else is said",
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/impatient" });
        await ada.expectType(6);
        ada.send({ type: 6 });
        await ada.expectType(6);
      },
    },
    {
      name: "pings come where nothing else is said [MessagePack]",
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/impatient", encoding: "messagepack" });
        await ada.expectType(6);
        ada.send({ type: 6 });
        await ada.expectType(6);
      },
    },
  ],
};
