/** Wires a scope: ports to the core, the core to its protocols. Nothing in it is another scope's but the shares. */

import { createAdmitter } from "../core/admission/admission.js";
import { createHoldBack } from "../core/admission/hold-back.js";
import type { ForwardedHeaders } from "../core/auth/credential.js";
import type { Admission, PolicyFailure } from "../core/auth/policy.js";
import type { Principal } from "../core/auth/principal.js";
import { createTickets } from "../core/auth/tickets.js";
import type { Connection } from "../core/connection/connection.js";
import { createListing } from "../core/connection/live-connection.js";
import type { FlushQueue } from "../core/connection/outbox.js";
import { createDeadline } from "../core/deadline.js";
import { createClientInvoker, type ClientInvoker } from "../core/dispatch/client-invoker.js";
import { ConnectionCall } from "../core/dispatch/connection-call.js";
import { createDispatcher, type Dispatch } from "../core/dispatch/dispatcher.js";
import type { Hub as CoreHub } from "../core/dispatch/hub.js";
import { HubDeparture } from "../core/dispatch/hub-departure.js";
import type { Endpoint } from "../core/endpoint.js";
import { createFanout } from "../core/groups/fanout.js";
import { groupName, type GroupReference, type GroupTemplate } from "../core/groups/group.js";
import { createGroups, type Groups } from "../core/groups/groups.js";
import type { PacedQueue } from "../core/paced-queue.js";
import { createReassessment } from "../core/supervision/reassessment.js";
import { createReauthentication } from "../core/supervision/reauthentication.js";
import { createRecheck } from "../core/supervision/recheck.js";
import { createRecheckRequests } from "../core/supervision/recheck-requests.js";
import { createRecheckSchedule } from "../core/supervision/recheck-schedule.js";
import type { Revocations } from "../core/supervision/revocations.js";
import type { MembershipCause, Telemetry } from "../core/telemetry.js";
import { systemDigest } from "../platform/system-crypto.js";
import { createRoomsEndpoint } from "../rooms/endpoint.js";
import type { RoomsPlace } from "../rooms/place.js";
import { createPresence } from "../rooms/presence.js";
import { createRoomDirectory } from "../rooms/room.js";
import { createAttempts, type Holder } from "../signalr/attempts.js";
import { createBindings } from "../signalr/binding.js";
import { createSignalREndpoint } from "../signalr/endpoint.js";
import type { Scope } from "./app.js";
import { createConnections, type Connections } from "./connections.js";
import { createHookRunner, type HookRunner } from "./hook-runner.js";
import { createHttpAuthentication } from "./http.js";
import { joinEndpoints } from "./join-endpoints.js";
import type { ResolvedCommonOptions, ResolvedScopeOptions } from "./options.js";
import { createScopeFace } from "./scope-face.js";
import { createScopeLimits } from "./scope-limits.js";

/** Nothing leaves before the hook has settled, a question neither: it would wait for itself. .NET refuses it, too. */
const refuseToAsk: ClientInvoker = () =>
  Promise.reject(new TypeError("connected: clients cannot be asked inside this hook"));

/** What all scopes of an application have between them. */
export interface ScopeShares {
  /** One turn of writing for everybody. */
  readonly flushQueue: FlushQueue;
  /** One turn of saying goodbye. */
  readonly farewells: PacedQueue;
  /** Lower-cased. */
  readonly hubPaths: Set<string>;
  /** One view of one log: two scopes may take credentials of one issuer. */
  readonly revocations: Revocations;
}

/** A scope, and what its application needs of it. */
export interface OpenScope<P> {
  readonly face: Scope<P>;
  readonly endpoint: Endpoint;
  /** Open connections. */
  readonly size: number;
  /** As {@link Connections.drain}. */
  drain(noticeMs: number): Promise<void>;
}

/** From a negotiate to the socket, at most. */
const MAX_ATTACH_MS = 30_000;

export function createScope<Attributes extends object>(
  common: ResolvedCommonOptions,
  settings: ResolvedScopeOptions<Attributes>,
  { flushQueue, farewells, hubPaths, revocations }: ScopeShares,
): OpenScope<Principal<Attributes>> {
  type P = Principal<Attributes>;
  const { clock, random, times } = common;
  const telemetry: Telemetry = common.trail?.follow(common.telemetry, (id) => connections.find(id)) ?? common.telemetry;
  const issuer = settings.authenticator.issuer;

  const onFailure: PolicyFailure = (where, error) =>
    telemetry({ event: "application.failed", where, connectionId: undefined, error });
  const deadline = createDeadline(clock, common.policyTimeoutMs);
  const watch = { failed: onFailure, deadline };
  const admitter = createAdmitter({
    ...settings,
    mapping: settings.principal,
    revocations: revocations.check,
    onFailure,
    deadline,
  });
  const limits = createScopeLimits(settings.limits, admitter, common);
  const templates = new Map<string, GroupTemplate<P>>();
  const hubs = new Map<string, CoreHub<P>>();
  const places = new Map<string, RoomsPlace<P>>();
  const directory = createRoomDirectory<P>();
  const hubOf = ({ hub }: Connection<P>): CoreHub<P> | undefined =>
    hubs.get(hub.toLowerCase()) ?? places.get(hub.toLowerCase())?.hub;
  const requirementsOf = (connection: Connection<P>) => hubOf(connection)?.requirements ?? [];
  const holdBack = createHoldBack(clock, settings.limits.endings);
  const connections: Connections<P> = createConnections<P>({
    clock,
    random,
    times,
    outbox: common.outbox,
    flushQueue,
    farewells,
    telemetry,
    trail: common.trail,
    holdBack,
    revoked: admitter.refusal,
    places: limits.places,
    life: () => ({
      groups,
      hooks,
      hubOf,
      isOutdated: (connection) => rechecks.isOutdated(connection),
      schedule,
      revocations,
    }),
  });
  const { index, registry } = connections;

  const groups: Groups<P> = createGroups<P>(
    common.maxGroupsPerConnection,
    watch,
    (template) => templates.get(template.pattern) === template,
    {
      joined(connection, group, by) {
        report("membership.joined", connection, group, by);
        connection.tellMembership({ change: "joined", place: group });
      },
      left(connection, group, by) {
        report("membership.left", connection, group, by);
        connection.tellMembership({ change: "left", place: group });
      },
      changed: (membership, isHeld) => presence.changed(membership, isHeld),
    },
    (connection, group) => (rechecks.isOutdatedFor(connection, group) ? recheck.renew(connection) : undefined),
  );
  const presence = createPresence<P>({ clock, groups, watch });
  const fanout = createFanout(registry, groups, (event, error) => onFailure(`event ${event}`, error));
  const senderPorts = { fanout, invokeClient: createClientInvoker(registry) };
  const hooks: HookRunner<P> = createHookRunner<P>({
    clock,
    timeoutMs: times.handshakeTimeoutMs,
    createCall: (connection, control) =>
      new ConnectionCall(connection, "connected", control, { groups, fanout, invokeClient: refuseToAsk }),
    createDeparture: (connection, reason) => new HubDeparture(connection, reason, senderPorts),
    onFailure,
    onSettled: () => connections.settled(),
  });
  /** `isOfHub`: whether a call speaks to its own hub's connections alone. What is said in a room is for all of a group. */
  const dispatcher = (isOfHub: boolean): Dispatch<P> => {
    const ports = { groups, ...senderPorts, isOfHub };
    return createDispatcher<P>({
      idempotency: common.idempotency,
      digest: systemDigest,
      createCall: (connection, method, control, commit) =>
        new ConnectionCall(connection, method, control, ports, commit),
      watch,
      limiter: limits.limiter,
    });
  };

  const reassess = createReassessment<P>({ clock, groups, telemetry });
  const recheck = createRecheck<P>({ admitter, clock, reassess, requirementsOf, failed: onFailure });
  const rechecks = createRecheckRequests<P>({
    recheck,
    registry,
    index,
    groups,
    admitter,
    clock,
    telemetry,
    hubOf,
    issuer,
    maxConnectMs: MAX_ATTACH_MS + times.handshakeTimeoutMs,
  });
  const schedule =
    common.recheckEveryMs === undefined
      ? undefined
      : createRecheckSchedule<P>(clock, common.recheckEveryMs, (connection) => {
          if (!recheck.isRunning(connection)) void recheck.run(connection);
        });
  const reauthenticate = createReauthentication<P>({
    admitter,
    clock,
    random,
    telemetry,
    reassess,
    requirementsOf,
    // A recheck may have looked for the credential that is brought, and found whom it is brought for by another.
    isOutdated: (connection, admission) =>
      recheck.isOutdated(connection, admission) || rechecks.isOutdated(connection, admission),
  });
  revocations.join({
    connections: (name) => (name === undefined ? index.all() : index.named(name)),
    confirm(revocable) {
      const connection = revocable as Connection<P>;
      // Asked about meanwhile, and nobody could say: it must not go on as who it was before that.
      if (recheck.isOutdated(connection, connection.admission)) return void recheck.run(connection);
      if (connection.replace(connection.admission, "rechecked")) void reassess(connection);
    },
  });

  function report(
    event: "membership.joined" | "membership.left",
    { id, hub, authentication }: Connection<P>,
    group: GroupReference<P>,
    by: MembershipCause,
  ): void {
    telemetry({ event, connectionId: id, hub, subject: authentication.subject, group: groupName(group), by });
  }

  const dpop = settings.dpop === "checked-upstream" ? undefined : settings.dpop;
  const doorPorts = { ...limits, holdBack, clock, random, telemetry, allowedOrigins: settings.allowedOrigins };
  const rooms = createRoomsEndpoint<P>(places, {
    ...doorPorts,
    tickets: createTickets<Admission<P>>({ clock, random, digest: systemDigest }, { attachMs: MAX_ATTACH_MS }),
    attachMs: MAX_ATTACH_MS,
    visitors: connections.visitors,
    isDraining: () => connections.isDraining,
    dispatch: dispatcher(false),
    reauthenticate,
    presence,
    dpop,
    keepAliveMs: times.keepAliveMs,
    connect: ({ place, ...arrival }, socket) =>
      connections.connect({ ...arrival, path: place.path, transport: "WebSockets", released: () => undefined }, socket),
  });
  const signalr = createSignalREndpoint<P>(hubs, {
    ...doorPorts,
    attempts: createAttempts<P>(clock),
    tickets: createTickets<Holder<P>>({ clock, random, digest: systemDigest }),
    digest: systemDigest,
    bindings: createBindings({ digest: systemDigest, random }),
    allowQueryToken: settings.allowQueryToken,
    isDraining: () => connections.isDraining,
    visitors: connections.visitors,
    dispatch: dispatcher(true),
    reauthenticate,
    dpop,
    handshakeTimeoutMs: times.handshakeTimeoutMs,
    connect: ({ connectionId, hub, transport, remoteAddress, end }, admission, socket) =>
      connections.connect({ connectionId, path: hub.path, admission, transport, remoteAddress, released: end }, socket),
  });

  const endpoint = joinEndpoints([signalr, rooms]);
  const { forwarded: forwards } = settings.authenticator;
  const forwarded = new WeakMap<object, ForwardedHeaders>();
  const keep = (headers: object, found: ForwardedHeaders): void => void forwarded.set(headers, found);
  return {
    face: createScopeFace<P>({
      ...senderPorts,
      issuer,
      settings,
      templates,
      hubs,
      places,
      directory,
      hubPaths,
      groups,
      registry,
      rechecks,
      revocations,
      clock,
      list: createListing({ registry, groups, clock, transportOf: connections.transportOf }),
      http: createHttpAuthentication({
        admitter,
        telemetry,
        failed: limits.failed,
        onFailure,
        forwarded,
        allowedOrigins: settings.allowedOrigins,
        cookie: settings.hub.cookie,
      }),
    }),
    endpoint:
      forwards === undefined ? endpoint : { ...endpoint, forwarded: [{ ...forwards, owns: endpoint.owns, keep }] },
    get size() {
      return registry.size;
    },
    drain: connections.drain,
  };
}
