/** All open connections of this node, found by id and by principal. */

import type { ConnectionId, IdentityKey } from "../ids.js";
import type { Connection } from "./connection.js";

export class Registry<P> {
  readonly #byId = new Map<ConnectionId, Connection<P>>();
  readonly #byIdentity = new Map<IdentityKey, Set<Connection<P>>>();

  get size(): number {
    return this.#byId.size;
  }

  add(connection: Connection<P>): void {
    this.#byId.set(connection.id, connection);
    const peers = this.#byIdentity.get(connection.identity);
    if (peers === undefined) this.#byIdentity.set(connection.identity, new Set([connection]));
    else peers.add(connection);
  }

  remove(connection: Connection<P>): void {
    if (this.#byId.get(connection.id) !== connection) return;
    this.#byId.delete(connection.id);
    const peers = this.#byIdentity.get(connection.identity);
    peers?.delete(connection);
    if (peers?.size === 0) this.#byIdentity.delete(connection.identity);
  }

  get(id: ConnectionId): Connection<P> | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Connection<P>> {
    return this.#byId.values();
  }

  of(identity: IdentityKey): Iterable<Connection<P>> {
    return this.#byIdentity.get(identity) ?? [];
  }
}
