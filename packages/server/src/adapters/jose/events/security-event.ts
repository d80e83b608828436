/** Security events as an application sees them: what happened, to whom, and what a hub should do about it. */

import type { EventTarget, SecurityAction } from "../../../core/auth/security-action.js";
import type { EpochMs } from "../../../core/clock.js";
import { readInstant, type Claims } from "../claim-values.js";
import { refuseToken } from "../refuse-token.js";
import { ownMember } from "../strict-json.js";

/** Events of CAEP 1.0 that say something about a credential, by the last part of their URI. */
export type SecurityEventName =
  | "session-revoked"
  | "token-claims-change"
  | "credential-change"
  | "assurance-level-change"
  | "device-compliance-change"
  | "risk-level-change";

/** The message that an event came in. */
export interface EventMessage {
  readonly issuer: string;
  /** `jti`. */
  readonly tokenId: string;
  readonly issuedAt: EpochMs;
  /** `txn`: events of one cause share it, also across issuers. */
  readonly transactionId: string | undefined;
}

export interface SecurityEvent extends EventMessage {
  readonly name: SecurityEventName;
  readonly action: SecurityAction;
  /** When it happened (`event_timestamp`), where it is said and not in the future. */
  readonly occurredAt: EpochMs | undefined;
  /** The subject's identifier as it was sent (RFC 9493), frozen. Personal data: not for logs. */
  readonly subjectId: Claims;
  /** The event's own members, frozen: `claims`, `current_level`, `reason_admin` and so on. */
  readonly details: Claims;
}

/** The transmitter shows that the stream is alive (Shared Signals 1.0, verification event). */
export interface StreamVerification extends EventMessage {
  /** What the receiver wrote when it asked for the event; undefined where nobody asked. */
  readonly state: string | undefined;
}

/** An event of a type that nobody here knows. It is acknowledged. */
export interface UnknownSecurityEvent extends EventMessage {
  /** The event's URI. */
  readonly type: string;
  readonly subjectId: Claims | undefined;
  readonly details: Claims;
}

const CAEP = "https://schemas.openid.net/secevent/caep/event-type/";
export const VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification";

/** Only the first says that sessions are over; the others, that what is known of somebody may no longer be true. */
const kinds: ReadonlyMap<string, readonly [SecurityEventName, "revoke" | "recheck"]> = new Map(
  (
    [
      ["session-revoked", "revoke"],
      ["token-claims-change", "recheck"],
      ["credential-change", "recheck"],
      ["assurance-level-change", "recheck"],
      ["device-compliance-change", "recheck"],
      ["risk-level-change", "recheck"],
    ] as const
  ).map((entry) => [CAEP + entry[0], entry]),
);

/** Whether somebody here knows this type, and so whether its subject has to be there. */
export function isKnownEvent(type: string): boolean {
  return kinds.has(type);
}

/** @throws HubwardError `invalid_token` when the event lacks what its type requires */
export function describeEvent(
  type: string,
  message: EventMessage,
  { subjectId, target, details }: { subjectId: Claims; target: EventTarget | undefined; details: Claims },
  latest: EpochMs,
): SecurityEvent {
  const known = kinds.get(type);
  if (known === undefined) throw refuseToken("the event is of no known type");
  const [name, kind] = known;
  assertDetails(name, details);
  const at = readInstant(details, "event_timestamp");
  return Object.freeze({
    ...message,
    name,
    action: Object.freeze(target === undefined ? { kind: "none" } : { kind, target: Object.freeze(target) }),
    occurredAt: at !== undefined && at <= latest ? at : undefined,
    subjectId,
    details,
  } satisfies SecurityEvent);
}

/** The members without which an event says nothing (CAEP 1.0, 3). */
function assertDetails(name: SecurityEventName, details: Claims): void {
  const texts: Readonly<Record<SecurityEventName, readonly string[]>> = {
    "session-revoked": [],
    "token-claims-change": [],
    "credential-change": ["credential_type", "change_type"],
    "assurance-level-change": ["current_level"],
    "device-compliance-change": ["current_status"],
    "risk-level-change": ["current_level"],
  };
  if (!texts[name].every((member) => typeof ownMember(details, member) === "string")) {
    throw refuseToken("the event lacks what its type requires");
  }
  const claims = ownMember(details, "claims");
  if (name === "token-claims-change" && (typeof claims !== "object" || claims === null || Array.isArray(claims))) {
    throw refuseToken("the event does not say which claims changed");
  }
}
