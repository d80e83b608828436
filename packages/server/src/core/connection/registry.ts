/**
 * All open connections of this node, found by id and by what their principal is addressed by. One that has ended is
 * found no more, be it that it is taken out later.
 */

import type { ConnectionId, PrincipalAddress } from "../ids.js";
import { ByKey } from "./by-key.js";
import type { Connection } from "./connection.js";

export class Registry<P> {
  readonly #byId = new Map<ConnectionId, Connection<P>>();
  readonly #byAddress = new ByKey<PrincipalAddress, Connection<P>>();

  /** Those included that have ended and were not taken out yet. */
  get size(): number {
    return this.#byId.size;
  }

  add(connection: Connection<P>): void {
    this.#byId.set(connection.id, connection);
    this.#byAddress.add(connection.address, connection);
  }

  remove(connection: Connection<P>): void {
    if (this.#byId.get(connection.id) !== connection) return;
    this.#byId.delete(connection.id);
    this.#byAddress.remove(connection.address, connection);
  }

  get(id: ConnectionId): Connection<P> | undefined {
    const known = this.#byId.get(id);
    return known?.hasEnded === true ? undefined : known;
  }

  all(): Iterable<Connection<P>> {
    return open(this.#byId.values());
  }

  of(address: PrincipalAddress): Iterable<Connection<P>> {
    return open(this.#byAddress.get(address));
  }
}

function* open<P>(connections: Iterable<Connection<P>>): Iterable<Connection<P>> {
  for (const connection of connections) if (!connection.hasEnded) yield connection;
}
