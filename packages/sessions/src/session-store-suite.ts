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
