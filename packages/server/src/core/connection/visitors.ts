/** Sockets that are no connections: told why there is none, or asked who they are. */

export interface Visitor {
  /** The server goes away: says so and closes. */
  drain(): void;
}

/** All of a scope, from their socket on until it is gone. */
export interface Visitors {
  add(visitor: Visitor): void;
  delete(visitor: Visitor): void;
  readonly size: number;
}
