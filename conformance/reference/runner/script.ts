/** What a script is, and what is left of running it. */

import { Run, type Target } from "./run.js";
import type { Encoding } from "./hub-messages.js";
import { RunStopped } from "./peer.js";
import type { TransportName } from "./transports.js";

export interface ScriptRun {
  /** Unique in its script; a sentence. */
  readonly name: string;
  /** Where it must come to the same transcript. Default WebSockets only. */
  readonly transports?: readonly TransportName[] | undefined;
  play(run: Run): Promise<void>;
}

export interface Script {
  /** The name of its transcripts' file. */
  readonly name: string;
  /** Its runs may go on side by side: they mostly wait, tell others nothing and open no gate. Default false. */
  readonly isConcurrent?: boolean | undefined;
  readonly runs: readonly ScriptRun[];
}

export const everyTransport: readonly TransportName[] = ["WebSockets", "ServerSentEvents", "LongPolling"];

/** The same run in both encodings, over every transport that carries them. */
export function inBothEncodings(
  name: string,
  play: (run: Run, encoding: Encoding) => Promise<void>,
): readonly ScriptRun[] {
  return [
    { name, transports: everyTransport, play: (run) => play(run, "json") },
    {
      name: `${name} [MessagePack]`,
      transports: ["WebSockets", "LongPolling"],
      play: (run) => play(run, "messagepack"),
    },
  ];
}

/** Runs it to its end, or as far as it gets. */
export async function transcribe(
  target: Target,
  { play }: ScriptRun,
  transport: TransportName,
): Promise<readonly string[]> {
  const run = new Run(target, transport);
  try {
    await play(run);
  } catch (error) {
    if (!(error instanceof RunStopped)) throw error;
    run.note("the script cannot go on");
  } finally {
    run.finish();
  }
  return run.entries;
}
