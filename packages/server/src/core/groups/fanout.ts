/** From one publication to the connections it is addressed to on this node. */

import type { Connection } from "../connection/connection.js";
import type { Registry } from "../connection/registry.js";
import type { ConnectionId, PrincipalAddress } from "../ids.js";
import type { Publication } from "../publication.js";
import type { GroupKey, GroupPlace } from "./group.js";
import type { Groups } from "./groups.js";

/** Whose tenant an address reaches. `every` is the only address that spans tenants. */
export type TenantScope = { readonly tenant: string | undefined } | "every";

export type Address =
  | {
      readonly to: "all";
      readonly scope: TenantScope;
      /** Only connections of this hub. */
      readonly hub: string | undefined;
    }
  | {
      readonly to: "group";
      readonly key: GroupKey;
      readonly hub: string | undefined;
      /** What the key stands for, where peers are to be told, and with its rule for slow ones. */
      readonly place?: GroupPlace | undefined;
    }
  | { readonly to: "principal"; readonly principal: PrincipalAddress; readonly hub: string | undefined }
  | {
      readonly to: "connection";
      readonly id: ConnectionId;
      readonly scope: TenantScope;
      readonly hub: string | undefined;
    };

/**
 * Never throws: an event that has no form in some peer's encoding, or is larger than an outbox, is reported once
 * and reaches everyone else.
 */
export type Fanout = (publication: Publication, address: Address, except?: ReadonlySet<ConnectionId>) => void;

export function createFanout<P>(
  registry: Registry<P>,
  groups: Groups<P>,
  onFailure: (event: string, error: unknown) => void = () => undefined,
): Fanout {
  function offer(
    connection: Connection<P>,
    publication: Publication,
    hub: string | undefined,
    except: ReadonlySet<ConnectionId> | undefined,
    judgedVersion?: number,
  ): void {
    if (hub !== undefined && connection.hub !== hub) return;
    if (except?.has(connection.id) === true) return;
    connection.deliver(publication, judgedVersion);
  }

  function reach(publication: Publication, address: Address, except: ReadonlySet<ConnectionId> | undefined): void {
    switch (address.to) {
      case "group": {
        const members = groups.members(address.key);
        if (members === undefined) return;
        for (const { connection, judgedVersion } of members.values()) {
          offer(connection, publication, address.hub, except, judgedVersion);
        }
        return;
      }
      case "principal":
        for (const connection of registry.of(address.principal)) offer(connection, publication, address.hub, except);
        return;
      case "connection": {
        const connection = registry.get(address.id);
        if (connection !== undefined && isWithin(connection, address.scope)) {
          offer(connection, publication, address.hub, except);
        }
        return;
      }
      case "all":
        for (const connection of registry.all()) {
          if (isWithin(connection, address.scope)) offer(connection, publication, address.hub, except);
        }
        return;
      default:
        throw new TypeError(`fanout: unknown address ${JSON.stringify(address satisfies never)}`);
    }
  }

  return (publication, address, except) => {
    reach(publication, address, except);
    if (publication.failure !== undefined) onFailure(publication.event, publication.failure);
  };
}

export function isWithin<P>(connection: Connection<P>, scope: TenantScope): boolean {
  return scope === "every" || connection.tenant === scope.tenant;
}
