/** Streams from the client. HubProtocol.md, Upload streaming. */

import { complete, invoke, item, stream, upload, type Message } from "../runner/hub-messages.js";
import { inBothEncodings, type Script, type ScriptRun } from "../runner/script.js";
import type { ConnectWishes } from "../runner/run.js";

/** Sends all in one payload and writes down what comes until the fence. */
function uploads(name: string, messages: readonly Message[], wishes: ConnectWishes = {}): readonly ScriptRun[] {
  return inBothEncodings(name, async (run, encoding) => {
    const ada = await run.connect({ ...wishes, encoding });
    ada.send(...messages);
    await ada.expectCompletion();
    await ada.fence();
  });
}

/** Messages that bring nothing back. */
function silent(name: string, ...messages: readonly Message[]): readonly ScriptRun[] {
  return inBothEncodings(name, async (run, encoding) => {
    const ada = await run.connect({ encoding });
    ada.send(...messages);
    await ada.fence();
  });
}

export const uploading: Script = {
  name: "uploads",
  runs: [
    ...uploads("items are summed", [upload("1", "Sum", ["u"]), item("u", 1), item("u", 2), complete("u")]),
    ...uploads("no item at all", [upload("1", "Sum", ["u"]), complete("u")]),
    ...uploads("a channel", [upload("1", "SumChannel", ["u"]), item("u", 1), item("u", 2), complete("u")]),
    ...uploads("arguments beside it", [upload("1", "SumBetween", ["u"], 7, 8), item("u", 1), complete("u")]),
    ...uploads("two at once", [
      upload("1", "SumTwo", ["u", "v"]),
      item("v", 10),
      item("u", 1),
      item("v", 20),
      complete("v"),
      item("u", 2),
      complete("u"),
    ]),
    ...uploads("a method without a result", [upload("1", "Swallow", ["u"]), item("u", 1), complete("u")]),
    ...uploads("more than are buffered", [
      upload("1", "Sum", ["u"]),
      ...Array.from({ length: 40 }, () => item("u", 1)),
      complete("u"),
    ]),
    ...silent("a call without an id", upload(undefined, "Swallow", ["u"]), item("u", 1), complete("u")),
    ...inBothEncodings("up and down at once", async (run, encoding) => {
      const ada = await run.connect({ encoding });
      ada.send({ ...upload("1", "Scale", ["u"], 10), type: 4 });
      for (const each of [1, 2]) {
        ada.send(item("u", each));
        await ada.expect();
      }
      ada.send(complete("u"));
      await ada.expect();
    }),
    ...uploads("the client ends it with an error", [
      upload("1", "UploadOutcome", ["u"]),
      item("u", 1),
      complete("u", { error: "the client's reason" }),
    ]),
    ...uploads("the client ends it with an error, and the method does not catch it", [
      upload("1", "Sum", ["u"]),
      complete("u", { error: "the client's reason" }),
    ]),
    ...uploads("the client ends it with a result", [
      upload("1", "UploadOutcome", ["u"]),
      item("u", 1),
      complete("u", { result: 5 }),
    ]),
    ...uploads("an item of the wrong kind", [
      upload("1", "UploadOutcome", ["u"]),
      item("u", 1),
      item("u", "two"),
      item("u", 3),
      complete("u"),
    ]),
    ...uploads("an item of the wrong kind, and the method does not catch it", [
      upload("1", "Sum", ["u"]),
      item("u", "two"),
    ]),
    ...uploads("an item of the wrong kind, detailed errors", [upload("1", "Sum", ["u"]), item("u", "two")], {
      hub: "/hubs/detailed",
    }),
    ...uploads("a method that ends before it", [
      upload("1", "IgnoreUpload", ["u"]),
      item("u", 1),
      item("u", 2),
      complete("u"),
    ]),
    ...uploads("a method that takes the first item only", [
      upload("1", "FirstOf", ["u"]),
      item("u", 5),
      item("u", 6),
      complete("u"),
    ]),
    ...uploads("no stream where one is expected", [invoke("1", "Sum")]),
    ...uploads("an argument where a stream is expected", [invoke("1", "Sum", [1, 2])]),
    ...uploads("an empty list of streams where one is expected", [upload("1", "Sum", [])]),
    ...uploads("one stream too many", [upload("1", "Sum", ["u", "v"])]),
    ...uploads("one stream too few", [upload("1", "SumTwo", ["u"])]),
    ...uploads("a stream where none is expected", [upload("1", "Echo", ["u"], 1)]),
    ...uploads("streams for an unknown method", [upload("1", "NoSuchMethod", ["u"])]),
    ...uploads("streams and the wrong arguments", [upload("1", "SumBetween", ["u"], 7)]),
    ...silent("items before their call, and of nobody", item("u", 1), complete("u")),
    ...inBothEncodings("items after the end of a refused call", async (run, encoding) => {
      const ada = await run.connect({ encoding });
      ada.send(upload("1", "NoSuchMethod", ["u"]));
      await ada.expect();
      ada.send(item("u", 1), complete("u"));
      await ada.fence();
    }),
    ...inBothEncodings("a stream's id that is in use goes to the newer call", async (run, encoding) => {
      const ada = await run.connect({ encoding });
      ada.send(upload("1", "Sum", ["u"]));
      ada.send(upload("2", "Sum", ["u"]));
      await ada.fence();
      ada.send(item("u", 1), complete("u"));
      await ada.expect();
      await ada.fence();
    }).map((run) => ({ ...run, transports: ["WebSockets"] as const })), // over the others, what is heard first is a race
    ...inBothEncodings("a stream's id that was used before", async (run, encoding) => {
      const ada = await run.connect({ encoding });
      for (const id of ["1", "2"]) {
        ada.send(upload(id, "Sum", ["u"]), item("u", 1), complete("u"));
        await ada.expect();
      }
    }),
    ...inBothEncodings("an upload does not hold back calls", async (run, encoding) => {
      const ada = await run.connect({ encoding });
      ada.send(upload("1", "Sum", ["u"]), invoke("2", "Echo", 2), stream("3", "Count", 1));
      await ada.expectCompletions("2", "3");
      ada.send(item("u", 1), complete("u"));
      await ada.expect();
    }),
    {
      name: "the same stream twice in one call",
      play: async (run) => {
        const ada = await run.connect();
        ada.send(upload("1", "SumTwo", ["u", "u"]), item("u", 1), complete("u"));
        await ada.fence();
      },
    },
    {
      name: "a connection that goes ends its uploads",
      play: async (run) => {
        const ada = await run.connect();
        const bob = await run.connect({ name: "bob" });
        ada.send(upload("1", "SumThenOpen", ["u"], "upload-gone"), item("u", 1));
        await ada.fence();
        ada.cut();
        bob.send(invoke("1", "Wait", "upload-gone"));
        await bob.expect();
      },
    },
  ],
};
