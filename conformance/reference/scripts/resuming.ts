/** Stateful reconnect: Ack, Sequence, replay, and who may come back. */

import { ack, close, invoke, sequence } from "../runner/hub-messages.js";
import type { Peer } from "../runner/peer.js";
import type { Run } from "../runner/run.js";
import type { Script, ScriptRun } from "../runner/script.js";

const HUB = "/hubs/resumable";

type Resumable = Peer & { readonly id: string; readonly token: string };

function resumes(
  name: string,
  play: (run: Run, ada: Resumable, path: string) => Promise<void>,
  version = 2,
): ScriptRun {
  return {
    name,
    play: async (run) => {
      const ada = await run.connect({ hub: HUB, isResumable: true, version });
      await play(run, ada, `${HUB}?id=${ada.token}`);
    },
  };
}

/** Comes back on a new WebSocket. */
async function comeBack(run: Run, ada: Resumable, path: string): Promise<void> {
  run.note("ada comes back");
  await run.open(ada, { path });
}

export const resuming: Script = {
  name: "stateful-reconnect",
  runs: [
    resumes("what was received is acknowledged", async (_run, ada) => {
      ada.send(invoke("1", "Echo", "one"), invoke("2", "Echo", "two"), { type: 6 });
      await ada.expect(2);
      await ada.expectType(8);
      ada.send(ack(2));
      ada.send(invoke("3", "Echo", "three"));
      await ada.expect();
      await ada.expectType(8);
    }),
    resumes("what has not been acknowledged is sent again", async (run, ada, path) => {
      ada.send(invoke("1", "Echo", "one"), invoke("2", "Echo", "two"));
      await ada.expect(2);
      ada.cut();
      await comeBack(run, ada, path);
      ada.send(sequence(3));
      await ada.expect(3);
      ada.send(invoke("3", "Echo", "three"));
      await ada.expect();
    }),
    resumes("what has been acknowledged is not", async (run, ada, path) => {
      ada.send(invoke("1", "Echo", "one"), invoke("2", "Echo", "two"));
      await ada.expect(2);
      ada.send(ack(1));
      await ada.expectType(8);
      ada.cut();
      await comeBack(run, ada, path);
      ada.send(sequence(3));
      await ada.expect(2);
      ada.send(invoke("3", "Echo", "three"));
      await ada.expect();
    }),
    resumes("everything acknowledged: the sequence is the next number", async (run, ada, path) => {
      ada.send(invoke("1", "Echo", "one"), invoke("2", "Echo", "two"));
      await ada.expect(2);
      ada.send(ack(2));
      await ada.expectType(8);
      ada.cut();
      await comeBack(run, ada, path);
      ada.send(sequence(3));
      await ada.expect();
      ada.send(invoke("3", "Echo", "three"));
      await ada.expect();
    }),
    resumes("nothing was ever sent", async (run, ada, path) => {
      ada.cut();
      await comeBack(run, ada, path);
      ada.send(sequence(1));
      await ada.expect();
      ada.send(invoke("1", "Echo", "one"));
      await ada.expect();
    }),
    resumes("what was said in the meantime arrives", async (run, ada, path) => {
      const bob = await run.connect({ name: "bob", hub: HUB });
      ada.send(invoke("1", "Join", "resumed"));
      await ada.expect();
      ada.cut();
      for (const what of ["one", "two"]) {
        bob.send(invoke("1", "TellGroup", "resumed", what));
        await bob.expect();
      }
      await comeBack(run, ada, path);
      ada.send(sequence(2));
      await ada.expect(4);
      bob.send(invoke("1", "TellGroup", "resumed", "three"));
      await bob.expect();
      await ada.expect();
    }),
    resumes("calls that are sent again are not made again", async (run, ada, path) => {
      ada.send(invoke("1", "TellCaller", "one"));
      await ada.expect(2);
      ada.cut();
      await comeBack(run, ada, path);
      ada.send(sequence(1), invoke("1", "TellCaller", "one"), invoke("2", "TellCaller", "two"));
      await ada.expect(5);
      ada.send(invoke("3", "Echo", "three"));
      await ada.expect();
    }),
    resumes("a call before the sequence", async (run, ada, path) => {
      ada.send(invoke("1", "Echo", "one"));
      await ada.expect();
      ada.cut();
      await comeBack(run, ada, path);
      await ada.expect(2);
      ada.send(invoke("2", "Echo", "before it"));
      ada.send(sequence(2));
      ada.send(invoke("3", "Echo", "after it"));
      ada.send(invoke("4", "Echo", "after that"));
      await ada.fence();
    }),
    resumes("a sequence beyond what is expected", async (run, ada, path) => {
      ada.send(invoke("1", "Echo", "one"));
      await ada.expect();
      ada.cut();
      await comeBack(run, ada, path);
      await ada.expect(2);
      ada.send(sequence(5));
      await ada.expectEnd();
    }),
    resumes("a sequence without coming back", async (_run, ada) => {
      ada.send(invoke("1", "Echo", "one"));
      await ada.expect();
      ada.send(sequence(2));
      ada.send(invoke("2", "Echo", "two"));
      await ada.expect();
    }),
    resumes("a sequence too high without coming back", async (_run, ada) => {
      ada.send(invoke("1", "Echo", "one"));
      await ada.expect();
      ada.send(sequence(9));
      await ada.expectEnd();
    }),
    resumes("an acknowledgement of what was never sent", async (run, ada, path) => {
      ada.send(invoke("1", "Echo", "one"));
      await ada.expect();
      ada.send(ack(100));
      ada.send(invoke("2", "Echo", "two"));
      await ada.expect();
      ada.cut();
      await comeBack(run, ada, path);
      ada.send(sequence(3));
      ada.send(invoke("3", "Echo", "three"));
      await ada.expect(3);
    }),
    resumes("coming back while the old socket is open and silent", async (run, ada, path) => {
      ada.send(invoke("1", "Echo", "one"));
      await ada.expect();
      ada.abandon();
      await comeBack(run, ada, path);
      ada.send(sequence(2));
      await ada.expect(2);
    }),
    resumes("a call that was running when the socket was lost", async (run, ada, path) => {
      const bob = await run.connect({ name: "bob", hub: HUB });
      ada.send(invoke("1", "Wait", "running-at-loss"));
      ada.send({ type: 6 });
      await settle(bob);
      ada.cut();
      bob.send(invoke("1", "Open", "running-at-loss"));
      await bob.expect();
      await comeBack(run, ada, path);
      ada.send(sequence(2));
      await ada.expect(2);
    }),
    resumes("somebody else comes back", async (run, ada, path) => {
      ada.send(invoke("1", "Echo", "one"));
      await ada.expect();
      ada.cut();
      await run.tryUpgrade(path, { as: "bob" });
    }),
    resumes("after a close frame of the client's there is no way back", async (run, ada, path) => {
      ada.close(1000);
      await ada.expectEnd();
      await run.tryUpgrade(path);
    }),
    resumes("after Close there is no way back", async (run, ada, path) => {
      ada.send(close());
      await ada.expectEnd();
      await run.tryUpgrade(path);
    }),
    resumes("after Close by the server there is no way back", async (run, ada, path) => {
      ada.send(invoke("1", "Abort"));
      await ada.expectEnd();
      await run.tryUpgrade(path);
    }),
    resumes(
      "protocol version 1: no acknowledgements, and no way back",
      async (run, ada, path) => {
        ada.send(invoke("1", "Echo", "one"));
        await ada.expect();
        ada.close(1000);
        await ada.expectEnd();
        await run.tryUpgrade(path);
      },
      1,
    ),
    {
      name: "not asked for at negotiate: protocol version 2 changes nothing",
      play: async (run) => {
        const ada = await run.connect({ hub: HUB, version: 2 });
        ada.send(invoke("1", "Echo", "one"));
        await ada.expect();
        await run.tryUpgrade(`${HUB}?id=${ada.token}`);
        await ada.fence();
      },
    },
    {
      name: "in MessagePack",
      play: async (run) => {
        const ada = await run.connect({ hub: HUB, isResumable: true, version: 2, encoding: "messagepack" });
        ada.send(invoke("1", "Echo", "one"));
        await ada.expect();
        await ada.expectType(8);
        ada.cut();
        await comeBack(run, ada, `${HUB}?id=${ada.token}`);
        ada.send(sequence(2));
        await ada.expect(2);
        ada.send(ack(1));
        ada.send(invoke("2", "Echo", "two"));
        await ada.expect();
      },
    },
    {
      name: "other transports do not resume",
      play: async (run) => {
        const ada = await run.connect({ hub: HUB, isResumable: true, version: 2, transport: "LongPolling" });
        ada.send(invoke("1", "Echo", "one"));
        await ada.expect();
        await run.tryUpgrade(`${HUB}?id=${ada.token}`);
      },
    },
  ],
};

/** A round trip of another connection. */
async function settle(bob: Peer): Promise<void> {
  await bob.fence();
}
