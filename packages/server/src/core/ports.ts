/** The ports an embedder may implement, published as `@hubward/server/ports`. */

export type { Audit, AuditRecord } from "./audit.js";
export type { Clock, EpochMs, Instant, MonotonicMs, Timer } from "./clock.js";
export type { Digest } from "./digest.js";
export type { Random } from "./random.js";
export type { Authenticator, ForwardedAuthenticator } from "./auth/authenticator.js";
export type { Authentication } from "./auth/authentication.js";
export type { BearerCredential, ForwardedCredential } from "./auth/credential.js";
export type { DpopPresentation, DpopQuestion, DpopVerdict, DpopVerifier } from "./auth/dpop.js";
export { createRevocationFeed, type RevocationFeed } from "./auth/revocation-feed.js";
export { createRevocation, decodeRevocation, encodeRevocation, readNewRevocation } from "./auth/revocation-record.js";
export type { RevocationRequest, RevocationTerms } from "./auth/revocation-record.js";
export { revocationDefaults, revocationKey } from "./auth/revocation.js";
export type {
  NewRevocation,
  Revocation,
  RevocationDefaults,
  RevocationKind,
  RevocationReason,
  RevocationScope,
  RevocationTarget,
} from "./auth/revocation.js";
export type { RevocationListener, RevocationLog, RevocationPage } from "./auth/revocation-log.js";
export { Secret } from "./auth/secret.js";
export type { Socket, SocketListener } from "./connection/socket.js";
export type { CommandOutcome, CommandStart, IdempotencyStore } from "./dispatch/idempotency-store.js";
export type { ConnectionId, Identity } from "./ids.js";
export type { MembershipCause, PrincipalFields, Telemetry, TelemetryEvent, TelemetryLevel } from "./telemetry.js";
