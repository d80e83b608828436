/**
 * What the demo says while it runs: one JSON object a line, each field named here. Whole objects are never handed to
 * the logger, so a token or a claim has no way in.
 */

import { telemetryLevels, type Telemetry, type TelemetryEvent } from "@hubward/server";
import type { SessionEnded } from "@hubward/sessions";
import { pino, type DestinationStream } from "pino";

export interface ClinicLog {
  readonly telemetry: Telemetry;
  signedIn(who: { readonly subject: string; readonly tenant: string; readonly remoteAddress: string }): void;
  /** `subject` only where there is such a person: what else was typed as a name could be a password. */
  signInRefused(about: {
    readonly reason: "invalid_credentials" | "rate_limited";
    readonly subject: string | undefined;
    readonly remoteAddress: string;
  }): void;
  sessionEnded(ended: SessionEnded): void;
  /** An administrator has changed what somebody may do. `target`: ids, names and instants. */
  administered(done: {
    readonly subject: string;
    readonly tenant: string;
    readonly action: "revoke" | "lift" | "roles";
    readonly target: object;
  }): void;
  /** Something of ours failed; `where` is a constant. */
  failed(where: string, error: unknown): void;
}

const levels = { info: "info", warning: "warn", error: "error" } as const;

export function createLog(destination: DestinationStream): ClinicLog {
  const logger = pino(
    {
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );

  function failed(where: string, error: unknown): void {
    logger.error({ event: "application.failed", where, error: describeError(error) }, "something failed");
  }

  return {
    telemetry(event) {
      const { fields, message } = describeEvent(event);
      logger[levels[telemetryLevels[event.event]]]({ event: event.event, ...fields }, message);
    },
    signedIn({ subject, tenant, remoteAddress }) {
      logger.info({ event: "session.started", subject, tenant, remoteAddress }, "signed in");
    },
    signInRefused({ reason, subject, remoteAddress }) {
      logger.warn({ event: "session.refused", reason, subject, remoteAddress }, "refused a sign-in");
    },
    sessionEnded({ sessionId, subject, tenant, why }) {
      logger.info({ event: "session.ended", sessionId, subject, tenant, why }, "a session ended");
    },
    administered({ subject, tenant, action, target }) {
      logger.info({ event: "administered", subject, tenant, action, target }, "an administrator changed something");
    },
    failed,
  };
}

function describeEvent(event: TelemetryEvent): { fields: Record<string, unknown>; message: string } {
  switch (event.event) {
    case "connection.opened": {
      const { connectionId, hub, protocol, principal, remoteAddress } = event;
      return {
        fields: { connectionId, hub, protocol, ...principalFields(principal), remoteAddress },
        message: "connected",
      };
    }
    case "connection.refused": {
      const { connectionId, hub, reason, principal, remoteAddress, hint } = event;
      const fields = { connectionId, hub, reason, ...principalFields(principal), remoteAddress, hint };
      return { fields, message: "refused a connection" };
    }
    case "request.refused": {
      const { reason, principal, policy, remoteAddress, hint } = event;
      const fields = { reason, ...principalFields(principal), policy, remoteAddress, hint };
      return { fields, message: "refused a request" };
    }
    case "connection.lapsed": {
      const { connectionId, hub, reason, subject } = event;
      return { fields: { connectionId, hub, reason, subject }, message: "waits for a new credential" };
    }
    case "connection.restored": {
      const { connectionId, hub, subject } = event;
      return { fields: { connectionId, hub, subject }, message: "goes on with a new credential" };
    }
    case "connection.reauthenticated": {
      const { connectionId, hub, subject, sessionId, expiresAt } = event;
      return { fields: { connectionId, hub, subject, sessionId, expiresAt }, message: "took a later credential" };
    }
    case "reauthentication.refused": {
      const { connectionId, hub, subject, reason } = event;
      return { fields: { connectionId, hub, subject, reason }, message: "refused a later credential" };
    }
    case "membership.joined":
    case "membership.left": {
      const { connectionId, hub, subject, group, by } = event;
      const message = event.event === "membership.joined" ? "joined a group" : "left a group";
      return { fields: { connectionId, hub, subject, group, by }, message };
    }
    case "membership.lost": {
      const { connectionId, hub, subject, groups } = event;
      return { fields: { connectionId, hub, subject, groups }, message: "lost its place in groups" };
    }
    case "recheck.completed": {
      const { by, matched, lost, ended, unavailable } = event;
      return { fields: { by, matched, lost, ended, unavailable }, message: "judged again" };
    }
    case "connection.closed": {
      const { connectionId, hub, reason, subject, ageMs } = event;
      return {
        fields: { connectionId, hub, reason, subject, ageMs: Math.round(ageMs) },
        message: "a connection ended",
      };
    }
    case "connection.detached": {
      const { connectionId, hub, subject, ageMs } = event;
      return {
        fields: { connectionId, hub, subject, ageMs: Math.round(ageMs) },
        message: "lost a client that may come back",
      };
    }
    case "connection.resumed": {
      const { connectionId, hub, subject, remoteAddress, awayMs, replayed } = event;
      return {
        fields: { connectionId, hub, subject, remoteAddress, awayMs: Math.round(awayMs), replayed },
        message: "a client came back",
      };
    }
    case "revocation.applied": {
      const { number, kind, target, reason, by, matched, gatedMs } = event;
      return {
        fields: { number, kind, target, reason, by, matched, gatedMs: Math.round(gatedMs * 100) / 100 },
        message: "revoked",
      };
    }
    case "revocation.failed": {
      const { kind, target, by, error } = event;
      return { fields: { kind, target, by, error: describeError(error) }, message: "could not keep a revocation" };
    }
    case "revocation.unavailable":
      return { fields: { error: describeError(event.error) }, message: "lets nobody in: revocations are unknown" };
    case "call.refused": {
      const { connectionId, hub, method, reason, policy, subject, count } = event;
      return { fields: { connectionId, hub, method, reason, policy, subject, count }, message: "refused a call" };
    }
    case "application.failed": {
      const { where, connectionId, error } = event;
      return { fields: { where, connectionId, error: describeError(error) }, message: "something failed" };
    }
  }
}

type PrincipalOf<T> = T extends { readonly principal: infer P } ? P : never;

function principalFields(principal: PrincipalOf<TelemetryEvent>): Record<string, unknown> {
  if (principal === undefined) return {};
  const { tenant, subject, roles, sessionId } = principal;
  return { tenant, subject, roles, sessionId };
}

/** Never an error's other members (libraries hang payloads on them), nor a thrown value that is no error. */
function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: `a thrown ${typeof error}` };
  return { name: error.name, message: error.message, stack: error.stack };
}
