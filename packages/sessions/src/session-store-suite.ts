/**
 * What every session store must show. Free of any test runner: each case rejects with an AssertionError when the
 * store breaks its contract.
 */

import assert from "node:assert/strict";
import type { SessionStore, StoredSession } from "./session-store.js";

export interface SessionStoreCase {
  /** A sentence. */
  readonly name: string;
  /** Runs on an empty store with room for at least 200 sessions. */
  run(store: SessionStore): Promise<void>;
}

const now = Date.now();
const later = now + 3_600_000;

function session(sessionId: string, change: Partial<StoredSession> = {}): StoredSession {
  return {
    sessionId: sessionId.padEnd(22, "-"),
    subject: "nurse-7",
    clientId: "https://ward.example",
    claims: { roles: ["nurse"], shift: { ward: "icu", until: 17 }, note: "Zoë \u{1F3E5}" },
    revision: 0,
    family: { generation: 0, spentAt: [], startedAt: now, expiresAt: later },
    ...change,
  };
}

function rotated(previous: StoredSession): StoredSession {
  const { family, revision } = previous;
  return {
    ...previous,
    revision: revision + 1,
    family: { ...family, generation: family.generation + 1, spentAt: [now, ...family.spentAt] },
  };
}

export const sessionStoreSuite: readonly SessionStoreCase[] = [
  {
    name: "a session that was created is read back whole",
    async run(store) {
      const plain = session("plain");
      const full = session("full", {
        tenant: "st-mary",
        revision: 7,
        family: {
          generation: 3,
          spentAt: [now, now - 5],
          startedAt: now,
          expiresAt: later,
          ended: { at: now, why: "reuse" },
        },
        endIsAnnounced: true,
        device: "Firefox on the ward's desk \u{1F3E5}",
      });
      await store.create(plain);
      await store.create(full);
      assert.deepEqual(await store.read(plain.sessionId), plain);
      assert.deepEqual(await store.read(full.sessionId), full);
    },
  },
  {
    name: "an unknown session is undefined, whatever its name",
    async run(store) {
      for (const name of ["unknown", "__proto__", "constructor", "", "'; drop table sessions; --", "a\u0000b", "*"]) {
        assert.equal(await store.read(name), undefined);
      }
    },
  },
  {
    name: "names differ by letter case",
    async run(store) {
      await store.create(session("Case"));
      assert.equal(await store.read(session("case").sessionId), undefined);
    },
  },
  {
    name: "an id that is taken is refused, and what stands there stays",
    async run(store) {
      await store.create(session("taken"));
      await assert.rejects(store.create(session("taken", { subject: "intruder" })));
      assert.equal((await store.read(session("taken").sessionId))?.subject, "nurse-7");
    },
  },
  {
    name: "a change is made when the revision is the expected one",
    async run(store) {
      const first = session("change");
      const second = rotated(first);
      await store.create(first);
      assert.equal(await store.compareAndSet(0, second), true);
      assert.deepEqual(await store.read(first.sessionId), second);
      assert.equal(await store.compareAndSet(1, rotated(second)), true);
      assert.deepEqual(await store.read(first.sessionId), rotated(second));
    },
  },
  {
    name: "a change of another revision is refused and changes nothing",
    async run(store) {
      const first = session("stale");
      const second = rotated(first);
      await store.create(first);
      await store.compareAndSet(0, second);
      assert.equal(await store.compareAndSet(0, { ...second, subject: "intruder" }), false);
      assert.equal(await store.compareAndSet(2, { ...second, revision: 3, subject: "intruder" }), false);
      assert.deepEqual(await store.read(first.sessionId), second);
    },
  },
  {
    name: "a change of a session that is not there is refused and creates nothing",
    async run(store) {
      const absent = session("absent");
      assert.equal(await store.compareAndSet(0, rotated(absent)), false);
      assert.equal(await store.read(absent.sessionId), undefined);
    },
  },
  {
    name: "of a hundred concurrent changes exactly one is made",
    async run(store) {
      const first = session("race");
      await store.create(first);
      const rivals = Array.from({ length: 100 }, (_, index) => ({ ...rotated(first), subject: `rival-${index}` }));
      const outcomes = await Promise.all(rivals.map((rival) => store.compareAndSet(0, rival)));
      assert.equal(outcomes.filter(Boolean).length, 1);
      assert.deepEqual(await store.read(first.sessionId), rivals[outcomes.indexOf(true)]);
    },
  },
  {
    name: "a change that may not be committed is not made, and its judge is asked only where it would be",
    async run(store) {
      const first = session("judged");
      await store.create(first);
      const asked: boolean[] = [];
      const judge = (verdict: boolean) => (): boolean => {
        asked.push(verdict);
        return verdict;
      };
      assert.equal(await store.compareAndSet(0, rotated(first), judge(false)), false);
      assert.deepEqual(await store.read(first.sessionId), first);
      const mistake = new Error("the judge is ill");
      const ill = (): boolean => {
        throw mistake;
      };
      await assert.rejects(store.compareAndSet(0, rotated(first), ill), mistake);
      assert.deepEqual(await store.read(first.sessionId), first);
      assert.equal(await store.compareAndSet(0, rotated(first), judge(true)), true);
      assert.equal(await store.compareAndSet(0, rotated(first), judge(true)), false);
      assert.equal(await store.compareAndSet(0, session("absent"), judge(true)), false);
      assert.deepEqual(asked, [false, true]);
    },
  },
  {
    name: "a holder's open sessions are listed, newest first: alive, or ended without anyone having been told",
    async run(store) {
      const at = (startedAt: number, change: Partial<StoredSession> = {}): StoredSession =>
        session(`at-${startedAt}`, {
          family: { generation: 0, spentAt: [], startedAt, expiresAt: later },
          device: `device ${startedAt}`,
          ...change,
        });
      const [oldest, middle, newest] = [at(now - 3), at(now - 2), at(now - 1)];
      const over = at(now, { family: { ...oldest.family, startedAt: now, expiresAt: now } });
      for (const each of [middle, newest, oldest, over]) await store.create(each);
      const holder = { subject: "nurse-7" };
      assert.deepEqual(await store.listOpen(holder, now, 10), [newest, middle, oldest]);
      assert.deepEqual(await store.listOpen(holder, now, 2), [newest, middle]);
      assert.deepEqual(await store.listOpen(holder, now - 1, 1), [over]);

      const ended = {
        ...middle,
        revision: 1,
        family: { ...middle.family, ended: { at: now, why: "logout" as const } },
      };
      await store.compareAndSet(0, ended);
      await store.compareAndSet(0, rotated(oldest));
      assert.deepEqual(await store.listOpen(holder, now, 10), [newest, ended, rotated(oldest)]);
      await store.compareAndSet(1, { ...ended, revision: 2, endIsAnnounced: true });
      assert.deepEqual(await store.listOpen(holder, now, 10), [newest, rotated(oldest)]);
      assert.deepEqual(await store.listOpen(holder, later, 10), []);
    },
  },
  {
    name: "a holder is a subject within a tenant",
    async run(store) {
      const sessions = [
        session("none"),
        session("mary", { tenant: "st-mary" }),
        session("anne", { tenant: "st-anne" }),
        session("other", { subject: "nurse-8", tenant: "st-mary" }),
        session("joined", { subject: "nurse-7st-mary" }),
        session("case", { subject: "Nurse-7" }),
      ];
      for (const each of sessions) await store.create(each);
      for (const each of sessions) {
        const { subject, tenant } = each;
        assert.deepEqual(await store.listOpen({ subject, tenant }, now, 10), [each]);
      }
      assert.deepEqual(await store.listOpen({ subject: "nobody" }, now, 10), []);
      assert.deepEqual(await store.listOpen({ subject: "nurse-7", tenant: "" }, now, 10), []);
    },
  },
  {
    name: "an end and a rotation of one revision: one of them is made, and read at once",
    async run(store) {
      const first = session("end");
      const ended = { ...first, revision: 1, family: { ...first.family, ended: { at: now, why: "logout" as const } } };
      await store.create(first);
      const [endIsMade, rotationIsMade] = await Promise.all([
        store.compareAndSet(0, ended),
        store.compareAndSet(0, rotated(first)),
      ]);
      assert.notEqual(endIsMade, rotationIsMade);
      assert.deepEqual(await store.read(first.sessionId), endIsMade ? ended : rotated(first));
    },
  },
  {
    name: "sessions do not touch one another",
    async run(store) {
      const many = Array.from({ length: 100 }, (_, index) => session(`many-${index}`, { subject: `subject-${index}` }));
      await Promise.all(many.map((each) => store.create(each)));
      await Promise.all(
        many.filter((_, index) => index % 2 === 0).map((each) => store.compareAndSet(0, rotated(each))),
      );
      for (const [index, each] of many.entries()) {
        assert.deepEqual(await store.read(each.sessionId), index % 2 === 0 ? rotated(each) : each);
      }
    },
  },
  {
    name: "what was passed in or handed out can change without effect on what is stored",
    async run(store) {
      const claims: Record<string, unknown> = { roles: ["nurse"] };
      const given = session("alias", { claims });
      await store.create(given);
      claims["roles"] = ["admin"];
      const handedOut = await store.read(given.sessionId);
      assert.deepEqual(handedOut?.claims, { roles: ["nurse"] });
      Object.assign(handedOut.claims, { roles: ["admin"] });
      assert.deepEqual((await store.read(given.sessionId))?.claims, { roles: ["nurse"] });
    },
  },
];
