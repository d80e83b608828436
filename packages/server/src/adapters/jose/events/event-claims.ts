/** What a security event token must say (RFC 8417 2.2; Shared Signals 1.0, 4). */

import type { HubwardError } from "@hubward/wire";
import type { EpochMs } from "../../../core/clock.js";
import { assertAudience, freezeDeeply, readIdentifier, readInstant, type Claims } from "../claim-values.js";
import { refuseToken } from "../refuse-token.js";
import { ownMember } from "../strict-json.js";
import type { EventErrorCode } from "./event-error.js";
import { isObject } from "./event-subject.js";
import type { EventMessage } from "./security-event.js";

export interface EventRules {
  readonly issuer: string;
  readonly audience: ReadonlySet<string>;
  readonly clockSkewMs: number;
  readonly maxAgeMs: number;
}

export interface ReadEvents {
  readonly message: EventMessage;
  readonly subjectId: Claims | undefined;
  /** By URI, at least one. */
  readonly events: ReadonlyMap<string, Claims>;
  /** From this instant on the same token would be refused anyway. */
  readonly acceptableUntil: EpochMs;
}

/** A token may hold several events where they describe one occurrence (RFC 8417 2.2). */
const MAX_EVENTS = 16;
const MAX_TYPE_LENGTH = 512;

/** What a refusal of {@link readEvents} is called; nothing of it leaves the process but the code. */
const codes = new WeakMap<HubwardError, EventErrorCode>();

export function codeOf(error: HubwardError): EventErrorCode | undefined {
  return codes.get(error);
}

/** @throws HubwardError `invalid_token` */
export function readEvents(claims: Claims, rules: EventRules, now: EpochMs): ReadEvents {
  const { issuer, clockSkewMs, maxAgeMs } = rules;
  if (ownMember(claims, "iss") !== issuer) throw refuseWith("invalid_issuer", refuseToken("the issuer is another"));
  try {
    assertAudience(ownMember(claims, "aud"), rules.audience);
  } catch (error) {
    throw refuseWith("invalid_audience", error as HubwardError);
  }
  // Either would make it an ID token or an access token in the eyes of others.
  if (Object.hasOwn(claims, "sub") || Object.hasOwn(claims, "exp")) {
    throw refuseToken("a security event has neither sub nor exp");
  }
  const tokenId = readIdentifier(claims, "jti");
  const issuedAt = readInstant(claims, "iat");
  if (tokenId === undefined || issuedAt === undefined) throw refuseToken("the token id or its issue is missing");
  const acceptableUntil = (issuedAt + maxAgeMs + clockSkewMs) as EpochMs;
  if (issuedAt > now + clockSkewMs) throw refuseToken("the token was issued in the future");
  if (now >= acceptableUntil) throw refuseToken("the token is too old");

  const subjectId = ownMember(claims, "sub_id");
  if (subjectId !== undefined && !isObject(subjectId)) throw refuseToken("the subject is no identifier");
  const events = ownMember(claims, "events");
  if (!isObject(events)) throw refuseToken("there are no events");
  const entries = Object.entries(events);
  if (entries.length === 0 || entries.length > MAX_EVENTS) throw refuseToken("there are no events, or too many");
  const details = entries.map(([type, value]): readonly [string, Claims] => {
    if (type.length > MAX_TYPE_LENGTH || !isObject(value)) throw refuseToken("an event is no object of a known name");
    return [type, value];
  });
  freezeDeeply(claims);
  return {
    message: { issuer, tokenId, issuedAt, transactionId: readTransaction(claims) },
    subjectId,
    events: new Map(details),
    acceptableUntil,
  };
}

/** RFC 8417 2.2 says text; earlier drafts of CAEP showed a number. */
function readTransaction(claims: Claims): string | undefined {
  const transaction = ownMember(claims, "txn");
  return Number.isSafeInteger(transaction) ? String(transaction) : readIdentifier(claims, "txn");
}

function refuseWith(code: EventErrorCode, error: HubwardError): HubwardError {
  codes.set(error, code);
  return error;
}
