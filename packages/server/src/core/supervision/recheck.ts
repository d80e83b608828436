/**
 * The same credential, asked about again: the application's mapping and the hub's policies, then everything the
 * connection has. One at a time for each connection, a bounded number at once, one question for connections that
 * share a token.
 *
 * @see docs/credential-lifecycle.md, "Judging again"
 */

import { HubwardError, reasons } from "@hubward/wire";
import type { Admitter } from "../admission/admission.js";
import type { Authentication } from "../auth/authentication.js";
import type { Admission, Requirement } from "../auth/policy.js";
import type { Clock, Timer } from "../clock.js";
import type { Connection } from "../connection/connection.js";
import { identityKey, joinKey } from "../ids.js";
import { createTurns } from "./turns.js";
import type { Reassess } from "./reassessment.js";
import { SharedAnswers } from "./shared-answers.js";

/** What came of one connection. `gone`: it ended meanwhile, for a reason of its own. */
export interface Rechecked {
  readonly result: "holds" | "ended" | "unavailable" | "gone";
  /** Memberships it lost. */
  readonly lost: number;
}

export interface Recheck<P> {
  /**
   * Resolves when no frame of a membership it lost can leave this process any more. What is asked for while one waits
   * for its turn is the same one; while one is on its way, it is one more, behind it. Never rejects.
   */
  run(connection: Connection<P>): Promise<Rechecked>;
  /** The same, but for the frames: resolves when the connection is whoever it is by then, or has lapsed or ended. */
  renew(connection: Connection<P>): Promise<Rechecked>;
  /** Whether one waits or is on its way. */
  isRunning(connection: Connection<P>): boolean;
  /** Whether an admission was asked for before the last recheck of its connection was, and may say what was so then. */
  isOutdated(connection: Connection<P>, admission: Admission<P>): boolean;
}

export interface RecheckPorts<P> {
  readonly admitter: Pick<Admitter<P>, "identify" | "authorize" | "asked">;
  readonly clock: Pick<Clock, "after">;
  readonly reassess: Reassess<P>;
  /** What the connection's hub asks of everybody. */
  readonly requirementsOf: (connection: Connection<P>) => readonly Requirement<P>[];
  /** Told of what nobody expected. */
  readonly failed: (where: string, error: unknown) => void;
}

/** Connections asked about at the same time. */
export const MAX_PARALLEL_RECHECKS = 32;
/** How often a new credential may be faster before nobody can say what holds. */
const MAX_ATTEMPTS = 3;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

const GONE: Rechecked = { result: "gone", lost: 0 };
const ENDED: Rechecked = { result: "ended", lost: 0 };
const UNAVAILABLE: Rechecked = { result: "unavailable", lost: 0 };

interface Flight {
  /** What was asked before says nothing to those who wait for this one. */
  since: number;
  hasBegun: boolean;
  /** Set as soon as it is made. */
  landing: Promise<Rechecked> | undefined;
  /** One more, behind it. */
  next: Flight | undefined;
}

interface Retry {
  readonly timer: Timer;
  readonly delayMs: number;
}

export function createRecheck<P>(ports: RecheckPorts<P>): Recheck<P> {
  const { admitter, clock, reassess } = ports;
  const turns = createTurns(MAX_PARALLEL_RECHECKS);
  const flights = new Map<Connection<P>, Flight>();
  const askedFor = new WeakMap<Connection<P>, number>();
  const retries = new WeakMap<Connection<P>, Retry>();
  /** By token, while anything flies. */
  const answers = new SharedAnswers<Promise<Admission<P>>>();

  function ask(authentication: Authentication, since: number): Promise<Admission<P>> {
    const key = tokenKey(authentication);
    const known = answers.find(key, since);
    if (known !== undefined) return known;
    const now = admitter.asked;
    const admission = admitter.identify(authentication);
    answers.keep(key, now, admission);
    return admission;
  }

  const isFresh = ({ askedAt = 0 }: Admission<P>, since: number): boolean => askedAt > since;

  /** Asks until what was asked is about the credential the connection has by then. */
  async function judgeAnew(connection: Connection<P>, since: number): Promise<Rechecked | undefined> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const current = connection.admission;
      // A newer credential was mapped since: it stands, and is judged by itself.
      if (isFresh(current, since)) return undefined;
      const admission = await admit(connection, current, since);
      if (!connection.isListening) return GONE;
      if (connection.admission !== current) continue;
      if (admission instanceof HubwardError) return refuse(connection, admission);
      return connection.replace(admission, "rechecked") ? undefined : GONE;
    }
    return lapse(connection);
  }

  async function admit(
    connection: Connection<P>,
    current: Admission<P>,
    since: number,
  ): Promise<Admission<P> | HubwardError> {
    try {
      const admission = await ask(current.authentication, since);
      // What it is addressed by is fixed for a connection: another one is another connection.
      if (admission.principalId !== current.principalId) return new HubwardError("reauth_required");
      await admitter.authorize(admission, ports.requirementsOf(connection), []);
      return admission;
    } catch (error) {
      if (error instanceof HubwardError) return error;
      ports.failed("recheck", error);
      return new HubwardError("auth_unavailable", { cause: error });
    }
  }

  function refuse(connection: Connection<P>, { reason }: HubwardError): Rechecked {
    if (reasons[reason].action === "retry-after") return lapse(connection);
    // It lapsed for just that, and may bring another credential until its grace is over.
    if (reason === "reauth_required" && connection.lapse === reason) return UNAVAILABLE;
    connection.apply({ type: "revoked", reason });
    return ENDED;
  }

  function lapse(connection: Connection<P>): Rechecked {
    connection.apply({ type: "authority-lost" });
    if (!connection.isListening) return ENDED;
    const before = retries.get(connection);
    before?.timer.cancel();
    const delayMs = before === undefined ? FIRST_RETRY_MS : Math.min(MAX_RETRY_MS, before.delayMs * 2);
    const again = (): void => {
      // Back with another credential, or ended; or lapsed for what no directory can mend.
      if (connection.lapse === "auth_unavailable") void run(connection);
      else retries.delete(connection);
    };
    retries.set(connection, { timer: clock.after(delayMs, again), delayMs });
    return UNAVAILABLE;
  }

  async function recheck(connection: Connection<P>, since: number): Promise<Rechecked> {
    if (!connection.isListening) return GONE;
    const obstacle = await judgeAnew(connection, since);
    if (obstacle !== undefined) return obstacle;
    retries.get(connection)?.timer.cancel();
    retries.delete(connection);
    let lost = 0;
    for (;;) {
      const { version } = connection;
      const judged = await reassess(connection);
      await connection.judging;
      lost += judged.lost.length;
      if (!connection.isListening) return { result: "gone", lost };
      if (connection.version === version) return { result: judged.unanswered > 0 ? "unavailable" : "holds", lost };
    }
  }

  async function fly(
    connection: Connection<P>,
    flight: Flight,
    before: Promise<unknown> | undefined,
  ): Promise<Rechecked> {
    await before;
    await turns.take();
    flight.hasBegun = true;
    try {
      return await recheck(connection, flight.since);
    } catch (error) {
      ports.failed("recheck", error);
      return lapse(connection);
    } finally {
      turns.give();
      if (flight.next === undefined) flights.delete(connection);
      else flights.set(connection, flight.next);
      if (flights.size === 0) answers.clear();
    }
  }

  function takeOff(connection: Connection<P>, before?: Promise<unknown>): Flight {
    const flight: Flight = { since: admitter.asked, hasBegun: false, next: undefined, landing: undefined };
    flight.landing = fly(connection, flight, before);
    return flight;
  }

  /** One that has not begun answers whoever asks by then. */
  function flightFor(connection: Connection<P>): Flight {
    const flying = flights.get(connection);
    if (flying?.hasBegun === false) return flying;
    if (flying !== undefined) return (flying.next ??= takeOff(connection, flying.landing));
    const flight = takeOff(connection);
    flights.set(connection, flight);
    return flight;
  }

  async function renew(connection: Connection<P>): Promise<Rechecked> {
    const flight = flightFor(connection);
    flight.since = admitter.asked;
    askedFor.set(connection, flight.since);
    return (await flight.landing) ?? GONE;
  }

  async function run(connection: Connection<P>): Promise<Rechecked> {
    const landed = await renew(connection);
    // A busy socket may still hold a batch with a lost group's frames, which nobody can take back.
    await connection.outbox.handedOver();
    return landed;
  }

  return {
    run,
    renew,
    isRunning: (connection) => flights.has(connection),
    isOutdated(connection, admission) {
      const since = askedFor.get(connection);
      return since !== undefined && !isFresh(admission, since);
    },
  };
}

/** The same for connections that share a token which has an id; else each has its own. */
function tokenKey(authentication: Authentication): unknown {
  const { clientId, expiresAt, issuedAt, sessionId, tokenId } = authentication;
  if (tokenId === undefined) return authentication;
  return joinKey([identityKey(authentication), clientId, sessionId, tokenId, `${issuedAt}`, `${expiresAt}`]);
}
