/**
 * What Hubward says about itself, as events with fixed fields: ids yes, tokens, claims and payloads never.
 * One port takes them all; logs, metrics and audit are views of it.
 */

import type { ReasonName } from "@hubward/wire";
import type { Authentication } from "./auth/authentication.js";
import type { RevocationKind, RevocationReason, RevocationTarget } from "./auth/revocation.js";
import type { ConnectionId } from "./ids.js";

/** Who a record is about. Subjects and tenants are peer data: a sink escapes them (JSON does). */
export interface PrincipalFields {
  readonly tenant: string | undefined;
  readonly issuer: string;
  readonly subject: string;
  readonly roles: readonly string[];
  readonly sessionId: string | undefined;
  /** The credential's own id (`jti`), never the credential. */
  readonly tokenId: string | undefined;
}

export function principalFields(authentication: Authentication, roles: readonly string[]): PrincipalFields {
  const { tenant, issuer, subject, sessionId, tokenId } = authentication;
  return { tenant, issuer, subject, roles, sessionId, tokenId };
}

/** `call`: code of a method or hook ran for the connection itself. `application`: from outside any call. */
export type MembershipCause = "call" | "application";

export type TelemetryEvent =
  /** A connection attempt that was admitted and completed the protocol's handshake. */
  | {
      readonly event: "connection.opened";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      readonly protocol: string;
      readonly principal: PrincipalFields;
      readonly remoteAddress: string | undefined;
    }
  /** A connection attempt that was refused, at any door. `principal` is known when the credential verified. */
  | {
      readonly event: "connection.refused";
      readonly connectionId: ConnectionId | undefined;
      readonly hub: string;
      readonly reason: ReasonName;
      readonly principal: PrincipalFields | undefined;
      /** Which of the hub's policies said no. */
      readonly policy: string | undefined;
      readonly remoteAddress: string | undefined;
      /** A constant text for the operator, such as which option to set. */
      readonly hint: string | undefined;
    }
  /**
   * A request to one of the application's own routes that `app.http` or a guard refused. Which one is not said: a path
   * can hold what is secret. `principal` is known when the credential verified.
   */
  | {
      readonly event: "request.refused";
      readonly reason: ReasonName;
      readonly principal: PrincipalFields | undefined;
      /** Which policy said no. */
      readonly policy: string | undefined;
      /** As far as the route's request says it (`RequestWithHeaders`). */
      readonly remoteAddress: string | undefined;
      /** A constant text for the operator. */
      readonly hint: string | undefined;
    }
  | {
      readonly event: "connection.closed";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      readonly reason: ReasonName;
      readonly subject: string;
      readonly ageMs: number;
    }
  /** A connection whose credential does not hold any more, and whose client may bring another one. */
  | {
      readonly event: "connection.lapsed";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      readonly reason: ReasonName;
      readonly subject: string;
    }
  /** One that has come back from a lapse. */
  | {
      readonly event: "connection.restored";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      readonly subject: string;
    }
  /** A connection that goes on with a later credential. */
  | {
      readonly event: "connection.reauthenticated";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      readonly subject: string;
      readonly sessionId: string | undefined;
      readonly expiresAt: number;
    }
  /** A later credential that was not taken. */
  | {
      readonly event: "reauthentication.refused";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      readonly subject: string;
      readonly reason: ReasonName;
      readonly policy: string | undefined;
    }
  /** A connection is in a group: its own call asked for it, or the application put it there. */
  | {
      readonly event: "membership.joined";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      readonly subject: string;
      readonly group: string;
      readonly by: MembershipCause;
    }
  /** It was taken out again. Nothing is told of the groups a connection is in when it ends. */
  | {
      readonly event: "membership.left";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      readonly subject: string;
      readonly group: string;
      readonly by: MembershipCause;
    }
  /** Groups a connection is in no more, because their rules say so by now. */
  | {
      readonly event: "membership.lost";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      readonly subject: string;
      readonly groups: readonly string[];
    }
  /** What came of a recheck that the application asked for. */
  | {
      readonly event: "recheck.completed";
      /** What the application named. */
      readonly by: "subject" | "session" | "group" | "policy" | "connection" | "tenant";
      readonly matched: number;
      readonly lost: number;
      readonly ended: number;
      readonly unavailable: number;
    }
  /** A connection whose transport was lost, and whose client may come back. */
  | {
      readonly event: "connection.detached";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      readonly subject: string;
      readonly ageMs: number;
    }
  /** A client that came back. */
  | {
      readonly event: "connection.resumed";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      readonly subject: string;
      readonly remoteAddress: string | undefined;
      /** Milliseconds without a transport. */
      readonly awayMs: number;
      /** Frames that were sent again. */
      readonly replayed: number;
    }
  /** An entry was applied to the live connections: at once by whoever revokes here, else as the log tells of it. */
  | {
      readonly event: "revocation.applied";
      /** Undefined as long as no log has numbered it. */
      readonly number: number | undefined;
      readonly kind: RevocationKind;
      readonly target: RevocationTarget;
      readonly reason: RevocationReason;
      /** Who asked for it, where the application said so and it was asked for here. */
      readonly by: string | undefined;
      /** Live connections it stood against. */
      readonly matched: number;
      /** Until all of them were shut. */
      readonly gatedMs: number;
    }
  /** An entry that the log did not take, or may not have taken. It stands in this process all the same. */
  | {
      readonly event: "revocation.failed";
      readonly kind: RevocationKind;
      readonly target: RevocationTarget;
      readonly by: string | undefined;
      readonly error: unknown;
    }
  /** The log could not be read, or entries may have been missed: nobody is let in until all of it was read. */
  | { readonly event: "revocation.unavailable"; readonly error: unknown }
  /** A call refused by the gate, or one whose method was refused what it tried. */
  | {
      readonly event: "call.refused";
      readonly connectionId: ConnectionId;
      readonly hub: string;
      /** The declared name, or undefined for a method that does not exist. Where it stands for several, the last's. */
      readonly method: string | undefined;
      readonly reason: ReasonName;
      readonly policy: string | undefined;
      readonly subject: string;
      /** How many this stands for: 1, but where `rate_limited` is told of a connection once a second at most. */
      readonly count: number;
    }
  /** The application's own code failed: a method, a policy or the principal mapping. */
  | {
      readonly event: "application.failed";
      readonly where: string;
      readonly connectionId: ConnectionId | undefined;
      readonly error: unknown;
    };

export type TelemetryLevel = "info" | "warning" | "error";

/** How loud each event is. */
export const telemetryLevels: Readonly<Record<TelemetryEvent["event"], TelemetryLevel>> = {
  "connection.opened": "info",
  "connection.refused": "warning",
  "request.refused": "warning",
  "connection.closed": "info",
  "connection.lapsed": "info",
  "connection.restored": "info",
  "connection.reauthenticated": "info",
  "reauthentication.refused": "warning",
  "membership.joined": "info",
  "membership.left": "info",
  "membership.lost": "info",
  "recheck.completed": "info",
  "connection.detached": "info",
  "connection.resumed": "info",
  "revocation.applied": "info",
  "revocation.failed": "error",
  "revocation.unavailable": "error",
  "call.refused": "warning",
  "application.failed": "error",
};

/** Port. Called synchronously from the message path: must not throw and must not block. */
export type Telemetry = (event: TelemetryEvent) => void;
