/** Turns "say this to those" into a publication and an address, within one tenant. */

import { RESERVED_PREFIX } from "@hubward/wire";
import type { Fanout, TenantScope } from "../groups/fanout.js";
import { groupKey, type GroupReference } from "../groups/group.js";
import { principalAddress, type ConnectionId } from "../ids.js";
import { Publication } from "../publication.js";
import type { Address } from "../groups/fanout.js";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type {
  ClientInvokeOptions,
  ConnectionTarget,
  EventArguments,
  EventName,
  PrincipalReference,
  Sender,
  Target,
  UnreservedName,
} from "./call.js";
import type { ClientInvoker, ConnectionAddress } from "./client-invoker.js";

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

const NOWHERE = { key: undefined, place: undefined } as const;

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
    const { key, place } = this.#address.to === "group" ? this.#address : NOWHERE;
    this.#fanout(new Publication(event, args as readonly unknown[], key, place), this.#address, this.#except);
  }

  except(...connections: readonly ConnectionId[]): Target<Events> {
    const except = new Set([...(this.#except ?? []), ...connections]);
    return new AddressedTarget(this.#fanout, this.#address, this.#assertAllowed, except);
  }
}

/** One connection: what is said to it, and what it is asked. */
class AddressedConnection<Events> extends AddressedTarget<Events> implements ConnectionTarget<Events> {
  readonly #ports: SenderPorts;
  readonly #connection: ConnectionAddress;
  readonly #assertMayAsk: (() => void) | undefined;

  constructor(ports: SenderPorts, address: ConnectionAddress, assertAllowed: (() => void) | undefined) {
    super(ports.fanout, address, assertAllowed);
    this.#ports = ports;
    this.#connection = address;
    this.#assertMayAsk = assertAllowed;
  }

  invoke<Name extends string, Result extends StandardSchemaV1>(
    method: UnreservedName<Name>,
    args: readonly unknown[],
    options: ClientInvokeOptions<Result>,
  ): Promise<StandardSchemaV1.InferOutput<Result>> {
    const answer = this.#ask(method, args, options);
    // An answer nobody waits for may still fail: a client must not end the process by going away.
    answer.catch(() => undefined);
    return answer;
  }

  async #ask(
    method: string,
    args: readonly unknown[],
    options: ClientInvokeOptions<StandardSchemaV1>,
  ): Promise<unknown> {
    assertNotReserved("method", method);
    this.#assertMayAsk?.();
    return this.#ports.invokeClient(this.#connection, method, args, options);
  }
}

export interface SenderPorts {
  readonly fanout: Fanout;
  readonly invokeClient: ClientInvoker;
}

export class ScopedSender<P, Events> implements Sender<P, Events> {
  readonly #ports: SenderPorts;
  readonly #scope: SenderScope;

  constructor(ports: SenderPorts, scope: SenderScope) {
    this.#ports = ports;
    this.#scope = scope;
  }

  to<GroupEvents = unknown>(
    group: GroupReference<P, GroupEvents>,
  ): Target<unknown extends GroupEvents ? Events : GroupEvents> {
    const { tenant } = this.#scope;
    const hub = group.template.isRoom === true ? undefined : this.#scope.hub;
    return this.#target({ to: "group", key: groupKey(tenant, group), hub, place: group });
  }

  toAll(): Target<Events> {
    return this.#target({ to: "all", scope: this.#tenantScope(), hub: this.#scope.hub });
  }

  toPrincipal({ subject, issuer = this.#scope.issuer }: PrincipalReference): Target<Events> {
    if (issuer === undefined) throw new TypeError("toPrincipal: name the issuer, the application trusts several");
    const { tenant, hub } = this.#scope;
    const principal = principalAddress({ tenant, issuer, principalId: subject });
    return this.#target({ to: "principal", principal, hub });
  }

  toConnection(id: ConnectionId): ConnectionTarget<Events> {
    const address = { to: "connection", id, scope: this.#tenantScope(), hub: this.#scope.hub } as const;
    return new AddressedConnection<Events>(this.#ports, address, this.#scope.assertAllowed);
  }

  #tenantScope(): TenantScope {
    return { tenant: this.#scope.tenant };
  }

  #target<T>(address: Address): Target<T> {
    return new AddressedTarget<T>(this.#ports.fanout, address, this.#scope.assertAllowed);
  }
}
