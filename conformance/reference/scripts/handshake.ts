/** The first payload: which protocol, which version, and everything it can be instead. HubProtocol.md, Handshake. */

import { encodeJson, encodeMessagePack, invoke, ping, SEPARATOR } from "../runner/hub-messages.js";
import type { ConnectWishes, Run } from "../runner/run.js";
import type { Script, ScriptRun } from "../runner/script.js";

const good = `{"protocol":"json","version":1}${SEPARATOR}`;

/** Sends these payloads instead of a handshake, and writes down everything until the end. */
function refused(name: string, payloads: readonly (string | Uint8Array)[], wishes: ConnectWishes = {}): ScriptRun {
  return {
    name,
    play: async (run) => {
      const ada = await run.connect({ ...wishes, shakesHands: false });
      for (const payload of payloads) ada.sendRaw(payload);
      await ada.expectEnd();
    },
  };
}

/** Sends these payloads and writes down so many messages; the connection is then used once. */
function accepted(name: string, payloads: readonly (string | Uint8Array)[], wishes: ConnectWishes = {}): ScriptRun {
  return { name, play: (run) => useAfter(run, payloads, wishes) };
}

async function useAfter(run: Run, payloads: readonly (string | Uint8Array)[], wishes: ConnectWishes): Promise<void> {
  const ada = await run.connect({ ...wishes, shakesHands: false });
  for (const payload of payloads) ada.sendRaw(payload);
  await ada.expect();
  await ada.fence();
}

export const handshake: Script = {
  name: "handshake",
  isConcurrent: true,
  runs: [
    accepted("JSON, version 1", [good]),
    accepted("MessagePack, version 1", [`{"protocol":"messagepack","version":1}${SEPARATOR}`], {
      encoding: "messagepack",
    }),
    accepted("version 0", [`{"protocol":"json","version":0}${SEPARATOR}`]),
    accepted("version 2 without stateful reconnect", [`{"protocol":"json","version":2}${SEPARATOR}`]),
    accepted("a negative version", [`{"protocol":"json","version":-1}${SEPARATOR}`]),
    accepted("the protocol's name in other letters", [`{"protocol":"JSON","version":1}${SEPARATOR}`]),
    accepted("fields that nobody knows", [`{"extra":{"a":[1]},"version":1,"protocol":"json","more":null}${SEPARATOR}`]),
    accepted("split over frames", ['{"protocol":', '"json","version":1', `}${SEPARATOR}`]),
    accepted("split before the separator", ['{"protocol":"json","version":1}', SEPARATOR]),
    accepted("in a binary frame", [Buffer.from(good)]),
    accepted("spaces and line ends around it", [` \r\n{ "protocol" : "json" , "version" : 1 } ${SEPARATOR}`]),
    {
      name: "messages in the same payload",
      play: async (run) => {
        const ada = await run.connect({ shakesHands: false });
        ada.sendRaw(good + encodeJson(invoke("1", "Echo", "early")).toString() + encodeJson(ping).toString());
        await ada.expect(2);
        await ada.fence();
      },
    },
    {
      name: "messages in the same payload [MessagePack]",
      play: async (run) => {
        const ada = await run.connect({ shakesHands: false, encoding: "messagepack" });
        const first = Buffer.from(`{"protocol":"messagepack","version":1}${SEPARATOR}`);
        ada.sendRaw(Buffer.concat([first, encodeMessagePack(invoke("1", "Echo", "early"))]));
        await ada.expect(2);
        await ada.fence();
      },
    },
    {
      name: "without negotiate",
      play: async (run) => {
        const ada = await run.connectDirectly({ shakesHands: false });
        ada.sendRaw(good);
        await ada.expect();
        await ada.fence();
      },
    },
    refused("an unknown protocol", [`{"protocol":"xml","version":1}${SEPARATOR}`]),
    refused("an empty protocol", [`{"protocol":"","version":1}${SEPARATOR}`]),
    refused("a protocol that the hub does not speak", [`{"protocol":"messagepack","version":1}${SEPARATOR}`], {
      hub: "/hubs/json-only",
    }),
    refused("a version that is too high", [`{"protocol":"json","version":3}${SEPARATOR}`]),
    refused("a version that is too high [MessagePack]", [`{"protocol":"messagepack","version":3}${SEPARATOR}`]),
    refused("a version that is no number", [`{"protocol":"json","version":"1"}${SEPARATOR}`]),
    refused("a version that is no whole number", [`{"protocol":"json","version":1.5}${SEPARATOR}`]),
    refused("no version", [`{"protocol":"json"}${SEPARATOR}`]),
    refused("no protocol", [`{"version":1}${SEPARATOR}`]),
    refused("a protocol that is no text", [`{"protocol":1,"version":1}${SEPARATOR}`]),
    refused("no field at all", [`{}${SEPARATOR}`]),
    refused("no object", [`[]${SEPARATOR}`]),
    refused("no JSON", [`hello${SEPARATOR}`]),
    refused("the separator only", [SEPARATOR]),
    refused("an invocation first", [encodeJson(invoke("1", "Echo", "early")).toString()]),
    refused(
      "an invocation in MessagePack first: it is waited for a separator",
      [encodeMessagePack(invoke("1", "Echo", "early"))],
      {
        hub: "/hubs/impatient",
      },
    ),
    refused("bytes that are no UTF-8", [Buffer.from([0xff, 0xfe, 0x1e])]),
    accepted("bytes behind the JSON object are not looked at", [`{"protocol":"json","version":1}{}${SEPARATOR}`]),
    refused("larger than a message may be", [`{"protocol":"json","version":1,"x":"${"x".repeat(1100)}"}${SEPARATOR}`], {
      hub: "/hubs/small",
    }),
    refused("larger than a message may be, and without an end", ["x".repeat(1100)], { hub: "/hubs/small" }),
    refused(
      "a message that is too large behind it, in the same payload",
      [good + encodeJson(invoke("1", "Echo", "x".repeat(1100))).toString()],
      {
        hub: "/hubs/small",
      },
    ),
    refused("nothing", [], { hub: "/hubs/impatient" }),
    refused("half of one, then nothing", ['{"protocol":'], { hub: "/hubs/impatient" }),
    {
      name: "the client closes first",
      play: async (run) => {
        const ada = await run.connect({ shakesHands: false });
        ada.close(1000);
        await ada.expectEnd();
      },
    },
    {
      name: "MessagePack over server-sent events",
      play: async (run) => {
        const ada = await run.connect({ shakesHands: false, transport: "ServerSentEvents" });
        ada.sendRaw(`{"protocol":"messagepack","version":1}${SEPARATOR}`);
        await ada.expectEnd();
      },
    },
    {
      name: "an unknown protocol over server-sent events",
      play: async (run) => {
        const ada = await run.connect({ shakesHands: false, transport: "ServerSentEvents" });
        ada.sendRaw(`{"protocol":"xml","version":1}${SEPARATOR}`);
        await ada.expectEnd();
      },
    },
    {
      name: "an unknown protocol over long polling",
      play: async (run) => {
        const ada = await run.connect({ shakesHands: false, transport: "LongPolling" });
        ada.sendRaw(`{"protocol":"xml","version":1}${SEPARATOR}`);
        await ada.expectEnd();
      },
    },
    {
      name: "nothing over long polling",
      play: async (run) => {
        const ada = await run.connect({ shakesHands: false, transport: "LongPolling", hub: "/hubs/impatient" });
        await ada.expectEnd();
      },
    },
  ],
};
