/** Options of {@link securityEvents}, checked and filled in. */

import { timingSafeEqual } from "node:crypto";
import { Secret } from "../../../core/auth/secret.js";
import { hashToken } from "../token-hash.js";
import { assertRange, assertText } from "../option-checks.js";
import { guardCallback } from "./callback-failure.js";
import type { SubjectRules } from "./event-subject.js";
import {
  assertListener,
  resolveReceiverOptions,
  type ReceiverOptions,
  type ResolvedReceiverOptions,
} from "./receiver-options.js";
import type { SecurityEvent, StreamVerification, UnknownSecurityEvent } from "./security-event.js";

export interface SecurityEventsOptions extends ReceiverOptions {
  /**
   * Takes an event to where it counts. The transmitter hears 202 when the promise has resolved: resolve when it is
   * durable. A rejection is 503, and the event comes again. Called for the events of one message in their order, at
   * most once at a time for one message, and not again after all succeeded.
   */
  readonly on: (event: SecurityEvent) => void | Promise<unknown>;
  /** Told that the stream is alive, before that is acknowledged. A rejection is 503. */
  readonly onVerification?: ((verification: StreamVerification) => void | Promise<unknown>) | undefined;
  /** Told of events of other types, before they are acknowledged. A rejection is 503. */
  readonly onUnknown?: ((event: UnknownSecurityEvent) => void | Promise<unknown>) | undefined;
  /**
   * The whole `Authorization` header that the transmitter was given for us. Compared in constant time, kept in a type
   * that does not print. Default: none is asked for, and the signature alone says who speaks.
   */
  readonly authorization?: Secret | string | undefined;
  /** Whose people the events are about: `iss` of their access tokens. Default: `issuer`. */
  readonly tokenIssuer?: string | undefined;
  /**
   * What a bare identifier of format `opaque` names: a subject, or a session as in CAEP's own example of
   * `session-revoked`. Ask whoever runs the transmitter. Default `subject`.
   */
  readonly opaqueSubject?: "subject" | "session" | undefined;
  /**
   * The subject of somebody's tokens by an address of mail; undefined where it is nobody's. A throw is 503. Default:
   * an address names nobody.
   */
  readonly subjectOfEmail?: ((email: string) => string | undefined | Promise<string | undefined>) | undefined;
  /** Age at which an event is refused. Seconds, 60 to 2,592,000, default 604,800 (7 days). */
  readonly maxAgeSeconds?: number | undefined;
  /** Longest body, in bytes, default 65,536. */
  readonly maxBytes?: number | undefined;
}

export interface SecurityEventsDefaults {
  readonly maxAgeSeconds: number;
  readonly maxBytes: number;
}

export const securityEventsDefaults: SecurityEventsDefaults = Object.freeze({
  maxAgeSeconds: 7 * 86_400,
  maxBytes: 64 * 1024,
});

export interface ResolvedSecurityEventsOptions extends ResolvedReceiverOptions {
  readonly subjects: SubjectRules;
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  /** What an `Authorization` header says of who sent it: nothing, something else than was agreed, or that. */
  readonly senderOf: (authorization: string | null) => "unknown" | "another" | "agreed";
}

/** @throws TypeError, RangeError */
export function resolveSecurityEventsOptions(options: SecurityEventsOptions): ResolvedSecurityEventsOptions {
  const { maxAgeSeconds = securityEventsDefaults.maxAgeSeconds, maxBytes = securityEventsDefaults.maxBytes } = options;
  assertRange("securityEvents.maxAgeSeconds", maxAgeSeconds, 60, 30 * 86_400);
  assertRange("securityEvents.maxBytes", maxBytes, 1024, 1024 * 1024);
  if (typeof options.on !== "function") throw new TypeError("securityEvents.on: a function");
  assertListener("securityEvents.onVerification", options.onVerification);
  assertListener("securityEvents.onUnknown", options.onUnknown);
  return {
    subjects: resolveSubjectRules(options),
    maxAgeMs: maxAgeSeconds * 1000,
    maxBytes,
    senderOf: readAuthorization(options.authorization),
    ...resolveReceiverOptions("securityEvents", options),
  };
}

function resolveSubjectRules(options: SecurityEventsOptions): SubjectRules {
  const { tokenIssuer = options.issuer, opaqueSubject = "subject", subjectOfEmail } = options;
  assertText("securityEvents.tokenIssuer", tokenIssuer);
  assertListener("securityEvents.subjectOfEmail", subjectOfEmail);
  if (opaqueSubject !== "subject" && opaqueSubject !== "session") {
    throw new TypeError("securityEvents.opaqueSubject: subject or session");
  }
  return {
    tokenIssuer,
    opaqueSubject,
    subjectOfEmail: subjectOfEmail && ((email) => guardCallback(() => subjectOfEmail(email))),
  };
}

function readAuthorization(agreed: Secret | string | undefined): ResolvedSecurityEventsOptions["senderOf"] {
  if (agreed === undefined) return () => "agreed";
  const kept = agreed instanceof Secret ? agreed : new Secret(agreed);
  assertText("securityEvents.authorization", kept.reveal());
  // Hashes have one length, so that comparing them tells nothing of the header's.
  const expected = Buffer.from(hashToken(kept.reveal()));
  return (sent) => {
    if (sent === null) return "unknown";
    return timingSafeEqual(Buffer.from(hashToken(sent)), expected) ? "agreed" : "another";
  };
}
