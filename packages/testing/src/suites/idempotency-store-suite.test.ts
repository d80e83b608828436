import type { CommandOutcome, CommandStart, IdempotencyStore } from "@hubward/server/ports";
import { describe, expect, it } from "vitest";
import {
  idempotencyStoreSuite,
  type CreateIdempotencyStore,
  type IdempotencyStoreSettings,
} from "./idempotency-store-suite.js";

interface Entry {
  readonly owner: string;
  readonly digest: string;
  readonly outcome: Promise<CommandOutcome>;
  forgetAt: number;
}

/** A small store that keeps the contract, with the places where the broken ones differ. */
class SmallStore implements IdempotencyStore {
  readonly entries = new Map<string, Entry>();
  readonly settings: IdempotencyStoreSettings;

  constructor(settings: IdempotencyStoreSettings) {
    this.settings = settings;
  }

  keyOf(key: string): string {
    return key;
  }

  keep(outcome: CommandOutcome): CommandOutcome {
    return outcome;
  }

  isOwn(key: string, entry: Entry): boolean {
    return this.entries.get(key) === entry;
  }

  get keepMs(): number {
    return this.settings.keepMs;
  }

  get isFull(): boolean {
    return this.entries.size >= this.settings.maxCommands;
  }

  isForgotten({ forgetAt }: Entry): boolean {
    return forgetAt <= this.settings.clock.monotonic();
  }

  /** Whether this owner leaves room for others. */
  isModest(owner: string): boolean {
    const own = [...this.entries.values()].filter((entry) => entry.owner === owner).length;
    return own < this.settings.maxCommands - this.entries.size;
  }

  start(rawKey: string, digest: string, owner: string): CommandStart | Promise<CommandStart> {
    const key = this.keyOf(rawKey);
    for (const [each, entry] of this.entries) if (this.isForgotten(entry)) this.entries.delete(each);
    const known = this.entries.get(key);
    if (known !== undefined) {
      return known.digest === digest ? { state: "known", outcome: known.outcome } : { state: "conflict" };
    }
    if (this.isFull || !this.isModest(owner)) return { state: "full" };
    return this.claim(key, digest, owner);
  }

  claim(key: string, digest: string, owner: string): CommandStart {
    let settle: (outcome: CommandOutcome) => void = () => undefined;
    let giveUp: (error: Error) => void = () => undefined;
    const outcome = new Promise<CommandOutcome>((resolve, reject) => {
      settle = resolve;
      giveUp = reject;
    });
    outcome.catch(() => undefined);
    const entry: Entry = { owner, digest, outcome, forgetAt: Infinity };
    this.entries.set(key, entry);
    return {
      state: "started",
      finish: (result) => {
        if (!this.isOwn(key, entry)) return;
        entry.forgetAt = this.settings.clock.monotonic() + this.keepMs;
        settle(this.keep(result));
      },
      abandon: () => {
        if (!this.isOwn(key, entry) || entry.forgetAt !== Infinity) return;
        this.entries.delete(key);
        giveUp(new Error("abandoned"));
      },
    };
  }
}

type Started = Extract<CommandStart, { state: "started" }>;

/** The same with transactions. */
class CommittingStore extends SmallStore {
  override claim(key: string, digest: string, owner: string): CommandStart {
    const started = super.claim(key, digest, owner) as Started;
    return { ...started, commit: (work) => this.commit(started, work) as ReturnType<typeof work> };
  }

  isOpen = (started: Started): boolean => !this.#committed.has(started);
  readonly #committed = new Set<Started>();

  commit(started: Started, work: (transaction: unknown) => unknown): unknown {
    if (!this.isOpen(started)) throw new TypeError("ended");
    const value = work(undefined);
    this.#committed.add(started);
    void started.finish({ kind: "value", value });
    return value;
  }
}

async function failures(create: CreateIdempotencyStore): Promise<string[]> {
  const failed: string[] = [];
  for (const each of idempotencyStoreSuite) await each.run(create).catch(() => failed.push(each.name));
  return failed;
}

describe("the suite for idempotency stores", () => {
  it("passes a store that keeps the contract, also one that answers later", async () => {
    expect(await failures((settings) => new SmallStore(settings))).toEqual([]);
    expect(await failures((settings) => new CommittingStore(settings))).toEqual([]);
    const later: CreateIdempotencyStore = async (settings) => {
      const store = new SmallStore(settings);
      return { start: async (key, digest, owner) => store.start(key, digest, owner) };
    };
    expect(await failures(later)).toEqual([]);
  });

  it.each<[string, new (settings: IdempotencyStoreSettings) => SmallStore, RegExp]>([
    [
      "looks, pauses, then claims",
      class extends SmallStore {
        override async start(key: string, digest: string, owner: string): Promise<CommandStart> {
          const found = this.entries.get(key);
          await Promise.resolve();
          return found === undefined ? this.claim(key, digest, owner) : super.start(key, digest, owner);
        }
      },
      /exactly one/,
    ],
    [
      "folds the case of keys",
      class extends SmallStore {
        override keyOf(key: string): string {
          return key.toLowerCase();
        }
      },
      /compared exactly/,
    ],
    [
      "ends keys at a NUL",
      class extends SmallStore {
        override keyOf(key: string): string {
          return key.replace(/\u0000.*/su, "");
        }
      },
      /compared exactly/,
    ],
    [
      "normalises keys",
      class extends SmallStore {
        override keyOf(key: string): string {
          return key.normalize();
        }
      },
      /compared exactly/,
    ],
    [
      "forgets why a command failed",
      class extends SmallStore {
        override keep(outcome: CommandOutcome): CommandOutcome {
          return outcome.kind === "value" ? outcome : { kind: "hidden" };
        }
      },
      /told the same/,
    ],
    [
      "ignores the arguments",
      class extends SmallStore {
        override start(key: string, _digest: string, owner: string): CommandStart | Promise<CommandStart> {
          return super.start(key, "same", owner);
        }
      },
      /conflict/,
    ],
    [
      "lets a stranger settle a claim",
      class extends SmallStore {
        override claim(key: string, digest: string, owner: string): CommandStart {
          const own = super.claim(key, digest, owner) as CommandStart & { state: "started" };
          return {
            ...own,
            abandon: () => {
              void own.abandon();
              this.entries.delete(key);
            },
          };
        }
      },
      /settled stays/,
    ],
    [
      "commits, and records something else",
      class extends CommittingStore {
        override commit(started: Started, work: (transaction: unknown) => unknown): unknown {
          const value = work(undefined);
          void started.finish({ kind: "hidden" });
          return value;
        }
      },
      /what is committed is the outcome/,
    ],
    [
      "commits twice",
      class extends CommittingStore {
        override isOpen = (): boolean => true;
      },
      /what is committed is the outcome/,
    ],
    [
      "gives a command up when its work throws",
      class extends CommittingStore {
        override commit(started: Started, work: (transaction: unknown) => unknown): unknown {
          try {
            return super.commit(started, work);
          } catch (error) {
            void started.abandon();
            throw error;
          }
        }
      },
      /whose work throws/,
    ],
    [
      "never forgets",
      class extends SmallStore {
        override get keepMs(): number {
          return Infinity;
        }
      },
      /remembered for as long/,
    ],
    [
      "forgets too early",
      class extends SmallStore {
        override get keepMs(): number {
          return super.keepMs - 1;
        }
      },
      /remembered for as long/,
    ],
    [
      "has no bound",
      class extends SmallStore {
        override get isFull(): boolean {
          return false;
        }

        override isModest(): boolean {
          return true;
        }
      },
      /full store/,
    ],
    [
      "lets some use up the room of all",
      class extends SmallStore {
        override isModest(): boolean {
          return true;
        }
      },
      /finds room/,
    ],
    [
      "makes room by forgetting the oldest",
      class extends SmallStore {
        override get isFull(): boolean {
          const [oldest] = this.entries.keys();
          if (super.isFull && oldest !== undefined) this.entries.delete(oldest);
          return false;
        }
      },
      /full store/,
    ],
  ])("catches a store that %s", async (_, Broken, expected) => {
    const failed = await failures((settings) => new Broken(settings));
    expect(failed.filter((name) => expected.test(name))).toHaveLength(1);
  });
});
