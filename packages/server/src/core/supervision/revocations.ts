/**
 * Revocation at work: an entry shuts its live connections and the doors first, is then kept by the log, and only then
 * acknowledged. Entries of the log, whoever made them, are applied as they come.
 *
 * @see docs/credential-lifecycle.md, "Revocation"
 */

import { HubwardError } from "@hubward/wire";
import type { Authentication } from "../auth/authentication.js";
import { commonName, type CredentialName } from "../auth/credential-name.js";
import { RevocationGate, type RevocationCheck } from "../auth/revocation-gate.js";
import type { RevocationLog } from "../auth/revocation-log.js";
import { createRevocation, type RevocationRequest, type RevocationTerms } from "../auth/revocation-record.js";
import { createRevocationView } from "../auth/revocation-view.js";
import { passesFrom, type NewRevocation, type Revocation, type RevocationTarget } from "../auth/revocation.js";
import type { Clock, EpochMs } from "../clock.js";
import type { LapseReason, LifecycleEvent } from "../connection/lifecycle.js";
import type { ConnectionId } from "../ids.js";
import type { Telemetry } from "../telemetry.js";
import { createHeartbeat, type Beating } from "./heartbeat.js";
import { createLiftAuthors } from "./lift-authors.js";
import { createReleases } from "./releases.js";
import { createRevocationReader } from "./revocation-reader.js";

/** As much of a connection as revocation needs. */
export interface RevocableConnection {
  readonly id: ConnectionId;
  readonly hub: string;
  readonly authentication: Authentication;
  /** Why it has lapsed, while it has. */
  readonly lapse: LapseReason | undefined;
  /** Whether it is open, be it lapsed. */
  readonly isListening: boolean;
  apply(event: LifecycleEvent): void;
}

/** Live connections of one scope. */
export interface Fleet {
  /**
   * All whose socket is not gone: handshaking, open, detached and closing ones. With a name, at least those of them
   * that have it.
   */
  connections(name?: CredentialName): Iterable<RevocableConnection>;
  /** It lapsed because nobody could say whether it was revoked, and now somebody can: it was not. */
  confirm(connection: RevocableConnection): void;
}

export interface RevocationReceipt {
  /** Of the entry in the log. */
  readonly number: number;
  /** Live connections of this node that it stood against. */
  readonly matched: number;
  /** Until every one of them was shut: nothing was handed to the kernel for them from then on. Milliseconds. */
  readonly gatedMs: number;
  /** Until the last of their sockets was gone, or the wait for it was over. Milliseconds. */
  readonly closedMs: number;
  /** Sockets that were still there then: long polling clients that have not come for the reason. */
  readonly stillClosing: number;
  /**
   * From when newly issued tokens pass, for entries that go by time; before, they are refused with `retry_after`.
   * Milliseconds since 1970.
   */
  readonly passesFrom: EpochMs | undefined;
}

export interface Revocations {
  readonly check: RevocationCheck;
  /** Starts to watch over the connections of a scope. */
  join(fleet: Fleet): void;
  /** The socket of a connection is gone. */
  released(connection: RevocableConnection): void;
  /** Resolves when the log was read, and somebody may be let in. @throws (rejects with) HubwardError once stopped */
  ready(): Promise<void>;
  /**
   * Gate, commit, acknowledge. Everything it stands against is shut before this returns its promise.
   * @throws TypeError | RangeError (as a rejection) for a request that cannot be meant; nothing has happened.
   * HubwardError (as a rejection) `not_durable`: what was shut stays shut, and the doors go on to refuse in this
   * process, but a restart may forget it; ask again
   */
  revoke(request: RevocationRequest): Promise<RevocationReceipt>;
  /** Opens what a suspension shut: once the log has it. @throws as `revoke`; it stays shut then */
  lift(target: RevocationTarget, by?: string): Promise<{ readonly number: number }>;
  /** Live connections it would stand against. Changes nothing. @throws TypeError | RangeError */
  preview(request: RevocationRequest): readonly RevocableConnection[];
  stop(): void;
}

export interface RevocationPorts {
  readonly log: RevocationLog;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** The longest a token lives that is accepted. Milliseconds. */
  readonly maxTokenAgeMs: number;
  /** How far issuers' clocks may be ahead. Milliseconds. */
  readonly skewMs: number;
  /** The log was made just now and has no entry: nobody need wait until it was read. */
  readonly isLogNew: boolean;
}

export function createRevocations(ports: RevocationPorts): Revocations {
  const { log, clock, telemetry, maxTokenAgeMs, skewMs } = ports;
  const gate = new RevocationGate({ clock, maxTokenAgeMs, skewMs }, createRevocationView({ skewMs }), ports.isLogNew);
  const fleets: Fleet[] = [];
  const releases = createReleases<RevocableConnection>(clock);
  const heartbeat = createHeartbeat<Beating>(clock);
  /** Lapsed because the view was not fresh. */
  const fenced = new WeakSet<RevocableConnection>();
  const sweeper: Beating = { beat: ({ now }) => gate.forget(now) };
  const lifts = createLiftAuthors(shut);

  const reader = createRevocationReader({
    log,
    clock,
    telemetry,
    skewMs,
    gate,
    told(entry) {
      // One that is in force by our own doing has shut its connections.
      if (gate.apply(entry) && !lifts.holds(entry)) shut(entry);
      heartbeat.watch(sweeper);
    },
    refreshed,
    fence,
  });

  function live(): [RevocableConnection, Fleet][] {
    return fleets.flatMap((fleet) =>
      Array.from(fleet.connections(), (each) => [each, fleet] as [RevocableConnection, Fleet]),
    );
  }

  function terms(): RevocationTerms {
    return { now: clock.now(), maxTokenAgeMs, skewMs };
  }

  function matching(entry: NewRevocation | Revocation): RevocableConnection[] {
    const found: RevocableConnection[] = [];
    if (entry.kind === "lift") return found;
    const isMeant = gate.matcher(entry);
    const name = commonName(entry.target);
    for (const fleet of fleets)
      for (const each of fleet.connections(name)) if (isMeant(each.authentication, each.id)) found.push(each);
    return found;
  }

  /** One that fails to close must not keep the others open. */
  function guarded(connection: RevocableConnection, act: (connection: RevocableConnection) => void): void {
    try {
      act(connection);
    } catch (error) {
      telemetry({ event: "application.failed", where: "revocation", connectionId: connection.id, error });
    }
  }

  function tell(connection: RevocableConnection, event: LifecycleEvent): void {
    guarded(connection, (each) => each.apply(event));
  }

  /** Shuts what an entry stands against. Nothing is awaited. */
  function shut(entry: NewRevocation | Revocation, by?: string): readonly RevocableConnection[] {
    const startedAt = clock.monotonic();
    const found = matching(entry);
    // One of each for all of them.
    const event = eventOf(entry);
    const end = (connection: RevocableConnection): void => connection.apply(event);
    for (const each of found) guarded(each, end);
    const { kind, target, reason } = entry;
    const number = "number" in entry ? entry.number : undefined;
    const gatedMs = clock.monotonic() - startedAt;
    telemetry({ event: "revocation.applied", number, kind, target, reason, by, matched: found.length, gatedMs });
    return found;
  }

  /** The view is whole again: what happened meanwhile is applied, and who lapsed for the doubt alone goes on. */
  function refreshed(): void {
    if (gate.head > 0) heartbeat.watch(sweeper);
    for (const [connection, fleet] of live()) {
      const entry = gate.judge(connection.authentication, connection.id);
      if (entry !== undefined) tell(connection, eventOf(entry));
      else if (fenced.delete(connection) && connection.lapse === "auth_unavailable")
        guarded(connection, () => fleet.confirm(connection));
    }
  }

  /** Nobody has been able to say for too long who was revoked. */
  function fence(): void {
    for (const [connection] of live()) {
      if (connection.lapse !== undefined) continue;
      tell(connection, { type: "authority-lost" });
      fenced.add(connection);
    }
  }

  async function append(entry: NewRevocation, by: string | undefined): Promise<number> {
    try {
      return (await log.append(entry)).number;
    } catch (error) {
      telemetry({ event: "revocation.failed", kind: entry.kind, target: entry.target, by, error });
      if (error instanceof HubwardError && error.reason === "not_durable") throw error;
      throw new HubwardError("not_durable", { retryAfterSeconds: 1, cause: error });
    }
  }

  return {
    check: gate,
    join: (fleet) => void fleets.push(fleet),
    released: (connection) => releases.released(connection),
    ready: () => reader.ready(),

    async revoke(request) {
      const startedAt = clock.monotonic();
      const entry = createRevocation(request, terms());
      if (entry.kind === "lift") throw new TypeError("revoke: a lift is none");
      const announcement = gate.announce(entry);
      const release = releases.begin();
      const found = shut(entry, request.by);
      const gatedMs = clock.monotonic() - startedAt;
      const released = release.of(found);
      let number: number;
      try {
        number = await append(entry, request.by);
      } catch (error) {
        gate.lost(announcement);
        throw error;
      }
      gate.kept(announcement, number);
      const { left, at } = await released;
      return {
        number,
        matched: found.length,
        gatedMs,
        closedMs: Math.max(gatedMs, at - startedAt),
        stillClosing: left,
        passesFrom: passesFrom(entry, skewMs),
      };
    },

    async lift(target, by) {
      const entry = createRevocation({ kind: "lift", target, by }, terms());
      return { number: await lifts.run(by, () => append(entry, by)) };
    },

    preview: (request) => matching(createRevocation(request, terms())),

    stop() {
      reader.stop();
      heartbeat.forget(sweeper);
    },
  };
}

function eventOf({ kind, reason }: NewRevocation): LifecycleEvent {
  return kind === "claims-changed" ? { type: "claims-changed" } : { type: "revoked", reason };
}
