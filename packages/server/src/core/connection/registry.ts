/** All open connections of this node, found by id and by principal. */

import type { ConnectionId, IdentityKey } from "../ids.js";
import type { Connection } from "./connection.js";

export class Registry<P> {
  readonly #byId = new Map<ConnectionId, Connection<P>>();
  /** Nearly everyone has one connection: only those with more have a set. */
  readonly #byIdentity = new Map<IdentityKey, Connection<P> | Set<Connection<P>>>();

  get size(): number {
    return this.#byId.size;
  }

  add(connection: Connection<P>): void {
    this.#byId.set(connection.id, connection);
    const known = this.#byIdentity.get(connection.identity);
    if (known === undefined) this.#byIdentity.set(connection.identity, connection);
    else if (known instanceof Set) known.add(connection);
    else this.#byIdentity.set(connection.identity, new Set([known, connection]));
  }

  remove(connection: Connection<P>): void {
    if (this.#byId.get(connection.id) !== connection) return;
    this.#byId.delete(connection.id);
    const known = this.#byIdentity.get(connection.identity);
    if (known instanceof Set) known.delete(connection);
    if (known === connection || (known instanceof Set && known.size === 0)) {
      this.#byIdentity.delete(connection.identity);
    }
  }

  get(id: ConnectionId): Connection<P> | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Connection<P>> {
    return this.#byId.values();
  }

  of(identity: IdentityKey): Iterable<Connection<P>> {
    const known = this.#byIdentity.get(identity);
    if (known === undefined) return [];
    return known instanceof Set ? known : [known];
  }
}
