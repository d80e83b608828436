/** Requests for revocations of every shape, over few names, so that they meet. */

import fc from "fast-check";
import type { EpochMs } from "../src/core/clock.js";
import type { ConnectionId } from "../src/core/ids.js";
import type { RevocationRequest } from "../src/core/auth/revocation-record.js";
import type { RevocationScope, RevocationTarget } from "../src/core/auth/revocation.js";

/** Where property tests let time begin. */
export const START_AT: EpochMs = Date.UTC(2026, 0, 1) as EpochMs;

export const names: fc.Arbitrary<string> = fc.constantFrom("a", "b");
export const maybeNames: fc.Arbitrary<string | undefined> = fc.option(names, { nil: undefined });
export const connectionIds: fc.Arbitrary<ConnectionId> = names as fc.Arbitrary<ConnectionId>;
/** Around the beginning, so that cut-offs and tokens fall on either side of each other. */
export const instants: fc.Arbitrary<EpochMs> = fc
  .integer({ min: -4, max: 2 })
  .map((steps) => (START_AT + steps * 30_000) as EpochMs);

type Of<Type extends string> = Extract<RevocationTarget, { readonly type: Type }>;

const identity: fc.Arbitrary<Of<"identity">> = fc.record({
  type: fc.constant("identity"),
  tenant: maybeNames,
  issuer: names,
  subject: names,
});
/** In whatever tenant. */
const subject: fc.Arbitrary<Of<"subject">> = fc.record({
  type: fc.constant("subject"),
  issuer: names,
  subject: names,
});
const tenant: fc.Arbitrary<Of<"tenant">> = fc.record({ type: fc.constant("tenant"), tenant: names });
const all: fc.Arbitrary<Of<"all">> = fc.constant({ type: "all" });
const client: fc.Arbitrary<Of<"client">> = fc.record({
  type: fc.constant("client"),
  issuer: names,
  clientId: names,
});
const scope: fc.Arbitrary<RevocationScope> = fc.oneof(
  identity,
  subject,
  tenant,
  all,
  fc.record({ type: fc.constant("issuer" as const), tenant: maybeNames, issuer: names }),
);
const ended: fc.Arbitrary<RevocationTarget> = fc.oneof(
  fc.record({ type: fc.constant("connection" as const), connectionId: connectionIds }),
  fc.record({ type: fc.constant("token" as const), tenant: maybeNames, issuer: names, tokenId: names }),
  fc.record({ type: fc.constant("session" as const), tenant: maybeNames, issuer: names, sessionId: names }),
  fc.record({ type: fc.constant("key" as const), issuer: names, keyId: names }),
  fc.record({ type: fc.constant("issued-before" as const), before: instants, scope }),
);

export const requests: fc.Arbitrary<RevocationRequest> = fc.oneof(
  fc.record({
    kind: fc.constant("end" as const),
    target: ended,
    reason: fc.constantFrom("session_revoked", "reauth_required", undefined),
  }),
  fc.record({
    kind: fc.constantFrom("suspension", "lift"),
    target: fc.oneof(identity, subject, tenant, client),
    reason: fc.constant(undefined),
  }),
  fc.record({
    kind: fc.constant("claims-changed" as const),
    target: fc.oneof(identity, subject, tenant, all),
    reason: fc.constant(undefined),
  }),
);
