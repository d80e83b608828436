/** What a hub says to its clients: to whom, in which form, in which order. */

import { invoke } from "../runner/hub-messages.js";
import type { Peer } from "../runner/peer.js";
import type { Run } from "../runner/run.js";
import { inBothEncodings, type Script } from "../runner/script.js";
import type { Encoding } from "../runner/hub-messages.js";

type Identified = Peer & { readonly id: string };

/** Three connections: two of Ada's, one of Bob's. */
async function three(run: Run, encoding: Encoding): Promise<readonly [Identified, Identified, Identified]> {
  return [
    await run.connect({ encoding }),
    await run.connect({ name: "ada's other", as: "ada", encoding }),
    await run.connect({ name: "bob", encoding }),
  ];
}

/** Ada calls; then everyone shows what came. */
async function says(all: readonly Peer[], target: string, ...args: readonly string[]): Promise<void> {
  const [ada] = all;
  ada?.send(invoke("1", target, ...args));
  await ada?.fence();
  for (const other of all.slice(1)) await other.fence();
}

export const events: Script = {
  name: "events",
  runs: [
    ...inBothEncodings("to the caller", async (run, encoding) => {
      const ada = await run.connect({ encoding });
      for (const target of ["TellNothing", "TellSeveral", "TellBytes"]) {
        ada.send(invoke("1", target));
        await ada.fence();
      }
      ada.send(invoke("2", "TellCaller", "hello"));
      await ada.fence();
    }),
    ...inBothEncodings("in order, before the Completion", async (run, encoding) => {
      const ada = await run.connect({ encoding });
      ada.send(invoke("1", "TellMany", 20));
      await ada.fence();
    }),
    ...inBothEncodings("to all, to others, to one connection, to one user", async (run, encoding) => {
      const all = await three(run, encoding);
      await says(all, "TellAll", "all");
      await says(all, "TellOthers", "others");
      await says(all, "TellConnection", all[2].id, "one");
      await says(all, "TellUser", "ada", "user");
      await says(all, "TellUser", "ADA", "user in other letters");
      await says(all, "TellConnection", "nobody", "none");
      await says(all, "TellAllExcept", "all but one", all[1].id);
    }),
    ...inBothEncodings("to groups", async (run, encoding) => {
      const all = await three(run, encoding);
      const [ada, , bob] = all;
      await says(all, "TellGroup", "icu", "nobody is in it");
      await says(all, "Join", "icu");
      await says(all, "Join", "icu");
      bob.send(invoke("1", "Join", "icu"));
      await bob.fence();
      await says(all, "TellGroup", "icu", "group");
      await says(all, "TellOthersInGroup", "icu", "others in the group");
      await says(all, "TellGroupExcept", "icu", "all but bob", bob.id);
      await says(all, "TellGroup", "ICU", "in other letters");
      await says(all, "Leave", "icu");
      await says(all, "Leave", "icu");
      await says(all, "TellGroup", "icu", "ada has left");
      await ada.fence();
    }),
    {
      name: "a connection that is gone is told nothing",
      play: async (run) => {
        const ada = await run.connect();
        const bob = await run.connect({ name: "bob" });
        bob.send(invoke("1", "Join", "icu-2"));
        await bob.expect();
        bob.close(1000);
        await bob.expectEnd();
        await says([ada], "TellGroup", "icu-2", "gone");
        await says([ada], "TellConnection", bob.id, "gone");
      },
    },
    {
      name: "said in OnConnected",
      transports: ["WebSockets", "ServerSentEvents", "LongPolling"],
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/greeting" });
        await ada.expect();
        await ada.fence();
      },
    },
    {
      name: "said in OnDisconnected",
      play: async (run) => {
        const ada = await run.connect({ hub: "/hubs/greeting" });
        await ada.expect();
        const bob = await run.connect({ name: "bob", hub: "/hubs/greeting" });
        await bob.expect();
        bob.close(1000);
        await bob.expectEnd();
        await ada.expect();
        const carol = await run.connect({ name: "carol", hub: "/hubs/greeting" });
        await carol.expect();
        carol.cut();
        await ada.expect();
        const dan = await run.connect({ name: "dan", hub: "/hubs/greeting" });
        await dan.expect();
        dan.send(invoke("1", "Abort"));
        await dan.expectEnd();
        await ada.expect();
        const eve = await run.connect({ name: "eve", hub: "/hubs/greeting" });
        await eve.expect();
        eve.sendRaw("no message\x1e");
        await eve.expectEnd();
        await ada.expect();
      },
    },
  ],
};
