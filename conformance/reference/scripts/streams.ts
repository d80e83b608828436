/** Streams to the client. HubProtocol.md, Streaming. */

import { cancel, invoke, stream } from "../runner/hub-messages.js";
import type { Packable } from "../runner/message-pack.js";
import { everyTransport, inBothEncodings, type Script, type ScriptRun } from "../runner/script.js";

/** Streams one after the other, each written down to its Completion. */
function streams(
  name: string,
  ...all: readonly (readonly [target: string, ...args: readonly Packable[]])[]
): readonly ScriptRun[] {
  return inBothEncodings(name, async (run, encoding) => {
    const ada = await run.connect({ encoding });
    for (const [index, [target, ...args]] of all.entries()) {
      ada.send(stream(String(index + 1), target, ...args));
      await ada.expectCompletion();
    }
    await ada.fence();
  });
}

export const streaming: Script = {
  name: "streams",
  runs: [
    ...streams(
      "items, then a Completion without a result",
      ["Count", 3],
      ["CountChannel", 3],
      ["CountLater", 3],
      ["Count", 0],
    ),
    ...streams("null among the items", ["Texts"]),
    ...streams("a stream that fails midway", ["CountThenFail", 2, "no bed left"], ["CountThenCrash", 2]),
    ...streams("a method that fails before its stream", ["FailBeforeStream", "no bed left"], ["NoStream"]),
    ...streams(
      "names in other letters",
      ["count", 1],
      ["countthenfail", 1, "no bed left"],
      ["failbeforestream", "no bed left"],
    ),
    ...streams("the wrong mode: no stream", ["Echo", 1], ["echo", 1], ["Nothing"], ["Fail", "unreached"]),
    ...streams("refused", ["NoSuchMethod"], ["Count"], ["Count", "one"], ["DoctorsCount", 1]),
    ...inBothEncodings("the wrong mode: a stream as an invocation", async (run, encoding) => {
      const ada = await run.connect({ encoding });
      ada.send(invoke("1", "Count", 1));
      await ada.expect();
      ada.send(invoke("2", "count", 1));
      await ada.expect();
      ada.send(invoke("3", "DoctorsCount", 1));
      await ada.expect();
      await ada.fence();
    }),
    {
      name: "detailed errors",
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/detailed" });
        for (const [index, target] of ["CountThenCrash", "NoStream", "Texts"].entries()) {
          ada.send(stream(String(index), target, ...(target === "CountThenCrash" ? [1] : [])));
          await ada.expectCompletion();
        }
      },
    },
    ...inBothEncodings("cancelled: a Completion without an error, and the method is told", async (run, encoding) => {
      const gate = `cancelled-${encoding}`;
      const ada = await run.connect({ encoding });
      ada.send(stream("1", "Endless", gate));
      await ada.expect();
      ada.send(cancel("1"));
      await ada.expect();
      ada.send(invoke("2", "Wait", gate));
      await ada.expect();
    }),
    {
      name: "cancelled in the same payload as the call",
      transports: everyTransport,
      play: async (run) => {
        const ada = await run.connect();
        ada.send(stream("1", "Gated", 1, "never"), cancel("1"));
        await ada.expect();
        await ada.fence();
      },
    },
    {
      name: "cancelled twice, after its end, and never begun",
      play: async (run) => {
        const ada = await run.connect();
        ada.send(stream("1", "Gated", 1, "never"));
        ada.send(cancel("1"), cancel("1"));
        await ada.expect();
        ada.send(cancel("1"));
        await ada.fence();
        ada.send(cancel("none"));
        await ada.fence();
      },
    },
    {
      name: "a plain invocation cannot be cancelled",
      play: async (run) => {
        const ada = await run.connect();
        const bob = await run.connect({ name: "bob" });
        ada.send(invoke("1", "Wait", "uncancelled"), cancel("1"));
        bob.send(invoke("1", "Open", "uncancelled"));
        await bob.expect();
        await ada.expect();
        await ada.fence();
      },
    },
    {
      name: "an id that is in use",
      play: async (run) => {
        const ada = await run.connect();
        ada.send(stream("same", "Gated", 1, "in-use"));
        ada.send(stream("same", "Count", 1));
        await ada.expect();
        ada.send(invoke("same", "Echo", 1));
        await ada.expect();
        const bob = await run.connect({ name: "bob" });
        bob.send(invoke("1", "Open", "in-use-1"));
        await bob.expect();
        await ada.expectCompletion();
        ada.send(stream("same", "Count", 1));
        await ada.expectCompletion();
      },
    },
    {
      name: "streams do not hold back calls, nor each other",
      transports: everyTransport,
      play: async (run) => {
        const ada = await run.connect();
        const bob = await run.connect({ name: "bob" });
        ada.send(stream("a", "Gated", 2, "a"), stream("b", "Gated", 2, "b"), invoke("1", "Echo", 1));
        await ada.expect();
        for (const gate of ["b-1", "a-1", "a-2"]) {
          bob.send(invoke("1", "Open", gate));
          await bob.expect();
          await ada.expect();
        }
        await ada.expect();
        bob.send(invoke("1", "Open", "b-2"));
        await bob.expect();
        await ada.expect(2);
      },
    },
    {
      name: "a running call does not hold back streams",
      play: async (run) => {
        const ada = await run.connect();
        const bob = await run.connect({ name: "bob" });
        ada.send(invoke("1", "Wait", "busy"), stream("2", "Count", 2));
        await ada.expectCompletion();
        bob.send(invoke("1", "Open", "busy"));
        await bob.expect();
        await ada.expect();
      },
    },
    {
      name: "a connection that goes cancels its streams",
      transports: ["WebSockets", "LongPolling"],
      play: async (run) => {
        const ada = await run.connect();
        const bob = await run.connect({ name: "bob" });
        ada.send(stream("1", "Endless", "gone"));
        await ada.expect();
        ada.cut();
        bob.send(invoke("1", "Wait", "gone"));
        await bob.expect();
      },
    },
  ],
};
