/**
 * A new credential for a live connection: verified as at connect, and put in the place of the present one if it is of
 * the same identity and client and ends later. Every way to bring one, over HTTP or in band, ends here.
 *
 * @see docs/credential-lifecycle.md, "Re-authentication"
 */

import { HubwardError } from "@hubward/wire";
import type { Admitter } from "../admission/admission.js";
import { sameIdentityAndClient, type Authentication } from "../auth/authentication.js";
import type { Credential } from "../auth/credential.js";
import type { Admission, Requirement } from "../auth/policy.js";
import type { Clock } from "../clock.js";
import type { Connection } from "../connection/connection.js";
import type { Random } from "../random.js";
import type { Telemetry } from "../telemetry.js";
import type { Reassess } from "./reassessment.js";

export interface Renewal {
  /** Whole seconds until the client should have brought the next one at the latest. */
  readonly expiresInSeconds: number;
}

/**
 * @throws (rejects with) HubwardError invalid_token | token_expired | auth_unavailable | principal_mismatch |
 * forbidden | rate_limited | reauth_required, a revocation's reason, or the reason the connection ended for
 */
export type Reauthenticate<P> = (connection: Connection<P>, credential: Credential) => Promise<Renewal>;

export interface ReauthenticationPorts<P> {
  readonly admitter: Admitter<P>;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly telemetry: Telemetry;
  readonly reassess: Reassess<P>;
  /** What the connection's hub asks of everybody. */
  readonly requirementsOf: (connection: Connection<P>) => readonly Requirement<P>[];
}

/** Attempts of one connection at once, and how long one takes to come back. */
const MAX_ATTEMPTS = 5;
const ATTEMPT_MS = 10_000;
/** Clients are told up to this share less than there is, each its own, so that those who came together part. */
const TOLD_SPREAD = 0.1;

/** What clients are told of a lifetime. Whole seconds. */
export function toldSeconds(remainingMs: number, { fraction }: Pick<Random, "fraction">): number {
  return Math.floor((remainingMs / 1000) * (1 - TOLD_SPREAD * fraction()));
}

interface Attempts {
  left: number;
  countedAt: number;
  /** The last one that has not ended. */
  running: Promise<unknown> | undefined;
}

export function createReauthentication<P>(ports: ReauthenticationPorts<P>): Reauthenticate<P> {
  const { admitter, clock, random, telemetry } = ports;
  const attempts = new WeakMap<Connection<P>, Attempts>();

  /** @throws HubwardError rate_limited */
  function takeTurn(connection: Connection<P>): Attempts {
    const now = clock.monotonic();
    const known = attempts.get(connection) ?? { left: MAX_ATTEMPTS, countedAt: now, running: undefined };
    attempts.set(connection, known);
    const earned = Math.floor((now - known.countedAt) / ATTEMPT_MS);
    known.left = Math.min(MAX_ATTEMPTS, known.left + earned);
    known.countedAt = known.left === MAX_ATTEMPTS ? now : known.countedAt + earned * ATTEMPT_MS;
    if (known.left === 0) {
      throw new HubwardError("rate_limited", { retryAfterSeconds: (known.countedAt + ATTEMPT_MS - now) / 1000 });
    }
    known.left--;
    return known;
  }

  function told(connection: Connection<P>): Renewal {
    return { expiresInSeconds: toldSeconds(connection.remainingMs, random) };
  }

  /** @throws HubwardError principal_mismatch */
  async function admit(
    connection: Connection<P>,
    authentication: Authentication,
  ): Promise<Admission<P> | HubwardError> {
    try {
      const admission = await admitter.identify(authentication);
      if (admission.principalId !== connection.admission.principalId) throw new HubwardError("principal_mismatch");
      await admitter.authorize(admission, ports.requirementsOf(connection), []);
      return admission;
    } catch (error) {
      if (!(error instanceof HubwardError) || error.reason !== "forbidden") throw error;
      // Nobody may go on as who they were because who they are now is not welcome.
      return error;
    }
  }

  async function renew(connection: Connection<P>, credential: Credential): Promise<Renewal> {
    const authentication = await admitter.authenticate(credential);
    if (!sameIdentityAndClient(authentication, connection.authentication)) throw new HubwardError("principal_mismatch");
    if (!isLater(authentication, connection)) return standing(connection);
    const admitted = await admit(connection, authentication);
    // Two at a time: the one that ends later stays, whichever was slower.
    if (!isLater(authentication, connection)) return standing(connection);
    if (admitted instanceof HubwardError) {
      connection.apply({ type: "revoked", reason: admitted.reason });
      throw admitted;
    }
    if (!connection.replace(admitted, "reauthenticated")) throw ended(connection);
    await ports.reassess(connection);
    const { id, hub } = connection;
    const { subject, sessionId, expiresAt } = authentication;
    telemetry({ event: "connection.reauthenticated", connectionId: id, hub, subject, sessionId, expiresAt });
    // It may have ended while its groups' rules were asked.
    const renewal = standing(connection);
    connection.notify({ kind: "reauthenticated", ...renewal });
    return renewal;
  }

  /** What is left of what the connection has. @throws HubwardError the reason it lapsed or ended for */
  function standing(connection: Connection<P>): Renewal {
    const refusal = connection.refusal();
    if (refusal !== undefined) throw refusal;
    return told(connection);
  }

  return async (connection, credential) => {
    connection.apply({ type: "refresh-shown" });
    if (!connection.isListening) throw ended(connection);
    const turn = takeTurn(connection);
    const before = turn.running;
    const mine = (async () => {
      await before?.catch(() => undefined);
      try {
        return await renew(connection, credential);
      } catch (error) {
        const reason = error instanceof HubwardError ? error.reason : "internal_error";
        const { id, hub, authentication } = connection;
        telemetry({
          event: "reauthentication.refused",
          connectionId: id,
          hub,
          subject: authentication.subject,
          reason,
        });
        throw error;
      }
    })();
    turn.running = mine;
    return mine;
  };
}

/** Whether a verified credential is to take the place of the present one. */
function isLater<P>(next: Authentication, connection: Connection<P>): boolean {
  const { expiresAt, issuedAt } = connection.authentication;
  if (next.expiresAt > expiresAt) return true;
  // Its claims are what is wanted: one issued since will do, though it may end sooner.
  if (connection.lapse !== "reauth_required") return false;
  return next.issuedAt !== undefined && (issuedAt === undefined || next.issuedAt > issuedAt);
}

function ended<P>(connection: Connection<P>): HubwardError {
  return connection.refusal() ?? new HubwardError("not_found");
}
