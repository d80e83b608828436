/** The view against a model that scans every entry, over histories of appends, lifts, time and restarts. */

import { testAuthentication } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { connectionIds, instants, maybeNames, names, requests, START_AT } from "../../../test/revocation-fixture.js";
import type { EpochMs } from "../clock.js";
import type { Authentication } from "./authentication.js";
import { createRevocation, type RevocationRequest } from "./revocation-record.js";
import { createRevocationView, type RevocationView } from "./revocation-view.js";
import type { Revocation, RevocationCircumstances, RevocationScope } from "./revocation.js";

const SKEW_MS = 30_000;

type Step = { readonly request: RevocationRequest; readonly maxTokenAgeMs: number } | { readonly passMs: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ request: requests, maxTokenAgeMs: fc.constantFrom(60_000, 240_000) }) },
    { weight: 1, arbitrary: fc.record({ passMs: fc.constantFrom(1, 30_000, 60_000, 200_000) }) },
  ),
  { maxLength: 30 },
);

const questions = fc.array(
  fc.record({
    authentication: fc
      .record({
        tenant: maybeNames,
        issuer: names,
        subject: names,
        clientId: maybeNames,
        sessionId: maybeNames,
        tokenId: maybeNames,
        keyId: maybeNames,
        issuedAt: fc.option(
          fc.tuple(instants, fc.constantFrom(0, 1, 30_000, 30_001, 600_000)).map(([at, later]) => at + later),
          { nil: undefined },
        ),
      })
      .map(testAuthentication),
    circumstances: fc.record({
      connectionId: fc.option(connectionIds, { nil: undefined }),
      authenticatedAtNumber: fc.option(fc.nat(30), { nil: undefined }),
    }),
  }),
  { minLength: 5, maxLength: 20 },
);

/** Everything that happened, and what of it counts. */
class Model {
  readonly entries: Revocation[] = [];
  now: EpochMs = START_AT;

  get live(): Revocation[] {
    return this.entries.filter((entry) => {
      if (entry.kind !== "suspension") return (entry.keepUntil ?? 0) > this.now;
      const same = JSON.stringify(entry.target);
      return !this.entries.some(
        ({ kind, number, target }) => kind === "lift" && number > entry.number && JSON.stringify(target) === same,
      );
    });
  }
}

function isOf(scope: RevocationScope, { tenant, issuer, subject }: Authentication): boolean {
  if (scope.type === "all") return true;
  if (scope.type === "tenant") return scope.tenant === tenant;
  if (scope.type === "issuer") return scope.issuer === issuer && (scope.tenant ?? tenant) === tenant;
  if (scope.type === "subject") return scope.issuer === issuer && scope.subject === subject;
  return scope.tenant === tenant && scope.issuer === issuer && scope.subject === subject;
}

function standsAgainst(entry: Revocation, who: Authentication, where: RevocationCircumstances): boolean {
  const { target } = entry;
  if (entry.kind === "lift") return false;
  const isOld = (before: number): boolean => who.issuedAt === undefined || who.issuedAt <= before + SKEW_MS;
  const cameBefore = (where.authenticatedAtNumber ?? Infinity) < entry.number;
  if (entry.kind === "claims-changed") {
    return isOf(target as RevocationScope, who) && (isOld(entry.at) || cameBefore);
  }
  if (target.type === "issued-before") {
    return isOf(target.scope, who) && (isOld(target.before) || (target.before >= entry.at && cameBefore));
  }
  if (target.type === "connection") return target.connectionId === where.connectionId;
  const { type } = target;
  if (type === "identity" || type === "subject" || type === "tenant" || type === "all") return isOf(target, who);
  if (target.issuer !== who.issuer) return false;
  if (target.type === "token") {
    return target.tokenId === who.tokenId && (target.tenant ?? who.tenant) === who.tenant;
  }
  if (target.type === "key") return target.keyId === who.keyId;
  if (target.type === "client") return target.clientId === who.clientId;
  return target.sessionId === who.sessionId && (target.tenant ?? who.tenant) === who.tenant;
}

const severity = { suspension: 3, end: 2, "claims-changed": 1, lift: 0 } as const;

function play(history: readonly Step[], view: RevocationView): Model {
  const model = new Model();
  for (const step of history) {
    if ("passMs" in step) {
      model.now = (model.now + step.passMs) as EpochMs;
      view.forget(model.now, Infinity);
      continue;
    }
    const { request, maxTokenAgeMs } = step;
    const entry = {
      ...createRevocation(request, { now: model.now, maxTokenAgeMs, skewMs: 60_000 }),
      number: model.entries.length + 1,
    };
    model.entries.push(entry);
    view.apply(entry);
  }
  return model;
}

describe("the view of revocations", () => {
  it("refuses whom a scan of every entry refuses, with the severest that stands against them", () => {
    let refusals = 0;
    let passes = 0;
    fc.assert(
      fc.property(steps, questions, (history, asked) => {
        const view = createRevocationView({ skewMs: SKEW_MS });
        const { live, entries } = play(history, view);
        for (const { authentication, circumstances } of asked) {
          const against = live.filter((entry) => standsAgainst(entry, authentication, circumstances));
          const verdict = view.judge(authentication, circumstances);
          if (verdict === undefined) {
            expect(against).toEqual([]);
            passes++;
          } else {
            expect(against).toContain(verdict);
            expect(severity[verdict.kind]).toBe(Math.max(...against.map(({ kind }) => severity[kind])));
            refusals++;
          }
          const misjudged = entries.filter(
            (entry) =>
              view.matcher(entry)(authentication, circumstances) !==
              standsAgainst(entry, authentication, circumstances),
          );
          expect(misjudged).toEqual([]);
        }
      }),
      { numRuns: 500 },
    );
    // The names are few enough that both happen often.
    expect(Math.min(refusals, passes)).toBeGreaterThan(500);
  });

  it("says the same on a node that has seen it all and on one that has read what is still remembered", () => {
    fc.assert(
      fc.property(steps, questions, (history, asked) => {
        const old = createRevocationView({ skewMs: SKEW_MS });
        const { live, entries } = play(history, old);
        const fresh = createRevocationView({ skewMs: SKEW_MS });
        for (const entry of live) fresh.apply(entry);
        fresh.advanceTo(entries.length);
        for (const { authentication, circumstances } of asked) {
          expect(fresh.judge(authentication, circumstances)).toBe(old.judge(authentication, circumstances));
        }
        expect(fresh.head).toBe(old.head);
      }),
      { numRuns: 500 },
    );
  });

  it("forgets everything but suspensions in the end, in however small portions", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 3 }), (history, portion) => {
        const view = createRevocationView();
        const { live, now } = play(history, view);
        const end = (now + 86_400_000) as EpochMs;
        for (let turn = 0; turn < 200; turn++) view.forget(end, portion);
        const standing = live.filter(({ kind }) => kind === "suspension").map(({ target }) => JSON.stringify(target));
        expect(view.size).toBe(new Set(standing).size);
      }),
    );
  });
});
