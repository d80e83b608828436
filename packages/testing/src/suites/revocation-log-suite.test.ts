import {
  readNewRevocation,
  type NewRevocation,
  type Revocation,
  type RevocationListener,
  type RevocationLog,
  type RevocationPage,
} from "@hubward/server/ports";
import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { revocationLogSuite, type OpenRevocationLog, type RevocationLogSettings } from "./revocation-log-suite.js";

/** What stays when a log is closed. */
interface Disk {
  entries: Revocation[];
  head: number;
}

/** A small log that keeps the contract, with the places where the broken ones differ. */
class SmallLog implements RevocationLog {
  readonly isDurable: boolean = true;
  readonly listeners: RevocationListener[] = [];
  readonly settings: RevocationLogSettings;
  readonly disk: Disk;
  pageSize = 1_000;
  isClosed = false;

  constructor(settings: RevocationLogSettings, disk: Disk) {
    this.settings = settings;
    this.disk = disk;
  }

  isKept({ kind, keepUntil, number, target }: Revocation): boolean {
    if (kind !== "suspension") return (keepUntil ?? Infinity) > this.settings.clock.now();
    const same = JSON.stringify(target);
    return !this.disk.entries.some(
      (each) => each.kind === "lift" && each.number > number && JSON.stringify(each.target) === same,
    );
  }

  check(added: NewRevocation): NewRevocation {
    return readNewRevocation(added);
  }

  prune(): void {
    this.disk.entries = this.disk.entries.filter((entry) => this.isKept(entry));
  }

  nextNumber(): number {
    return ++this.disk.head;
  }

  write(entry: Revocation): void {
    this.disk.entries.push(entry);
  }

  tell(listener: RevocationListener, entry: Revocation): void {
    try {
      listener.entry(entry);
    } catch (error) {
      listener.interrupted(error);
    }
  }

  publish(entry: Revocation): void {
    this.listeners.slice().forEach((listener) => this.tell(listener, entry));
  }

  refuse(reason: "not_durable" | "auth_unavailable"): void {
    if (this.isClosed) throw new HubwardError(reason);
  }

  async append(added: NewRevocation): Promise<Revocation> {
    this.refuse("not_durable");
    const entry: Revocation = Object.freeze({ ...this.check(added), number: this.nextNumber() });
    this.write(entry);
    await Promise.resolve();
    this.publish(entry);
    return entry;
  }

  async read(after: number): Promise<RevocationPage> {
    this.refuse("auth_unavailable");
    this.prune();
    const rest = this.disk.entries.filter(({ number }) => number > after);
    const entries = rest.slice(0, this.pageSize);
    const { head } = this.disk;
    const upTo = rest.length > entries.length ? (entries.at(-1)?.number ?? head) : head;
    return { logId: this.settings.place, entries, upTo, head };
  }

  subscribe(listener: RevocationListener): () => void {
    this.refuse("auth_unavailable");
    const own = { entry: listener.entry.bind(listener), interrupted: listener.interrupted.bind(listener) };
    this.listeners.push(own);
    return () => void this.listeners.splice(this.listeners.indexOf(own), 1);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

type Build = new (settings: RevocationLogSettings, disk: Disk) => SmallLog;

function opener(Log: Build): OpenRevocationLog {
  const disks = new Map<string, Disk>();
  return (settings) => {
    const disk = disks.get(settings.place) ?? { entries: [], head: 0 };
    disks.set(settings.place, disk);
    return new Log(settings, disk);
  };
}

async function failures(open: OpenRevocationLog): Promise<string[]> {
  const failed: string[] = [];
  for (const each of revocationLogSuite) await each.run(open).catch(() => failed.push(each.name));
  return failed;
}

describe("the suite for logs of revocations", () => {
  it("passes a log that keeps the contract", async () => {
    expect(await failures(opener(SmallLog))).toEqual([]);
  });

  it.each<[string, Build, RegExp]>([
    [
      "begins with a number it did not give",
      class extends SmallLog {
        override async read(after: number): Promise<RevocationPage> {
          const page = await super.read(after);
          return { ...page, upTo: page.upTo + 1, head: page.head + 1 };
        }
      },
      /empty log/,
    ],
    [
      "gives a number twice",
      class extends SmallLog {
        override nextNumber(): number {
          return (this.disk.head = Math.max(1, this.disk.head + (this.disk.entries.length % 2)));
        }
      },
      /strictly increase/,
    ],
    [
      "counts what it remembers",
      class extends SmallLog {
        override nextNumber(): number {
          return (this.disk.head = this.disk.entries.length + 1);
        }
      },
      /number never given again/,
    ],
    [
      "forgets its head with its entries when it is closed",
      class extends SmallLog {
        override async close(): Promise<void> {
          await super.close();
          this.disk.head = this.disk.entries.at(-1)?.number ?? 0;
        }
      },
      /still knows its last number/,
    ],
    [
      "normalises names",
      class extends SmallLog {
        override write(entry: Revocation): void {
          const copy = JSON.parse(JSON.stringify(entry).normalize()) as Revocation;
          super.write(Object.freeze({ ...copy, target: Object.freeze(copy.target) }));
        }
      },
      /read back exactly/,
    ],
    [
      "loses tenants",
      class extends SmallLog {
        override write(entry: Revocation): void {
          const target = Object.freeze({ ...entry.target, tenant: undefined }) as unknown as Revocation["target"];
          super.write(Object.freeze({ ...entry, target }));
        }
      },
      /read back exactly/,
    ],
    [
      "takes anything",
      class extends SmallLog {
        override check(added: NewRevocation): NewRevocation {
          return added;
        }
      },
      /no entry is not taken/,
    ],
    [
      "writes later",
      class extends SmallLog {
        override write(entry: Revocation): void {
          setImmediate(() => super.write(entry));
        }
      },
      /as soon as its append/,
    ],
    [
      "reads the number asked for, too",
      class extends SmallLog {
        override read(after: number): Promise<RevocationPage> {
          return super.read(after === 0 ? 0 : after - 1);
        }
      },
      /leaves out everything up to it/,
    ],
    [
      "takes its page for the log",
      class extends SmallLog {
        override pageSize = 3;
        override async read(after: number): Promise<RevocationPage> {
          const page = await super.read(after);
          return { ...page, head: page.upTo };
        }
      },
      /none missing/,
    ],
    [
      "reads everything at once",
      class extends SmallLog {
        override pageSize = Infinity;
      },
      /in pages/,
    ],
    [
      "lets some appends overtake others",
      class extends SmallLog {
        calls = 0;
        override async append(added: NewRevocation): Promise<Revocation> {
          if (this.calls++ % 3 === 1) await Promise.resolve();
          return super.append(added);
        }
      },
      /in the order they were asked for/,
    ],
    [
      "tells listeners after it answers",
      class extends SmallLog {
        override publish(entry: Revocation): void {
          setImmediate(() => super.publish(entry));
        }
      },
      /before its append resolves/,
    ],
    [
      "tells others' entries only",
      class extends SmallLog {
        override publish(): void {
          // Its own are known to whoever appended them.
        }
      },
      /before its append resolves/,
    ],
    [
      "tells newcomers of what was before",
      class extends SmallLog {
        override subscribe(listener: RevocationListener): () => void {
          for (const entry of this.disk.entries) listener.entry(entry);
          return super.subscribe(listener);
        }
      },
      /before its append resolves/,
    ],
    [
      "believes before it keeps",
      class extends SmallLog {
        override write(entry: Revocation): void {
          this.publish(entry);
          queueMicrotask(() => queueMicrotask(() => super.write(entry)));
        }
        override async append(added: NewRevocation): Promise<Revocation> {
          const entry: Revocation = Object.freeze({ ...added, number: this.nextNumber() });
          this.write(entry);
          await new Promise((resolve) => setImmediate(resolve));
          return entry;
        }
      },
      /nothing that cannot be read/,
    ],
    [
      "stops at a listener that fails",
      class extends SmallLog {
        override tell(listener: RevocationListener, entry: Revocation): void {
          listener.entry(entry);
        }
      },
      /keeps nothing from the others/,
    ],
    [
      "hides that a listener failed",
      class extends SmallLog {
        override tell(listener: RevocationListener, entry: Revocation): void {
          try {
            listener.entry(entry);
          } catch {
            // Nobody hears of it.
          }
        }
      },
      /keeps nothing from the others/,
    ],
    [
      "tells entries as they are made, one inside the other",
      class extends SmallLog {
        override append(added: NewRevocation): Promise<Revocation> {
          const entry: Revocation = Object.freeze({ ...added, number: this.nextNumber() });
          this.write(entry);
          this.publish(entry);
          return Promise.resolve(entry);
        }
      },
      /nobody's order/,
    ],
    [
      "forgets too early",
      class extends SmallLog {
        override isKept(entry: Revocation): boolean {
          const keepUntil = entry.keepUntil === undefined ? undefined : entry.keepUntil - 1;
          return super.isKept({ ...entry, keepUntil: keepUntil as Revocation["keepUntil"] });
        }
      },
      /until it need not be/,
    ],
    [
      "never forgets",
      class extends SmallLog {
        override prune(): void {
          // There is always another disk.
        }
      },
      /until it need not be/,
    ],
    [
      "forgets suspensions with their age",
      class extends SmallLog {
        override isKept(entry: Revocation): boolean {
          return entry.kind === "suspension" ? entry.at + 3_600_000 > this.settings.clock.now() : super.isKept(entry);
        }
      },
      /stands for ever/,
    ],
    [
      "forgets lifts and keeps what they lifted",
      class extends SmallLog {
        override isKept(entry: Revocation): boolean {
          return entry.kind === "suspension" || super.isKept(entry);
        }
      },
      /never seen without its lift/,
    ],
    [
      "lifts with any lift of the person, also an earlier one",
      class extends SmallLog {
        override isKept(entry: Revocation): boolean {
          return super.isKept(entry.kind === "suspension" ? { ...entry, number: 0 } : entry);
        }
      },
      /stands for ever/,
    ],
    [
      "takes with a suspension whatever else is about the person",
      class extends SmallLog {
        override isKept(entry: Revocation): boolean {
          return super.isKept(entry.kind === "claims-changed" ? { ...entry, kind: "suspension" } : entry);
        }
      },
      /nothing away but suspensions/,
    ],
    [
      "lifts the suspension of everybody",
      class extends SmallLog {
        override isKept(entry: Revocation): boolean {
          const isLifted = this.disk.entries.some(({ kind, number }) => kind === "lift" && number > entry.number);
          return entry.kind === "suspension" ? !isLifted : super.isKept(entry);
        }
      },
      /nothing away but suspensions/,
    ],
    [
      "keeps no lift, as nothing is left to lift",
      class extends SmallLog {
        override write(entry: Revocation): void {
          super.write(entry);
          this.prune();
          if (entry.kind === "lift") this.disk.entries.pop();
        }
      },
      /those who read on/,
    ],
    [
      "goes on after it was closed",
      class extends SmallLog {
        override refuse(): void {
          // Nobody asked for it.
        }
      },
      /closed log/,
    ],
    [
      "blames the credential when it is closed",
      class extends SmallLog {
        override refuse(): void {
          if (this.isClosed) throw new HubwardError("session_revoked");
        }
      },
      /closed log/,
    ],
    [
      "is another log each time it is opened",
      class extends SmallLog {
        readonly opened = `${this.settings.place} ${Math.random()}`;
        override async read(after: number): Promise<RevocationPage> {
          return { ...(await super.read(after)), logId: this.opened };
        }
      },
      /the same log/,
    ],
    [
      "leaves its entries behind",
      class extends SmallLog {
        override async close(): Promise<void> {
          await super.close();
          this.disk.entries = [];
        }
      },
      /the same log/,
    ],
    [
      "does not wait for its appends when it is closed",
      class extends SmallLog {
        override async append(added: NewRevocation): Promise<Revocation> {
          const entry = await super.append(added);
          await new Promise((resolve) => setImmediate(resolve));
          return entry;
        }
      },
      /settles them first/,
    ],
    [
      "answers before it has written, and writes nothing once closed",
      class extends SmallLog {
        override write(entry: Revocation): void {
          queueMicrotask(() => void (this.isClosed || super.write(entry)));
        }
      },
      /has kept what it said/,
    ],
  ])("catches a log that %s", async (_, Broken, expected) => {
    const failed = await failures(opener(Broken));
    expect(failed.filter((name) => expected.test(name))).toHaveLength(1);
  });
});
