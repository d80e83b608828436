/** Wires a scope: ports to the core, the core to its protocols. Nothing in it is another scope's but the shares. */

import { createAdmitter } from "../core/admission/admission.js";
import { createHoldBack } from "../core/admission/hold-back.js";
import { createShares } from "../core/admission/shares.js";
import type { ForwardedHeaders } from "../core/auth/credential.js";
import { createDeadline } from "../core/deadline.js";
import type { PolicyFailure } from "../core/auth/policy.js";
import type { Principal } from "../core/auth/principal.js";
import { assertCookieOrigins } from "../core/auth/cookie-options.js";
import { createTickets } from "../core/auth/tickets.js";
import { Connection, type ConnectionObserver } from "../core/connection/connection.js";
import { createListing } from "../core/connection/live-connection.js";
import type { PacedQueue } from "../core/paced-queue.js";
import type { FlushQueue } from "../core/connection/outbox.js";
import { Registry } from "../core/connection/registry.js";
import { createClientInvoker, type ClientInvoker } from "../core/dispatch/client-invoker.js";
import { ConnectionCall } from "../core/dispatch/connection-call.js";
import { HubDeparture } from "../core/dispatch/hub-departure.js";
import { describeDecisions } from "../core/dispatch/decisions.js";
import { createDispatcher, type DispatcherPorts } from "../core/dispatch/dispatcher.js";
import type { Hub as CoreHub } from "../core/dispatch/hub.js";
import { resolveHubOptions, type HubOptions } from "../core/dispatch/hub-settings.js";
import { AddressedTarget, ScopedSender } from "../core/dispatch/sender.js";
import type { Endpoint } from "../core/endpoint.js";
import { groupName, type GroupReference, type GroupTemplate } from "../core/groups/group.js";
import type { ConnectionId } from "../core/ids.js";
import { createFanout } from "../core/groups/fanout.js";
import { createGroups } from "../core/groups/groups.js";
import { createExpiry } from "../core/supervision/expiry.js";
import { createHeartbeat } from "../core/supervision/heartbeat.js";
import { principalFields, type MembershipCause } from "../core/telemetry.js";
import { createReassessment } from "../core/supervision/reassessment.js";
import { createRecheck } from "../core/supervision/recheck.js";
import { createRecheckRequests } from "../core/supervision/recheck-requests.js";
import { createRecheckSchedule } from "../core/supervision/recheck-schedule.js";
import { createReauthentication } from "../core/supervision/reauthentication.js";
import type { Revocations } from "../core/supervision/revocations.js";
import { systemDigest } from "../platform/system-crypto.js";
import { createAttempts, type Holder } from "../signalr/attempts.js";
import { createBindings } from "../signalr/binding.js";
import type { Arrival } from "../signalr/claim.js";
import { sessionKey } from "../signalr/door.js";
import type { DoomedConnection } from "../signalr/doomed.js";
import { createSignalREndpoint } from "../signalr/endpoint.js";
import type { Scope } from "./app.js";
import { buildGroup } from "./group-builder.js";
import { createHttpAuthentication } from "./http.js";
import { createHookRunner } from "./hook-runner.js";
import { buildHub } from "./hub-builder.js";
import { createRevoking } from "./revocation-face.js";
import type { ResolvedCommonOptions, ResolvedScopeOptions } from "./options.js";
import { TenantFace, type TenantPorts } from "./tenant.js";

/** Nothing leaves before the hook has settled, a question neither: it would wait for itself. .NET refuses it, too. */
const refuseToAsk: ClientInvoker = () =>
  Promise.reject(new TypeError("connected: clients cannot be asked inside this hook"));

/** Connections of one identity that wait for their client to come back, at most. */
const MAX_DETACHED_PER_IDENTITY = 100;

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
  /** Refuses new connections, ends the open ones, and resolves when all sockets are gone. */
  drain(): Promise<void>;
}

/** From a negotiate to the socket, at most. */
const MAX_ATTACH_MS = 30_000;

/** What a request to a hub asks under its path. */
const NEGOTIATE = "/negotiate";
const REFRESH = "/refresh";

export function createScope<Attributes extends object>(
  common: ResolvedCommonOptions,
  settings: ResolvedScopeOptions<Attributes>,
  { flushQueue, farewells, hubPaths, revocations }: ScopeShares,
): OpenScope<Principal<Attributes>> {
  type P = Principal<Attributes>;
  const { clock, random, times } = common;
  /** For records: from a connection's socket on until it is gone. */
  const audited = new Map<ConnectionId, Connection<P>>();
  const telemetry = common.trail?.follow(common.telemetry, (id) => audited.get(id)) ?? common.telemetry;
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
  const registry = new Registry<P>();
  const templates = new Map<string, GroupTemplate<P>>();
  const groups = createGroups<P>(
    common.maxGroupsPerConnection,
    watch,
    (template) => templates.get(template.pattern) === template,
    {
      joined: (connection, group, by) => tellMembership("membership.joined", connection, group, by),
      left: (connection, group, by) => tellMembership("membership.left", connection, group, by),
    },
  );
  const fanout = createFanout(registry, groups, (event, error) => onFailure(`event ${event}`, error));
  const expiry = createExpiry<P>(clock);
  const heartbeat = createHeartbeat<Connection<P>>(clock);
  const holdBack = createHoldBack(clock);
  const { forwarded: forwards } = settings.authenticator;
  const forwarded = new WeakMap<object, ForwardedHeaders>();
  const keep = (headers: object, found: ForwardedHeaders): void => void forwarded.set(headers, found);
  const hubs = new Map<string, CoreHub<P>>();
  const doomed = new Set<DoomedConnection>();
  // A connection without a socket costs its peer nothing.
  const detached = new Set<Connection<P>>();
  const detachedShares = createShares(MAX_DETACHED_PER_IDENTITY);
  let drained: (() => void) | undefined;
  let isDraining = false;

  const senderPorts = { fanout, invokeClient: createClientInvoker(registry) };
  const callPorts = { groups, ...senderPorts };
  const createCall: DispatcherPorts<P>["createCall"] = (connection, method, control, commit) =>
    new ConnectionCall(connection, method, control, callPorts, commit);
  const hooks = createHookRunner<P>({
    clock,
    timeoutMs: times.handshakeTimeoutMs,
    createCall: (connection, control) =>
      new ConnectionCall(connection, "connected", control, { groups, fanout, invokeClient: refuseToAsk }),
    createDeparture: (connection, reason) => new HubDeparture(connection, reason, senderPorts),
    onFailure,
    onSettled: tellWhenGone,
  });
  const dispatch = createDispatcher<P>({
    idempotency: common.idempotency,
    digest: systemDigest,
    createCall,
    watch,
  });

  const reassess = createReassessment<P>({ clock, groups, telemetry });
  const hubOf = ({ hub }: Connection<P>): CoreHub<P> | undefined => hubs.get(hub.toLowerCase());
  const requirementsOf = (connection: Connection<P>) => hubOf(connection)?.requirements ?? [];
  const recheck = createRecheck<P>({ admitter, clock, reassess, requirementsOf, failed: onFailure });
  const rechecks = createRecheckRequests<P>({
    recheck,
    registry,
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
    isOutdated: (connection, admission) => recheck.isOutdated(connection, admission),
  });

  function tellMembership(
    event: "membership.joined" | "membership.left",
    { id, hub, authentication }: Connection<P>,
    group: GroupReference<P>,
    by: MembershipCause,
  ): void {
    telemetry({ event, connectionId: id, hub, subject: authentication.subject, group: groupName(group), by });
  }
  revocations.join({
    connections: () => heartbeat.watched(),
    confirm(revocable) {
      const connection = revocable as Connection<P>;
      if (connection.replace(connection.admission, "rechecked")) void reassess(connection);
    },
  });

  function tellWhenGone(): void {
    if (isDraining && heartbeat.size === 0 && doomed.size === 0 && hooks.running === 0) drained?.();
  }

  /** From their socket on until it is gone. */
  const arrivals = new Map<Connection<P>, Arrival<P>>();
  /** Of hubs that want to hear of departures. */
  const wasOpen = new WeakSet<Connection<P>>();
  const observer: ConnectionObserver<P> = {
    opened(connection) {
      registry.add(connection);
      schedule?.watch(connection);
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
      if (rechecks.isOutdated(connection)) return connection.apply({ type: "aborted", reason: "auth_unavailable" });
      const known = hubs.get(hub.toLowerCase());
      if (known?.hooks.disconnected !== undefined) wasOpen.add(connection);
      if (known !== undefined) hooks.opened(connection, known);
    },
    ended(connection) {
      registry.remove(connection);
      schedule?.forget(connection);
      groups.release(connection);
      expiry.forget(connection);
    },
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
      if (detached.delete(connection)) detachedShares.give(connection.identity);
      telemetry({ event: "connection.resumed", connectionId: id, hub, subject: authentication.subject, ...how });
    },
    released(connection, reason) {
      heartbeat.forget(connection);
      revocations.released(connection);
      if (detached.delete(connection)) detachedShares.give(connection.identity);
      arrivals.get(connection)?.end();
      arrivals.delete(connection);
      const ageMs = connection.ageMs(clock.monotonic());
      const { authentication, id, hub } = connection;
      // What the client ended, and what ended by the credential's own time, is no loop of ours.
      if (reason !== "normal" && reason !== "token_expired") holdBack.ended(sessionKey(authentication), ageMs);
      telemetry({ event: "connection.closed", connectionId: id, hub, reason, subject: authentication.subject, ageMs });
      audited.delete(id);
      const known = hubs.get(hub.toLowerCase());
      if (known !== undefined && wasOpen.delete(connection)) hooks.released(connection, known, reason);
      tellWhenGone();
    },
    failed(connection, error) {
      telemetry({ event: "application.failed", where: "connection", connectionId: connection.id, error });
    },
  };

  const endpoint = createSignalREndpoint<P>(hubs, {
    admitter,
    attempts: createAttempts<P>(clock),
    tickets: createTickets<Holder<P>>({ clock, random, digest: systemDigest }),
    holdBack,
    clock,
    random,
    telemetry,
    digest: systemDigest,
    bindings: createBindings({ digest: systemDigest, random }),
    allowedOrigins: settings.allowedOrigins,
    allowQueryToken: settings.allowQueryToken,
    isDraining: () => isDraining,
    doomed: {
      watch: (connection) => void doomed.add(connection),
      forget(connection) {
        doomed.delete(connection);
        tellWhenGone();
      },
      get size() {
        return doomed.size;
      },
    },
    dispatch,
    reauthenticate,
    dpop: settings.dpop === "checked-upstream" ? undefined : settings.dpop,
    handshakeTimeoutMs: times.handshakeTimeoutMs,
    connect(arrival, socket) {
      if (arrival.holder.kind !== "admitted") throw new TypeError("connect: nobody was admitted");
      const connection = new Connection<P>({
        id: arrival.connectionId,
        hub: arrival.hub.path,
        admission: arrival.holder.admission,
        remoteAddress: arrival.remoteAddress,
        socket,
        clock,
        times,
        spread: random.fraction,
        flushQueue,
        farewells,
        outboxLimits: common.outbox,
        observer,
      });
      arrivals.set(connection, arrival);
      if (common.trail !== undefined) audited.set(connection.id, connection);
      heartbeat.watch(connection);
      expiry.watch(connection);
      return connection;
    },
  });

  async function drain(): Promise<void> {
    isDraining = true;
    if (heartbeat.size === 0 && doomed.size === 0 && hooks.running === 0) return;
    await new Promise<void>((resolve) => {
      drained = resolve;
      for (const connection of Array.from(heartbeat.watched())) connection.apply({ type: "drained" });
      for (const connection of Array.from(doomed)) connection.drain();
      tellWhenGone();
    });
  }

  const transportOf = (connection: Connection<P>): string | undefined => arrivals.get(connection)?.transport;
  const list = createListing({ registry, groups, clock, transportOf });
  const tenantPorts: TenantPorts<P> = { ...senderPorts, issuer, groups, registry, list, rechecks, revocations };
  const own = new TenantFace(tenantPorts, undefined);

  const face = {
    policy(name, check, { message } = {}) {
      if (name.length === 0) throw new TypeError("policy: a name");
      return Object.freeze({ name, message, check });
    },
    group: (pattern, schemas) =>
      buildGroup(pattern, schemas, (template) => {
        // Two rules for the same groups would make the weaker one the rule.
        if (templates.has(template.pattern)) throw new TypeError(`group: ${template.pattern} is declared already`);
        templates.set(template.pattern, template);
      }),
    hub: (path: string, hubOptions: HubOptions = {}) =>
      buildHub<P, never>(path, resolveHubOptions(`hub ${path}`, hubOptions, settings.hub), (hub) => {
        const key = path.toLowerCase();
        if (hubPaths.has(key)) throw new TypeError(`hub: ${path} is mounted already`);
        for (const rest of [NEGOTIATE, REFRESH]) {
          const parent = key.endsWith(rest) ? key.slice(0, -rest.length) : undefined;
          if (hubPaths.has(key + rest) || (parent !== undefined && hubPaths.has(parent)))
            throw new TypeError(`hub: ${path} and another hub share a path, one of them with ${rest} behind it`);
        }
        assertCookieOrigins(`hub ${path}`, hub.settings.cookie, settings.allowedOrigins);
        hubPaths.add(key);
        hubs.set(key, hub);
        return (tenant) => new ScopedSender<P, never>(senderPorts, { tenant, hub: hub.path, issuer });
      }),
    to: (group) => own.to(group),
    toAll: () => own.toAll(),
    toPrincipal: (principal) => own.toPrincipal(principal),
    toConnection: (id) => own.toConnection(id),
    groups: own.groups,
    connections: () => own.connections(),
    recheck: (selector) => own.recheck(selector),
    ...createRevoking(revocations, { issuer, tenant: undefined }),
    tenant: (tenant) => new TenantFace(tenantPorts, tenant),
    everyTenant: () => ({
      toAll: () => new AddressedTarget<unknown>(fanout, { to: "all", scope: "every", hub: undefined }, undefined),
      recheck: (selector) => rechecks.request(selector, "every"),
      connections: () => list(() => true),
    }),
    decisions: () => describeDecisions(hubs.values(), templates.values()),
    http: createHttpAuthentication({
      admitter,
      onFailure,
      forwarded,
      allowedOrigins: settings.allowedOrigins,
      cookie: settings.hub.cookie,
    }),
  } as Scope<P>;

  return {
    face,
    endpoint:
      forwards === undefined ? endpoint : { ...endpoint, forwarded: [{ ...forwards, owns: endpoint.owns, keep }] },
    get size() {
      return registry.size;
    },
    drain,
  };
}
