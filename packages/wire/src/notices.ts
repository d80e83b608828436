/**
 * What a server tells a client about the life of its connection, apart from the application's events. Over SignalR it
 * arrives as an invocation of `hubward.notice` with one argument, which a client that does not know it ignores.
 *
 * A client hears of `expiring` and `expired` unasked, and of the others once it has called `hubward.notices`.
 */
export type Notice =
  /** The credential ends soon: a new one is welcome now. */
  | { readonly kind: "expiring"; readonly expiresInSeconds: number }
  /**
   * Nothing is done or told any more until a new credential comes, and the connection ends when none does in time.
   * `reason`: as in the Close that would follow.
   */
  | { readonly kind: "expired"; readonly reason: string; readonly graceSeconds: number }
  /** A new credential is in place. */
  | { readonly kind: "reauthenticated"; readonly expiresInSeconds: number }
  /** Groups it is in now and was not before, and the other way round. */
  | { readonly kind: "memberships-changed"; readonly gained: readonly string[]; readonly lost: readonly string[] }
  /**
   * Events are missing here: they waited for this client (it did not keep up, or its credential had ended), and had to
   * make room for later ones. `groups`: where they were said, as far as in groups that it is in, 100 at most: what to ask for anew.
   * Told when it reads again, once for all that were dropped until then.
   */
  | { readonly kind: "gap"; readonly dropped: number; readonly groups?: readonly string[] }
  /** The server is about to go away: this connection ends within that time, and may come back then. */
  | { readonly kind: "draining"; readonly closesInSeconds: number };

/** Names that begin with it are the protocol's own: no application declares one. */
export const RESERVED_PREFIX = "hubward.";
/** Target of the invocation that carries a {@link Notice}. */
export const NOTICE_TARGET = "hubward.notice";
/** Methods every hub with re-authentication has. */
export const REAUTHENTICATE_TARGET = "hubward.reauthenticate";
export const NOTICES_TARGET = "hubward.notices";
