/**
 * All open connections of this node, found by id and by what their principal is addressed by. One that has ended is
 * found no more, be it that it is taken out later.
 */

import type { ConnectionId, PrincipalAddress } from "../ids.js";
import type { Connection } from "./connection.js";

export class Registry<P> {
  readonly #byId = new Map<ConnectionId, Connection<P>>();
  /** Nearly everyone has one connection: only those with more have a set. */
  readonly #byAddress = new Map<PrincipalAddress, Connection<P> | Set<Connection<P>>>();

  /** Those included that have ended and were not taken out yet. */
  get size(): number {
    return this.#byId.size;
  }

  add(connection: Connection<P>): void {
    this.#byId.set(connection.id, connection);
    const known = this.#byAddress.get(connection.address);
    if (known === undefined) this.#byAddress.set(connection.address, connection);
    else if (known instanceof Set) known.add(connection);
    else this.#byAddress.set(connection.address, new Set([known, connection]));
  }

  remove(connection: Connection<P>): void {
    if (this.#byId.get(connection.id) !== connection) return;
    this.#byId.delete(connection.id);
    const known = this.#byAddress.get(connection.address);
    if (known instanceof Set) known.delete(connection);
    if (known === connection || (known instanceof Set && known.size === 0)) {
      this.#byAddress.delete(connection.address);
    }
  }

  get(id: ConnectionId): Connection<P> | undefined {
    const known = this.#byId.get(id);
    return known?.hasEnded === true ? undefined : known;
  }

  all(): Iterable<Connection<P>> {
    return open(this.#byId.values());
  }

  of(address: PrincipalAddress): Iterable<Connection<P>> {
    const known = this.#byAddress.get(address);
    if (known === undefined) return [];
    return open(known instanceof Set ? known : [known]);
  }
}

function* open<P>(connections: Iterable<Connection<P>>): Iterable<Connection<P>> {
  for (const connection of connections) if (!connection.hasEnded) yield connection;
}
