/** What an application does with a scope: declares policies, groups and hubs, speaks, lists, rechecks and revokes. */

import { assertCookieOrigins } from "../core/auth/cookie-options.js";
import { assertPolicy, type Requirement } from "../core/auth/policy.js";
import type { PrincipalBase } from "../core/auth/principal.js";
import type { Clock } from "../core/clock.js";
import { describeDecisions } from "../core/dispatch/decisions.js";
import type { Hub as CoreHub } from "../core/dispatch/hub.js";
import { resolveHubOptions, type HubOptions, type HubSettings } from "../core/dispatch/hub-settings.js";
import { AddressedTarget, ScopedSender } from "../core/dispatch/sender.js";
import type { GroupTemplate } from "../core/groups/group.js";
import type { RoomDirectory } from "../rooms/room.js";
import { TICKET } from "../rooms/endpoint.js";
import { createRoomsPlace, type RoomsPlace } from "../rooms/place.js";
import { resolveRoomsOptions, type RoomsOptions } from "../rooms/rooms-settings.js";
import type { Rooms, Scope } from "./app.js";
import { buildGroup } from "./group-builder.js";
import type { HttpAuthentication } from "./http.js";
import { assertPath, buildHub } from "./hub-builder.js";
import { carryOut } from "./carry-out.js";
import { createRevoking } from "./revocation-face.js";
import { TenantFace, type TenantPorts } from "./tenant.js";

export interface ScopeFacePorts<P> extends TenantPorts<P> {
  readonly settings: { readonly hub: HubSettings; readonly allowedOrigins: ReadonlySet<string> };
  readonly templates: Map<string, GroupTemplate<P>>;
  readonly hubs: Map<string, CoreHub<P>>;
  /** Of all scopes, lower-cased. */
  readonly hubPaths: Set<string>;
  readonly http: HttpAuthentication<P>;
  readonly directory: RoomDirectory<P>;
  readonly clock: Pick<Clock, "now">;
  /** Where rooms are mounted, by lower-cased path. */
  readonly places: Map<string, RoomsPlace<P>>;
}

/** What a request to a hub asks under its path. */
const REQUESTS = ["/negotiate", "/refresh", TICKET];

export function createScopeFace<P extends PrincipalBase>(ports: ScopeFacePorts<P>): Scope<P> {
  const { settings, templates, hubs, hubPaths, issuer, revocations, rechecks, list, fanout, clock } = ports;
  const own = new TenantFace<P>(ports, undefined);

  /** @throws TypeError for a path that is another's, or would answer for one */
  function claimPath(path: string): string {
    const key = path.toLowerCase();
    if (hubPaths.has(key)) throw new TypeError(`hub: ${path} is mounted already`);
    for (const rest of REQUESTS) {
      const parent = key.endsWith(rest) ? key.slice(0, -rest.length) : undefined;
      if (hubPaths.has(key + rest) || (parent !== undefined && hubPaths.has(parent)))
        throw new TypeError(`hub: ${path} and another hub share a path, one of them with ${rest} behind it`);
    }
    return key;
  }

  return {
    policy(name, check, { message } = {}) {
      if (name.length === 0) throw new TypeError("policy: a name");
      return Object.freeze({ name, message, check });
    },
    group: (pattern, schemas) =>
      buildGroup(
        pattern,
        schemas,
        (template) => {
          // Two rules for the same groups would make the weaker one the rule.
          if (templates.has(template.pattern)) throw new TypeError(`group: ${template.pattern} is declared already`);
          templates.set(template.pattern, template);
        },
        (room) => ports.directory.declare(room),
      ),
    rooms(path = "/rooms", options: RoomsOptions = {}) {
      assertPath("rooms", path);
      const roomsSettings = resolveRoomsOptions(
        `rooms ${path}`,
        options,
        settings.hub.cookie,
        settings.hub.connectionRate,
      );
      const key = claimPath(path);
      assertCookieOrigins(`rooms ${path}`, roomsSettings.cookie, settings.allowedOrigins);
      const requirements: Requirement<P>[] = [];
      hubPaths.add(key);
      ports.places.set(key, createRoomsPlace(path, roomsSettings, ports.directory, requirements));
      const rooms: Rooms<P> = {
        path,
        allow(policy) {
          assertPolicy(`rooms ${path}`, policy);
          requirements.push({ policy, resource: undefined });
          return rooms;
        },
      };
      return rooms;
    },
    hub: (path: string, hubOptions: HubOptions = {}) =>
      buildHub<P, never>(path, resolveHubOptions(`hub ${path}`, hubOptions, settings.hub), (hub) => {
        const key = claimPath(path);
        assertCookieOrigins(`hub ${path}`, hub.settings.cookie, settings.allowedOrigins);
        hubPaths.add(key);
        hubs.set(key, hub);
        return (tenant) => new ScopedSender<P, never>(ports, { tenant, hub: hub.path, issuer });
      }),
    to: (group) => own.to(group),
    toAll: () => own.toAll(),
    toPrincipal: (principal) => own.toPrincipal(principal),
    toConnection: (id) => own.toConnection(id),
    groups: own.groups,
    connections: () => own.connections(),
    recheck: (selector) => own.recheck(selector),
    ...createRevoking(revocations, { issuer, within: "app" }),
    carryOut: (action, asked = {}) =>
      carryOut(action, asked, {
        now: () => clock.now(),
        revoke: (request) => revocations.revoke(request),
        recheck: (selector, within) => rechecks.request(selector, within),
      }),
    tenant: (tenant) => new TenantFace(ports, tenant),
    everyTenant: () => ({
      toAll: () => new AddressedTarget<unknown>(fanout, { to: "all", scope: "every", hub: undefined }, undefined),
      recheck: (selector) => rechecks.request(selector, "every"),
      connections: () => list(() => true),
      ...createRevoking(revocations, { issuer, within: "every-tenant" }),
    }),
    decisions: () =>
      describeDecisions({
        hubs: hubs.values(),
        places: ports.places.values(),
        templates: templates.values(),
        rooms: ports.directory.all(),
      }),
    http: ports.http,
  } as Scope<P>;
}
