/**
 * What every log of revocations must show. Free of any test runner: each case rejects with an AssertionError when
 * the log breaks its contract.
 *
 *     for (const each of revocationLogSuite) test(each.name, () => each.run(openMyLog));
 */

import assert from "node:assert/strict";
import {
  createRevocation,
  type EpochMs,
  type NewRevocation,
  type Revocation,
  type RevocationListener,
  type RevocationLog,
  type RevocationPage,
  type RevocationRequest,
} from "@hubward/server/ports";
import { createFakeClock, type FakeClock } from "../fake-clock.js";

/** What a log is opened with. */
export interface RevocationLogSettings {
  readonly clock: FakeClock;
  /** Where it keeps its entries. Opened again under the same name, it must have them still; each case has its own. */
  readonly place: string;
}

export type OpenRevocationLog = (settings: RevocationLogSettings) => RevocationLog | Promise<RevocationLog>;

export interface RevocationLogCase {
  /** A sentence. */
  readonly name: string;
  /** Which settings must be honoured for this case. A log that cannot leaves the case out, and says why. */
  readonly needs: readonly (keyof RevocationLogSettings)[];
  run(open: OpenRevocationLog): Promise<void>;
}

interface Bench {
  readonly clock: FakeClock;
  readonly log: RevocationLog;
  /** Closes the log and opens it again in the same place. */
  reopen(): Promise<RevocationLog>;
}

const TOKEN_AGE_MS = 60 * 60 * 1000;
const issuer = "https://issuer.example";
const HOSTILE_NAMES = [
  "a",
  "A",
  "a ",
  "__proto__",
  "é",
  "e\u0301",
  "'; --",
  '"\\',
  "\u{1F3E5}\u2028",
  "x".repeat(2_048),
];

let opened = 0;

function contractCase(
  name: string,
  run: (bench: Bench) => Promise<void>,
  needs: RevocationLogCase["needs"] = [],
): RevocationLogCase {
  return {
    name,
    needs,
    async run(open) {
      const clock = createFakeClock();
      const place = `case-${++opened}`;
      const logs: RevocationLog[] = [];
      const openOne = async (): Promise<RevocationLog> => {
        const log = await open({ clock, place });
        logs.push(log);
        return log;
      };
      try {
        const log = await openOne();
        const reopen = async (): Promise<RevocationLog> => {
          await Promise.all(logs.map((each) => each.close()));
          return openOne();
        };
        await run({ clock, log, reopen });
      } finally {
        for (const log of logs) await log.close();
      }
    },
  };
}

function entryOf(clock: FakeClock, request: RevocationRequest): NewRevocation {
  return createRevocation(request, { now: clock.now(), maxTokenAgeMs: TOKEN_AGE_MS, skewMs: 0 });
}

function sessionEnd(clock: FakeClock, sessionId: string): NewRevocation {
  return entryOf(clock, { kind: "end", target: { type: "session", tenant: undefined, issuer, sessionId } });
}

function onPerson(clock: FakeClock, kind: "suspension" | "lift", subject: string): NewRevocation {
  return entryOf(clock, { kind, target: { type: "identity", tenant: "north", issuer, subject } });
}

/** Every shape of entry. */
function everyShape(clock: FakeClock, name: string): NewRevocation[] {
  const identity = { type: "identity", tenant: undefined, issuer, subject: name } as const;
  const requests: RevocationRequest[] = [
    { kind: "end", target: { type: "token", issuer, tokenId: name } },
    { kind: "end", target: { type: "session", tenant: name, issuer, sessionId: name }, reason: "reauth_required" },
    { kind: "end", target: { type: "key", issuer, keyId: name } },
    {
      kind: "end",
      target: { type: "issued-before", before: 1_234 as EpochMs, scope: { type: "issuer", issuer: name } },
    },
    { kind: "end", target: { type: "issued-before", before: clock.now(), scope: { type: "all" } } },
    { kind: "suspension", target: { ...identity, tenant: name } },
    { kind: "suspension", target: { type: "client", issuer, clientId: name } },
    { kind: "suspension", target: { type: "tenant", tenant: name } },
    { kind: "claims-changed", target: identity },
    { kind: "claims-changed", target: { type: "all" } },
  ];
  return requests.map((request) => entryOf(clock, request));
}

/** The whole log after a number, page by page. */
async function readAll(log: RevocationLog, after = 0): Promise<RevocationPage> {
  const entries: Revocation[] = [];
  for (let from = after; ;) {
    const page = await log.read(from);
    for (const entry of page.entries) {
      assert.ok(entry.number > from && entry.number <= page.upTo, `${entry.number} is in the page up to ${page.upTo}`);
      from = entry.number;
      entries.push(entry);
    }
    assert.ok(page.upTo <= page.head, `${page.upTo} of ${page.head}`);
    if (page.upTo === page.head) return { ...page, entries };
    assert.ok(page.upTo >= from && page.entries.length > 0, "a page that leads nowhere");
    from = page.upTo;
  }
}

async function appendAll(log: RevocationLog, entries: readonly NewRevocation[]): Promise<Revocation[]> {
  const appended: Revocation[] = [];
  for (const entry of entries) appended.push(await log.append(entry));
  return appended;
}

/** A promise whose rejection is not lost when nobody comes to wait for it. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function numbersOf(entries: readonly Revocation[]): number[] {
  return entries.map(({ number }) => number);
}

/** Compares as plain data: a member that is undefined may as well be missing. */
function assertSame(actual: unknown, expected: unknown, message?: string): void {
  assert.deepEqual(JSON.parse(JSON.stringify(actual)), JSON.parse(JSON.stringify(expected)), message);
}

function recorder(): RevocationListener & { readonly told: Revocation[]; readonly interruptions: unknown[] } {
  const told: Revocation[] = [];
  const interruptions: unknown[] = [];
  return {
    told,
    interruptions,
    entry: (entry) => void told.push(entry),
    interrupted: (error) => void interruptions.push(error),
  };
}

/** Who is suspended, for somebody who reads the log from its beginning. */
async function suspendedIn(log: RevocationLog): Promise<string[]> {
  const suspended = new Set<string>();
  for (const { kind, target } of (await readAll(log)).entries) {
    if (target.type !== "identity") continue;
    if (kind === "suspension") suspended.add(target.subject);
    if (kind === "lift") suspended.delete(target.subject);
  }
  return [...suspended];
}

async function refusal(attempt: () => unknown): Promise<unknown> {
  try {
    await attempt();
  } catch (error) {
    return error instanceof Error && "reason" in error ? error.reason : error;
  }
  return "nothing: it was done";
}

export const revocationLogSuite: readonly RevocationLogCase[] = [
  contractCase("an empty log has nothing to read and no number", async ({ log }) => {
    const { entries, upTo, head } = await log.read(0);
    assert.deepEqual({ entries, upTo, head }, { entries: [], upTo: 0, head: 0 });
  }),
  contractCase("numbers begin at 1 or later and strictly increase", async ({ log, clock }) => {
    const numbers = numbersOf(
      await appendAll(
        log,
        ["1", "2", "3", "4"].map((name) => sessionEnd(clock, name)),
      ),
    );
    for (const [index, number] of numbers.entries()) {
      assert.ok(Number.isSafeInteger(number) && number > (numbers[index - 1] ?? 0), `${numbers.join(", ")}`);
    }
  }),
  contractCase("what is appended is read back exactly, whatever stands in it", async ({ log, clock }) => {
    for (const name of HOSTILE_NAMES) {
      const asked = everyShape(clock, name);
      const { head } = await log.read(0);
      const appended = await appendAll(log, asked);
      const numbered = asked.map((entry, index) => ({ ...entry, number: appended[index]?.number }));
      assertSame(appended, numbered, "what append answers");
      const read = (await readAll(log, head)).entries;
      assertSame(read, appended, "what is read");
      for (const entry of read) assert.ok(Object.isFrozen(entry) && Object.isFrozen(entry.target), "a frozen entry");
    }
  }),
  contractCase("what is no entry is not taken, and spoils nothing for those beside it", async ({ log, clock }) => {
    const good = sessionEnd(clock, "good");
    const target = { type: "session", tenant: undefined, issuer, sessionId: "" };
    const wrong = [
      { ...good, kind: "pause" },
      { ...good, target },
      { ...good, keepUntil: undefined },
    ] as unknown as NewRevocation[];
    const outcomes = await Promise.allSettled([good, ...wrong, good].map((entry) => log.append(entry)));
    const taken = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "rejected", "rejected", "rejected", "fulfilled"],
    );
    assertSame((await readAll(log)).entries, taken);
  }),
  contractCase("an entry can be read as soon as its append has resolved", async ({ log, clock }) => {
    for (const name of ["1", "2", "3"]) {
      const { number } = await log.append(sessionEnd(clock, name));
      const page = await readAll(log, number - 1);
      assert.deepEqual([numbersOf(page.entries), page.head], [[number], number]);
    }
  }),
  contractCase("reading after a number leaves out everything up to it", async ({ log, clock }) => {
    const numbers = numbersOf(
      await appendAll(
        log,
        ["1", "2", "3", "4"].map((name) => sessionEnd(clock, name)),
      ),
    );
    for (const [index, number] of numbers.entries()) {
      const page = await readAll(log, number);
      assert.deepEqual(numbersOf(page.entries), numbers.slice(index + 1));
      assert.equal(page.head, numbers.at(-1), "the head is the log's, not the page's");
    }
  }),
  contractCase("concurrent appends are numbered in the order they were asked for in", async ({ log, clock }) => {
    const listener = recorder();
    log.subscribe(listener);
    const asked = Array.from({ length: 64 }, (_, index) => sessionEnd(clock, `session-${index}`));
    const appended = await Promise.all(asked.map((entry) => log.append(entry)));
    assertSame(
      appended.map(({ target }) => target),
      asked.map(({ target }) => target),
    );
    const numbers = numbersOf(appended);
    assert.equal(new Set(numbers).size, 64, "numbers were given twice");
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    assert.deepEqual(numbersOf((await readAll(log)).entries), numbers);
    assert.deepEqual(numbersOf(listener.told), numbers);
  }),
  contractCase("a long log is read in pages, none missing and none twice", async ({ log, clock }) => {
    const asked = Array.from({ length: 2_500 }, (_, index) => sessionEnd(clock, `session-${index}`));
    const numbers = numbersOf(await Promise.all(asked.map((entry) => log.append(entry))));
    const first = await log.read(0);
    assert.ok(first.entries.length <= 2_000, `one page of ${first.entries.length}`);
    assert.deepEqual(numbersOf((await readAll(log)).entries), numbers);
  }),
  contractCase("a listener is told of each entry once and in order, before its append resolves", async (bench) => {
    const { log, clock } = bench;
    await log.append(sessionEnd(clock, "before"));
    const [first, second] = [recorder(), recorder()];
    log.subscribe(first);
    const end = log.subscribe(second);
    const appended: Revocation[] = [];
    for (const name of ["1", "2", "3"]) {
      appended.push(await log.append(sessionEnd(clock, name)));
      assertSame(first.told, appended);
    }
    end();
    appended.push(await log.append(sessionEnd(clock, "4")));
    assertSame(first.told, appended);
    assertSame(second.told, appended.slice(0, 3), "whoever left is told nothing");
    assert.deepEqual(first.interruptions, []);
  }),
  contractCase("a listener is told of nothing that cannot be read", async ({ log, clock }) => {
    const reads: Promise<RevocationPage>[] = [];
    const listener = { ...recorder(), entry: ({ number }: Revocation) => void reads.push(heard(log.read(number - 1))) };
    log.subscribe(listener);
    const { number } = await log.append(sessionEnd(clock, "1"));
    const pages = await Promise.all(reads);
    assert.deepEqual(
      pages.map(({ entries }) => numbersOf(entries)),
      [[number]],
    );
  }),
  contractCase("a listener that fails is told so, and keeps nothing from the others", async ({ log, clock }) => {
    const failure = new Error("planted");
    const failing = {
      ...recorder(),
      entry: (): void => {
        throw failure;
      },
    };
    const other = recorder();
    log.subscribe(failing);
    log.subscribe(other);
    const appended = await appendAll(log, [sessionEnd(clock, "1"), sessionEnd(clock, "2")]);
    assert.deepEqual(failing.interruptions, [failure, failure]);
    assertSame(other.told, appended);
    assertSame((await readAll(log)).entries, appended);
  }),
  contractCase("a listener that appends changes nobody's order", async ({ log, clock }) => {
    const appends: Promise<Revocation>[] = [];
    let more = 0;
    log.subscribe({
      ...recorder(),
      entry: () => {
        if (more < 3) appends.push(heard(log.append(sessionEnd(clock, `more-${more++}`))));
      },
    });
    const other = recorder();
    log.subscribe(other);
    await log.append(sessionEnd(clock, "first"));
    for (let index = 0; index < 3; index++) await appends[index];
    assert.deepEqual(numbersOf(other.told), numbersOf((await readAll(log)).entries));
    assert.equal(other.told.length, 4);
  }),
  contractCase(
    "an entry is remembered until it need not be, then forgotten, and its number never given again",
    async ({ log, clock }) => {
      const [first] = await appendAll(log, [sessionEnd(clock, "early")]);
      clock.advance(1_000);
      const [second] = await appendAll(log, [sessionEnd(clock, "late")]);
      assert.ok(first !== undefined && second !== undefined);
      clock.advance(TOKEN_AGE_MS - 1_001);
      assertSame((await readAll(log)).entries, [first, second], "one was forgotten too early");
      clock.advance(1);
      assertSame((await readAll(log)).entries, [second], "one was not forgotten");
      clock.advance(1_000);
      const page = await readAll(log);
      assert.deepEqual([page.entries, page.upTo, page.head], [[], second.number, second.number]);
      const third = await log.append(sessionEnd(clock, "next"));
      assert.ok(third.number > second.number, "a number was given again");
    },
    ["clock"],
  ),
  contractCase(
    "a suspension stands for ever, unless it is lifted, and is never seen without its lift",
    async ({ log, clock }) => {
      await appendAll(log, [
        onPerson(clock, "suspension", "ann"),
        onPerson(clock, "suspension", "bob"),
        onPerson(clock, "suspension", "bob"),
        onPerson(clock, "suspension", "eve"),
      ]);
      clock.advance(TOKEN_AGE_MS);
      assert.deepEqual(await suspendedIn(log), ["ann", "bob", "eve"]);
      await appendAll(log, [onPerson(clock, "lift", "bob"), onPerson(clock, "lift", "eve")]);
      await log.append(onPerson(clock, "suspension", "eve"));
      for (let halves = 0; halves < 6; halves++) {
        assert.deepEqual(await suspendedIn(log), ["ann", "eve"], `after ${halves} half token ages`);
        clock.advance(TOKEN_AGE_MS / 2);
      }
    },
    ["clock"],
  ),
  contractCase("a lift takes nothing away but suspensions, and of its own target only", async ({ log, clock }) => {
    const person = { type: "identity", tenant: "north", issuer, subject: "ann" } as const;
    const stay = await appendAll(log, [
      entryOf(clock, { kind: "claims-changed", target: person }),
      onPerson(clock, "suspension", "bob"),
      entryOf(clock, { kind: "suspension", target: { ...person, tenant: undefined } }),
      entryOf(clock, { kind: "end", target: { type: "issued-before", before: clock.now(), scope: person } }),
    ]);
    await log.append(onPerson(clock, "suspension", "ann"));
    const lift = await log.append(onPerson(clock, "lift", "ann"));
    const read = (await readAll(log)).entries.filter(({ number }) => number !== lift.number - 1);
    assertSame(read, [...stay, lift]);
  }),
  contractCase("a lift is there for those who read on from the suspension", async ({ log, clock }) => {
    const { number } = await log.append(onPerson(clock, "suspension", "ann"));
    const lift = await log.append(onPerson(clock, "lift", "ann"));
    assertSame((await readAll(log, number)).entries, [lift]);
  }),
  contractCase("a closed log takes nothing, tells nothing and says which of it", async ({ log, clock }) => {
    const listener = recorder();
    log.subscribe(listener);
    await log.close();
    await log.close();
    assert.equal(await refusal(() => log.append(sessionEnd(clock, "late"))), "not_durable");
    assert.equal(await refusal(() => log.read(0)), "auth_unavailable");
    assert.equal(await refusal(() => log.subscribe(recorder())), "auth_unavailable");
    assert.deepEqual(listener.told, []);
  }),
  contractCase(
    "opened again, it is the same log, with every entry and every number",
    async ({ log, clock, reopen }) => {
      assert.equal(log.isDurable, true, "a log that is not durable leaves this case out");
      const appended = await appendAll(
        log,
        HOSTILE_NAMES.flatMap((name) => everyShape(clock, name)),
      );
      const before = await readAll(log);
      const again = await reopen();
      assertSame(await readAll(again), before);
      const next = await again.append(sessionEnd(clock, "next"));
      assert.ok(next.number > (appended.at(-1)?.number ?? 0), "a number was given again");
    },
    ["place"],
  ),
  contractCase(
    "opened again after everything was forgotten, it still knows its last number",
    async ({ log, clock, reopen }) => {
      const { number } = await log.append(sessionEnd(clock, "old"));
      clock.advance(TOKEN_AGE_MS);
      assert.deepEqual((await readAll(log)).entries, []);
      const again = await reopen();
      const page = await readAll(again);
      assert.deepEqual([page.entries, page.head], [[], number]);
      assert.ok((await again.append(sessionEnd(clock, "new"))).number > number, "a number was given again");
    },
    ["place", "clock"],
  ),
  contractCase(
    "closed in the middle of appends, it settles them first, and has kept what it said it kept",
    async ({ log, clock, reopen }) => {
      let settled = 0;
      const appends = Array.from({ length: 20 }, (_, index) => log.append(sessionEnd(clock, `session-${index}`)));
      for (const append of appends) void append.catch(() => undefined).then(() => settled++);
      await log.close();
      // Only promises are let go on here, and no I/O.
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      assert.equal(settled, 20, "closed before its appends were settled");
      const outcomes = await Promise.allSettled(appends);
      const kept = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
      const read = new Set(numbersOf((await readAll(await reopen())).entries));
      for (const { number } of kept) assert.ok(read.has(number), `${number} was promised`);
    },
    ["place"],
  ),
];
