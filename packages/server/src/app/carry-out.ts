/** Does what an issuer's word asks for: the receivers' actions as entries of the log and as rechecks. */

import type { RevocationRequest } from "../core/auth/revocation-record.js";
import type { RevocationTarget } from "../core/auth/revocation.js";
import type { EventTarget, SecurityAction } from "../core/auth/security-action.js";
import type { EpochMs } from "../core/clock.js";
import type { TenantScope } from "../core/groups/fanout.js";
import type { AskedBy } from "./revocation-face.js";

/** What came of it on this node. */
export interface CarriedOut {
  /** Live connections that it was about. */
  readonly matched: number;
}

/** What a recheck that an issuer's word asks for is about. */
type Selector =
  { readonly session: string } | { readonly subject: string; readonly issuer: string } | { readonly tenant: string };

export interface CarryOutPorts {
  readonly now: () => EpochMs;
  readonly revoke: (request: RevocationRequest) => Promise<CarriedOut>;
  readonly recheck: (selector: Selector, scope: TenantScope) => Promise<CarriedOut>;
}

/** @throws TypeError (rejects) for an action that is none. As revoking does (rejects): HubwardError `not_durable` */
export async function carryOut(
  action: SecurityAction,
  { by }: AskedBy,
  { now, revoke, recheck }: CarryOutPorts,
): Promise<CarriedOut> {
  switch (action.kind) {
    case "none":
      return { matched: 0 };
    case "revoke": {
      const targets = targetsOf(action.target, now());
      const asking = by ?? action.target.issuer;
      // All of them are asked for before anything is awaited.
      return total(targets.map((target) => revoke({ kind: "end", target, by: asking })));
    }
    case "recheck":
      return total(selectionsOf(action.target).map(([selector, scope]) => recheck(selector, scope)));
    default:
      return unreachable(action);
  }
}

function targetsOf(target: EventTarget, before: EpochMs): readonly RevocationTarget[] {
  switch (target.type) {
    case "session":
      // For good: nobody can come again with a session that is over.
      return [{ type: "session", tenant: undefined, issuer: target.issuer, sessionId: target.sessionId }];
    case "subject":
      return [{ type: "issued-before", before, scope: target }];
    case "identity":
      // Where the issuer's tokens name no tenant, its people without one are those in all of them.
      return [target, { ...target, tenant: undefined }].map((scope) => ({ type: "issued-before", before, scope }));
    case "tenant":
      // Only its own people there, and until now: they may sign in again.
      return [{ type: "issued-before", before, scope: { ...target, type: "issuer" } }];
    default:
      return unreachable(target);
  }
}

type Selection = readonly [Selector, TenantScope];

function selectionsOf(target: EventTarget): readonly Selection[] {
  switch (target.type) {
    case "session":
      return [[{ session: target.sessionId }, "every"]];
    case "subject":
      return [[{ subject: target.subject, issuer: target.issuer }, "every"]];
    case "identity": {
      const { tenant, subject, issuer } = target;
      return [tenant, undefined].map((each): Selection => [{ subject, issuer }, { tenant: each }]);
    }
    case "tenant":
      // Of other issuers' people, too: being judged again takes nothing from who is in his right.
      return [[{ tenant: target.tenant }, "every"]];
    default:
      return unreachable(target);
  }
}

async function total(parts: readonly Promise<CarriedOut>[]): Promise<CarriedOut> {
  const found = await Promise.all(parts);
  return { matched: found.reduce((sum, { matched }) => sum + matched, 0) };
}

function unreachable(value: never): never {
  throw new TypeError(`carryOut: no such action: ${JSON.stringify(value)}`);
}
