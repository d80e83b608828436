/** Turns "say this to those" into a publication and an address, within one tenant. */

import type { Fanout, TenantScope } from "../groups/fanout.js";
import { groupKey, type GroupReference } from "../groups/group.js";
import { principalAddress, type ConnectionId } from "../ids.js";
import { Publication } from "../publication.js";
import type { Address } from "../groups/fanout.js";
import type { EventArguments, EventName, PrincipalReference, Sender, Target, UnreservedName } from "./call.js";

/** Names that begin so are Hubward's own. */
export const RESERVED_PREFIX = "hubward.";

/** @throws TypeError */
export function assertNotReserved(kind: "event" | "method", name: string): void {
  if (name.toLowerCase().startsWith(RESERVED_PREFIX)) {
    throw new TypeError(`${kind} ${JSON.stringify(name)}: names that begin with "${RESERVED_PREFIX}" are reserved`);
  }
}

export interface SenderScope {
  readonly tenant: string | undefined;
  /** Only connections of this hub; undefined for all. */
  readonly hub: string | undefined;
  /** What a subject without an issuer means. */
  readonly issuer: string | undefined;
  /** Asked before each send: a call may speak only while its caller's credential holds. */
  readonly assertAllowed?: (() => void) | undefined;
}

export class AddressedTarget<Events> implements Target<Events> {
  readonly #fanout: Fanout;
  readonly #address: Address;
  readonly #except: ReadonlySet<ConnectionId> | undefined;
  readonly #assertAllowed: (() => void) | undefined;

  constructor(
    fanout: Fanout,
    address: Address,
    assertAllowed: (() => void) | undefined,
    except?: ReadonlySet<ConnectionId>,
  ) {
    this.#fanout = fanout;
    this.#address = address;
    this.#assertAllowed = assertAllowed;
    this.#except = except;
  }

  emit<Name extends EventName<Events>>(event: UnreservedName<Name>, ...args: EventArguments<Events, Name>): void {
    assertNotReserved("event", event);
    this.#assertAllowed?.();
    const group = this.#address.to === "group" ? this.#address.key : undefined;
    this.#fanout(new Publication(event, args as readonly unknown[], group), this.#address, this.#except);
  }

  except(...connections: readonly ConnectionId[]): Target<Events> {
    const except = new Set([...(this.#except ?? []), ...connections]);
    return new AddressedTarget(this.#fanout, this.#address, this.#assertAllowed, except);
  }
}

export class ScopedSender<P, Events> implements Sender<P, Events> {
  readonly #fanout: Fanout;
  readonly #scope: SenderScope;

  constructor(fanout: Fanout, scope: SenderScope) {
    this.#fanout = fanout;
    this.#scope = scope;
  }

  to<GroupEvents = unknown>(
    group: GroupReference<P, GroupEvents>,
  ): Target<unknown extends GroupEvents ? Events : GroupEvents> {
    const { tenant, hub } = this.#scope;
    return this.#target({ to: "group", key: groupKey(tenant, group), hub });
  }

  toAll(): Target<Events> {
    return this.#target({ to: "all", scope: this.#tenantScope, hub: this.#scope.hub });
  }

  toPrincipal({ subject, issuer = this.#scope.issuer }: PrincipalReference): Target<Events> {
    if (issuer === undefined) throw new TypeError("toPrincipal: name the issuer, the application trusts several");
    const { tenant, hub } = this.#scope;
    const principal = principalAddress({ tenant, issuer, principalId: subject });
    return this.#target({ to: "principal", principal, hub });
  }

  toConnection(id: ConnectionId): Target<Events> {
    return this.#target({ to: "connection", id, scope: this.#tenantScope, hub: this.#scope.hub });
  }

  get #tenantScope(): TenantScope {
    return { tenant: this.#scope.tenant };
  }

  #target<T>(address: Address): Target<T> {
    return new AddressedTarget<T>(this.#fanout, address, this.#scope.assertAllowed);
  }
}
