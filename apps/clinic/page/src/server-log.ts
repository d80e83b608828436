/** What the server said, newest last, for people to read. */
import { type ReadonlySignal, signal } from "@preact/signals";

export type LogKind = "connection" | "credential" | "refusal" | "order" | "note" | "alarm";

export interface LogEntry {
  readonly id: number;
  /** The device's clock, for reading only. */
  readonly at: Date;
  readonly kind: LogKind;
  readonly text: string;
  /** The server's own words, `token_expired;action=refresh`. */
  readonly said: string | undefined;
}

export interface ServerLog {
  readonly entries: ReadonlySignal<readonly LogEntry[]>;
  add(kind: LogKind, text: string, said?: string): void;
  clear(): void;
}

export const maxLogEntries = 200;

export function createServerLog(now: () => Date): ServerLog {
  const entries = signal<readonly LogEntry[]>([]);
  let lastId = 0;
  return {
    entries,
    add(kind, text, said) {
      lastId += 1;
      const entry: LogEntry = { id: lastId, at: now(), kind, text, said: said === "" ? undefined : said };
      entries.value = [...entries.peek().slice(1 - maxLogEntries), entry];
    },
    clear() {
      entries.value = [];
    },
  };
}
