/** The server calls, the client answers. HubProtocol.md, Invocations (client results). */

import { complete, invoke } from "../runner/hub-messages.js";
import type { Packable } from "../runner/message-pack.js";
import { inBothEncodings, type Script, type ScriptRun } from "../runner/script.js";

const HUB = "/hubs/parallel";

/** Asks, answers like this, and writes down what the method made of it. */
function answers(
  name: string,
  target: string,
  end: { readonly result?: Packable; readonly error?: string },
): readonly ScriptRun[] {
  return inBothEncodings(name, async (run, encoding) => {
    const ada = await run.connect({ hub: HUB, encoding });
    ada.send(invoke("1", target, "how many?"));
    const id = await ada.expectCall();
    ada.send(complete(id, end));
    await ada.expect();
  });
}

export const clientResults: Script = {
  name: "client-results",
  runs: [
    ...answers("an answer", "Ask", { result: "forty" }),
    ...answers("null", "AskOutcome", { result: null }),
    ...answers("no result", "AskOutcome", {}),
    ...answers("an error", "AskOutcome", { error: "the client's reason" }),
    ...answers("an error that the method does not catch", "Ask", { error: "the client's reason" }),
    ...answers("an answer of the wrong kind", "AskOutcome", { result: { not: "a text" } }),
    ...answers("an answer of the wrong kind that the method does not catch", "Ask", { result: { not: "a text" } }),
    {
      name: "two questions at once, answered the other way round",
      play: async (run) => {
        const ada = await run.connect({ hub: HUB });
        ada.send(invoke("1", "Ask", "first"));
        const first = await ada.expectCall();
        ada.send(invoke("2", "Ask", "second"));
        const second = await ada.expectCall();
        ada.send(complete(second, { result: "two" }));
        await ada.expect();
        ada.send(complete(first, { result: "one" }));
        await ada.expect();
      },
    },
    {
      name: "one call at a time: who asks gives its place away",
      play: async (run) => {
        const ada = await run.connect();
        ada.send(invoke("1", "Ask", "first"));
        const first = await ada.expectCall();
        ada.send(invoke("2", "Echo", "meanwhile"));
        await ada.expect();
        ada.send(invoke("3", "Ask", "second"));
        const second = await ada.expectCall();
        ada.send(complete(first, { result: "one" }));
        await ada.expect();
        ada.send(complete(second, { result: "two" }));
        await ada.expect();
      },
    },
    {
      name: "asking in OnConnected is refused",
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/asking" });
        await ada.expect();
      },
    },
    {
      name: "only who was asked can answer: another is shown the door",
      play: async (run) => {
        const ada = await run.connect({ hub: HUB });
        const bob = await run.connect({ name: "bob", hub: HUB });
        const eve = await run.connect({ name: "eve", hub: HUB });
        bob.send(invoke("1", "AskConnection", ada.id, "how many?"));
        const id = await ada.expectCall();
        eve.send(complete(id, { result: "stolen" }));
        await eve.expectEnd();
        ada.send(complete(id, { result: "forty" }));
        await bob.expect();
      },
    },
    {
      name: "an answer that comes twice",
      play: async (run) => {
        const ada = await run.connect({ hub: HUB });
        ada.send(invoke("1", "Ask", "how many?"));
        const id = await ada.expectCall();
        ada.send(complete(id, { result: "forty" }), complete(id, { result: "again" }));
        await ada.expect();
        await ada.fence();
      },
    },
    {
      name: "who was asked goes away",
      play: async (run) => {
        const ada = await run.connect({ hub: HUB });
        const bob = await run.connect({ name: "bob", hub: HUB });
        bob.send(invoke("1", "AskConnectionOutcome", ada.id, "how many?"));
        await ada.expectCall();
        ada.close(1000);
        await ada.expectEnd();
        await bob.expect();
      },
    },
    {
      name: "nobody to ask",
      play: async (run) => {
        const ada = await run.connect({ hub: HUB });
        ada.send(invoke("1", "AskConnectionOutcome", "nobody", "how many?"));
        await ada.expect();
        ada.send(invoke("2", "AskConnection", "nobody", "how many?"));
        await ada.expect();
      },
    },
  ],
};
