/** What an entry stands against, looked up by name, against a search of all connections. */

import { testAuthentication } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { connectionIds, maybeNames, names, requests, START_AT } from "../../../test/revocation-fixture.js";
import { commonName } from "../auth/credential-name.js";
import type { Admission } from "../auth/policy.js";
import { createRevocation } from "../auth/revocation-record.js";
import { revocationMatcher } from "../auth/revocation.js";
import type { ConnectionId } from "../ids.js";
import { CredentialIndex } from "./credential-index.js";

interface Member {
  readonly id: ConnectionId;
  admission: Admission<unknown>;
}

const admissions = fc
  .record({
    tenant: maybeNames,
    issuer: names,
    subject: names,
    principalId: maybeNames,
    clientId: maybeNames,
    sessionId: maybeNames,
    tokenId: maybeNames,
    keyId: maybeNames,
  })
  .map(({ principalId, ...facts }): Admission<unknown> => {
    const authentication = testAuthentication(facts);
    return { authentication, principal: {}, principalId: principalId ?? authentication.subject };
  });

const step = fc.oneof(
  fc.record({ do: fc.constant("come" as const), id: connectionIds, admission: admissions }),
  fc.record({ do: fc.constant("replace" as const), id: connectionIds, admission: admissions }),
  fc.record({ do: fc.constant("go" as const), id: connectionIds }),
);

describe("the index of credentials", () => {
  it("finds all that an entry stands against, whoever came, went or came back as somebody else", () => {
    let found = 0;
    let narrowed = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.array(requests, { minLength: 5 }), (steps, asked) => {
        const index = new CredentialIndex<unknown, Member>();
        const present = new Map<ConnectionId, Member>();
        for (const { id, ...what } of steps) {
          const member = present.get(id);
          if (what.do === "come" && member === undefined) {
            const newcomer = { id, admission: what.admission };
            present.set(id, newcomer);
            index.add(newcomer);
          } else if (what.do === "replace" && member !== undefined) {
            const before = member.admission;
            member.admission = what.admission;
            index.replaced(member, before);
          } else if (what.do === "go" && member !== undefined) {
            present.delete(id);
            index.remove(member);
          }
        }
        for (const request of asked) {
          const entry = createRevocation(request, { now: START_AT, maxTokenAgeMs: 60_000 });
          const stands = revocationMatcher(entry);
          const isMeant = ({ id, admission }: Member): boolean =>
            stands(admission.authentication, { connectionId: id, authenticatedAtNumber: 0 });
          const name = commonName(entry.target);
          const named = name === undefined ? index.all() : index.named(name);
          const meant = [...present.values()].filter(isMeant);
          expect(new Set([...named].filter(isMeant))).toEqual(new Set(meant));
          found += meant.length;
          if (name !== undefined && meant.length > 0) narrowed += meant.length;
        }
      }),
      { numRuns: 1_000 },
    );
    expect(Math.min(found, narrowed)).toBeGreaterThan(200);
  });

  it("keeps nothing of those that are gone", () => {
    fc.assert(
      fc.property(fc.array(admissions, { minLength: 1, maxLength: 6 }), ([first, ...later]) => {
        const index = new CredentialIndex<unknown, Member>();
        const member = { id: "c-1" as ConnectionId, admission: first as Admission<unknown> };
        const all = [member.admission, ...later];
        index.add(member);
        for (const admission of later) {
          const before = member.admission;
          member.admission = admission;
          index.replaced(member, before);
        }
        index.remove(member);
        // Late news of one that is gone brings nothing back.
        index.replaced(member, member.admission);
        for (const { authentication, principalId } of all) {
          const { subject, sessionId = "", tokenId = "" } = authentication;
          expect([
            ...index.all(),
            ...index.named({ type: "subject", subject }),
            ...index.named({ type: "subject", subject: principalId }),
            ...index.named({ type: "session", sessionId }),
            ...index.named({ type: "token", tokenId }),
            ...index.named({ type: "connection", connectionId: member.id }),
          ]).toEqual([]);
        }
      }),
    );
  });
});
