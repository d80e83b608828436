/**
 * The open connections of a scope, from an admitted newcomer's socket until that is gone: makes them, keeps them where
 * they are found and looked after, and hears what becomes of them.
 */

import type { HubwardError, ReasonName } from "@hubward/wire";
import type { HoldBack } from "../core/admission/hold-back.js";
import { createShares } from "../core/admission/shares.js";
import type { Authentication } from "../core/auth/authentication.js";
import type { Admission } from "../core/auth/policy.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import type { AuditTrail } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { Connection, type ConnectionObserver, type ConnectionTimes } from "../core/connection/connection.js";
import { CredentialIndex } from "../core/connection/credential-index.js";
import type { FlushQueue } from "../core/connection/outbox.js";
import type { ResolvedOutboxOptions } from "../core/connection/outbox-options.js";
import { Registry } from "../core/connection/registry.js";
import type { Socket } from "../core/connection/socket.js";
import type { Visitor, Visitors } from "../core/connection/visitors.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { Groups } from "../core/groups/groups.js";
import type { ConnectionId } from "../core/ids.js";
import type { PrincipalConnections } from "../core/limits/principal-connections.js";
import type { PacedQueue } from "../core/paced-queue.js";
import type { Random } from "../core/random.js";
import { endOverTime } from "../core/supervision/drain.js";
import { createExpiry } from "../core/supervision/expiry.js";
import { createHeartbeat } from "../core/supervision/heartbeat.js";
import { principalFields, type Telemetry } from "../core/telemetry.js";
import type { HookRunner } from "./hook-runner.js";

/** Somebody who was let in, with a socket to be spoken to. */
export interface Newcomer<P> {
  readonly connectionId: ConnectionId;
  /** What it is connected to: the path of a hub, or of rooms. */
  readonly path: string;
  readonly admission: Admission<P>;
  /** SignalR's name of the transport. */
  readonly transport: string;
  readonly remoteAddress: string | undefined;
  /** Its socket is gone. */
  released(): void;
}

export interface Connections<P> {
  readonly registry: Registry<P>;
  /** Those whose socket is open or has not been given back: handshaking, open and closing ones. */
  readonly index: Pick<CredentialIndex<P>, "all" | "named">;
  /** From their socket on until it was told that it is gone, for records. */
  find(id: ConnectionId): Connection<P> | undefined;
  transportOf(connection: Connection<P>): string | undefined;
  connect(newcomer: Newcomer<P>, socket: Socket): Connection<P>;
  readonly visitors: Visitors;
  readonly isDraining: boolean;
  /**
   * Refuses new connections, ends the open ones, and resolves when all sockets are gone.
   * @param noticeMs told to each; they are ended over the second half of that time. 0: at once
   */
  drain(noticeMs: number): Promise<void>;
  /** Something that a drain may wait for is over. */
  settled(): void;
}

export interface ConnectionsPorts<P> {
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly times: ConnectionTimes;
  readonly outbox: ResolvedOutboxOptions;
  readonly flushQueue: FlushQueue;
  readonly farewells: PacedQueue;
  readonly telemetry: Telemetry;
  readonly trail: AuditTrail | undefined;
  readonly holdBack: HoldBack;
  /** Why a credential does not stand any more, by what was revoked. */
  readonly revoked: (authentication: Authentication, id: ConnectionId) => HubwardError | undefined;
  /** Asked at each birth, by whose protocol it is: `refusalAtBirth`. */
  readonly places: Pick<PrincipalConnections, "opened" | "released">;
  /** Told of them, and asked; they were made with what is here. */
  readonly life: () => ConnectionLife<P>;
}

/** Who else has to do with a connection's coming and going. */
export interface ConnectionLife<P> {
  readonly groups: Pick<Groups<P>, "release">;
  readonly hooks: HookRunner<P>;
  /** What it is connected to. */
  hubOf(connection: Connection<P>): Hub<P> | undefined;
  /** Whether it was admitted before a recheck that was meant for it. */
  isOutdated(connection: Connection<P>): boolean;
  /** For periodic rechecks. */
  readonly schedule: { watch(connection: Connection<P>): void; forget(connection: Connection<P>): void } | undefined;
  readonly revocations: { released(connection: Connection<P>): void };
}

/** Connections of one identity that wait for their client to come back, at most. */
const MAX_DETACHED_PER_IDENTITY = 100;

export function createConnections<P extends PrincipalBase>(ports: ConnectionsPorts<P>): Connections<P> {
  const { clock, telemetry, times, holdBack } = ports;
  const registry = new Registry<P>();
  const expiry = createExpiry<P>(clock);
  const heartbeat = createHeartbeat<Connection<P>>(clock);
  const visiting = new Set<Visitor>();
  /** From their socket on until it is gone. */
  const newcomers = new Map<Connection<P>, Newcomer<P>>();
  const index = new CredentialIndex<P>();
  /** Gone, and being told of: its last record says whose it was. */
  let leaving: Connection<P> | undefined;
  // A connection without a socket costs its peer nothing.
  const detached = new Set<Connection<P>>();
  const detachedShares = createShares(MAX_DETACHED_PER_IDENTITY);
  /** Of hubs that want to hear of departures. */
  const wasOpen = new WeakSet<Connection<P>>();
  let known: ConnectionLife<P> | undefined;
  let drained: (() => void) | undefined;
  let isDraining = false;

  const life = (): ConnectionLife<P> => (known ??= ports.life());

  function hasNobody(): boolean {
    return heartbeat.size === 0 && visiting.size === 0 && life().hooks.running === 0;
  }

  function settled(): void {
    if (isDraining && hasNobody()) drained?.();
  }

  function giveBack(connection: Connection<P>): void {
    if (detached.delete(connection)) detachedShares.give(connection.identity);
  }

  /** Takes one that has ended out of where open ones are kept; again does nothing. */
  function forget(connection: Connection<P>): void {
    registry.remove(connection);
    life().schedule?.forget(connection);
    expiry.forget(connection);
  }

  const observer: ConnectionObserver<P> = {
    opened(connection) {
      registry.add(connection);
      life().schedule?.watch(connection);
      const { admission, hub, id, remoteAddress, dialect } = connection;
      telemetry({
        event: "connection.opened",
        connectionId: id,
        hub,
        protocol: dialect?.name ?? "unknown",
        principal: principalFields(admission.authentication, admission.principal.roles),
        remoteAddress,
      });
      // Who it is may not be so any more, and nothing has happened yet: it comes again and is asked about anew.
      if (life().isOutdated(connection)) return connection.apply({ type: "aborted", reason: "auth_unavailable" });
      const place = life().hubOf(connection);
      if (place?.hooks.disconnected !== undefined) wasOpen.add(connection);
      if (place !== undefined) life().hooks.opened(connection, place);
    },
    ended(connection) {
      life().groups.release(connection);
      // Nobody finds it any more, and what comes due for it does nothing. So this can wait where very many end in one
      // moment: who is to be shut behind it cannot.
      ports.farewells.add(() => forget(connection));
    },
    replaced: (connection, before) => index.replaced(connection, before),
    rescheduled: (connection) => expiry.watch(connection),
    lapsed(connection, reason) {
      const { authentication, id, hub } = connection;
      telemetry({ event: "connection.lapsed", connectionId: id, hub, reason, subject: authentication.subject });
    },
    restored(connection) {
      const { authentication, id, hub } = connection;
      telemetry({ event: "connection.restored", connectionId: id, hub, subject: authentication.subject });
    },
    detached(connection) {
      const { authentication, id, hub, identity } = connection;
      const ageMs = connection.ageMs(clock.monotonic());
      telemetry({ event: "connection.detached", connectionId: id, hub, subject: authentication.subject, ageMs });
      if (detachedShares.take(identity)) detached.add(connection);
      else connection.apply({ type: "resume-overdue" });
    },
    resumed(connection, how) {
      const { authentication, id, hub } = connection;
      giveBack(connection);
      telemetry({ event: "connection.resumed", connectionId: id, hub, subject: authentication.subject, ...how });
    },
    released(connection, reason) {
      forget(connection);
      heartbeat.forget(connection);
      // Before anybody is told: a revocation that is asked for then must not wait for a socket that is gone.
      index.remove(connection);
      ports.places.released(connection.identity);
      life().revocations.released(connection);
      giveBack(connection);
      newcomers.get(connection)?.released();
      newcomers.delete(connection);
      const ageMs = connection.ageMs(clock.monotonic());
      const { authentication, id, hub } = connection;
      // What the client ended, and what ended by the credential's own time, is no loop of ours.
      if (reason !== "normal" && reason !== "token_expired") holdBack.ended(authentication, ageMs);
      leaving = connection;
      telemetry({ event: "connection.closed", connectionId: id, hub, reason, subject: authentication.subject, ageMs });
      leaving = undefined;
      depart(connection, reason);
      settled();
    },
    failed(connection, error) {
      telemetry({ event: "application.failed", where: "connection", connectionId: connection.id, error });
    },
  };

  function end(overMs = 0): void {
    const rest = (): readonly Connection<P>[] => Array.from(index.all()).filter(({ hasEnded }) => !hasEnded);
    endOverTime(clock, overMs, rest, (connection) => connection.apply({ type: "drained" }));
  }

  function depart(connection: Connection<P>, reason: ReasonName): void {
    const place = life().hubOf(connection);
    if (place !== undefined && wasOpen.delete(connection)) life().hooks.released(connection, place, reason);
  }

  return {
    registry,
    index,
    find: (id) => index.get(id) ?? (leaving?.id === id ? leaving : undefined),
    transportOf: (connection) => newcomers.get(connection)?.transport,

    connect(newcomer, socket) {
      const connection = new Connection<P>({
        id: newcomer.connectionId,
        hub: newcomer.path,
        admission: newcomer.admission,
        remoteAddress: newcomer.remoteAddress,
        socket,
        clock,
        times,
        spread: ports.random.fraction,
        flushQueue: ports.flushQueue,
        farewells: ports.farewells,
        outboxLimits: ports.outbox,
        observer,
        revoked: ports.revoked,
      });
      newcomers.set(connection, newcomer);
      ports.places.opened(connection.identity);
      index.add(connection);
      heartbeat.watch(connection);
      expiry.watch(connection);
      return connection;
    },

    visitors: {
      add: (visitor) => void visiting.add(visitor),
      delete(visitor) {
        visiting.delete(visitor);
        settled();
      },
      get size() {
        return visiting.size;
      },
    },

    get isDraining() {
      return isDraining;
    },

    async drain(noticeMs) {
      isDraining = true;
      if (hasNobody()) return;
      await new Promise<void>((resolve) => {
        drained = resolve;
        for (const visitor of Array.from(visiting)) visitor.drain();
        if (noticeMs === 0) end();
        else {
          const closesInSeconds = Math.ceil(noticeMs / 1000);
          for (const connection of registry.all()) connection.notify({ kind: "draining", closesInSeconds });
          // Time to finish first; then one after the other, so that they do not all come back at once.
          clock.after(noticeMs / 2, () => end(noticeMs / 2));
        }
        settled();
      });
    },
    settled,
  };
}
