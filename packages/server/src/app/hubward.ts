/** The one place that wires everything: ports to the core, the core to its protocols. */

import { createAdmitter } from "../core/admission/admission.js";
import { createHoldBack } from "../core/admission/hold-back.js";
import type { ForwardedHeaders } from "../core/auth/credential.js";
import type { PolicyFailure } from "../core/auth/policy.js";
import type { Principal } from "../core/auth/principal.js";
import { createTickets } from "../core/auth/tickets.js";
import { Connection, type ConnectionObserver } from "../core/connection/connection.js";
import { createFlushQueue } from "../core/connection/flush-queue.js";
import { Registry } from "../core/connection/registry.js";
import type { CallControl } from "../core/dispatch/call-control.js";
import { createClientInvoker, type ClientInvoker } from "../core/dispatch/client-invoker.js";
import { ConnectionCall } from "../core/dispatch/connection-call.js";
import { HubDeparture } from "../core/dispatch/hub-departure.js";
import { createDispatcher } from "../core/dispatch/dispatcher.js";
import type { Hub as CoreHub } from "../core/dispatch/hub.js";
import { resolveHubOptions, type HubOptions } from "../core/dispatch/hub-settings.js";
import { AddressedTarget, ScopedSender } from "../core/dispatch/sender.js";
import { createFanout } from "../core/groups/fanout.js";
import { createGroups } from "../core/groups/groups.js";
import { createExpiry } from "../core/supervision/expiry.js";
import { createHeartbeat } from "../core/supervision/heartbeat.js";
import { systemDigest } from "../platform/system-crypto.js";
import { createAttempts, type Holder } from "../signalr/attempts.js";
import { principalFields, sessionKey } from "../signalr/door.js";
import type { DoomedConnection } from "../signalr/doomed.js";
import { createSignalREndpoint } from "../signalr/endpoint.js";
import type { Arrival } from "../signalr/upgrade.js";
import type { App } from "./app.js";
import { buildGroup } from "./group-builder.js";
import { createHttpAuthentication } from "./http.js";
import { createHookRunner } from "./hook-runner.js";
import { buildHub } from "./hub-builder.js";
import { resolveOptions, type HubwardOptions } from "./options.js";

/** Nothing leaves before the hook has settled, a question neither: it would wait for itself. .NET refuses it, too. */
const refuseToAsk: ClientInvoker = () =>
  Promise.reject(new TypeError("connected: clients cannot be asked inside this hook"));

/** Creates an application. It does nothing until an adapter mounts it: `attach(httpServer, app)`. */
export function hubward<Attributes extends object>(options: HubwardOptions<Attributes>): App<Principal<Attributes>> {
  type P = Principal<Attributes>;
  const settings = resolveOptions(options);
  const { clock, random, telemetry, times } = settings;
  const issuer = settings.authenticator.issuer;

  const onFailure: PolicyFailure = (where, error) =>
    telemetry({ event: "application.failed", where, connectionId: undefined, error });
  const admitter = createAdmitter({ authenticator: settings.authenticator, mapping: settings.principal, onFailure });
  const registry = new Registry<P>();
  const groups = createGroups<P>(settings.maxGroupsPerConnection, onFailure);
  const fanout = createFanout(registry, groups, (event, error) => onFailure(`event ${event}`, error));
  const flushQueue = createFlushQueue(clock);
  const expiry = createExpiry<P>(clock);
  const heartbeat = createHeartbeat<P>(clock);
  const holdBack = createHoldBack(clock);
  const { forwarded: forwards } = settings.authenticator;
  const forwarded = new WeakMap<object, ForwardedHeaders>();
  const keep = (headers: object, found: ForwardedHeaders): void => void forwarded.set(headers, found);
  const hubs = new Map<string, CoreHub<P>>();
  const patterns = new Set<string>();
  const doomed = new Set<DoomedConnection>();
  let drained: (() => void) | undefined;
  let closed: Promise<void> | undefined;
  let isDraining = false;

  const senderPorts = { fanout, invokeClient: createClientInvoker(registry) };
  const createCall = (connection: Connection<P>, method: string, control: CallControl): ConnectionCall<P, unknown> =>
    new ConnectionCall(connection, method, control, { groups, ...senderPorts });
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
    idempotency: settings.idempotency,
    digest: systemDigest,
    createCall,
    onPolicyFailure: onFailure,
  });

  function tellWhenGone(): void {
    if (isDraining && heartbeat.size === 0 && doomed.size === 0 && hooks.running === 0) drained?.();
  }

  const arrivals = new WeakMap<Connection<P>, Arrival<P>>();
  const wasOpen = new WeakSet<Connection<P>>();
  const observer: ConnectionObserver<P> = {
    opened(connection) {
      registry.add(connection);
      wasOpen.add(connection);
      const { admission, hub, id, remoteAddress, dialect } = connection;
      telemetry({
        event: "connection.opened",
        connectionId: id,
        hub,
        protocol: dialect?.name ?? "unknown",
        principal: principalFields(admission.authentication, admission.principal.roles),
        remoteAddress,
      });
      const known = hubs.get(hub.toLowerCase());
      if (known !== undefined) hooks.opened(connection, known);
    },
    ended(connection) {
      registry.remove(connection);
      groups.release(connection);
      expiry.forget(connection);
    },
    released(connection, reason) {
      heartbeat.forget(connection);
      arrivals.get(connection)?.end();
      const ageMs = connection.ageMs(clock.monotonic());
      const { authentication, id, hub } = connection;
      // What the client ended, and what ended by the credential's own time, is no loop of ours.
      if (reason !== "normal" && reason !== "token_expired") holdBack.ended(sessionKey(authentication), ageMs);
      telemetry({ event: "connection.closed", connectionId: id, hub, reason, subject: authentication.subject, ageMs });
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
        flushQueue,
        outboxLimits: settings.outbox,
        observer,
      });
      arrivals.set(connection, arrival);
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
      for (const connection of Array.from(heartbeat.connections())) connection.apply({ type: "drained" });
      for (const connection of Array.from(doomed)) connection.drain();
      tellWhenGone();
    });
  }

  const sender = new ScopedSender<P, unknown>(senderPorts, { tenant: undefined, hub: undefined, issuer });

  return {
    policy(name, check, { message } = {}) {
      if (name.length === 0) throw new TypeError("policy: a name");
      return Object.freeze({ name, message, check });
    },
    group: (pattern, schemas) =>
      buildGroup(pattern, schemas, (template) => {
        // Two rules for the same groups would make the weaker one the rule.
        if (patterns.has(template.pattern)) throw new TypeError(`group: ${template.pattern} is declared already`);
        patterns.add(template.pattern);
      }),
    hub: (path: string, hubOptions: HubOptions = {}) =>
      buildHub<P, never>(path, resolveHubOptions(`hub ${path}`, hubOptions, settings.hub), (hub) => {
        const key = path.toLowerCase();
        if (hubs.has(key)) throw new TypeError(`hub: ${path} is mounted already`);
        hubs.set(key, hub);
        return (tenant) => new ScopedSender<P, never>(senderPorts, { tenant, hub: hub.path, issuer });
      }),
    to: (group) => sender.to(group),
    toAll: () => sender.toAll(),
    toPrincipal: (principal) => sender.toPrincipal(principal),
    toConnection: (id) => sender.toConnection(id),
    tenant: (tenant) => new ScopedSender<P, unknown>(senderPorts, { tenant, hub: undefined, issuer }),
    everyTenant: () => ({
      toAll: () => new AddressedTarget<unknown>(fanout, { to: "all", scope: "every", hub: undefined }, undefined),
    }),
    http: createHttpAuthentication({ admitter, onFailure, forwarded, allowedOrigins: settings.allowedOrigins }),
    endpoint: forwards === undefined ? endpoint : { ...endpoint, forwarded: { ...forwards, keep } },
    get connectionCount() {
      return registry.size;
    },
    // Called again (a second signal), it answers with the same end.
    close: () => (closed ??= drain()),
  } as App<P>;
}
