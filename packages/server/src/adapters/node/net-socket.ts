/** What the network socket of a connection does not say by itself: whether it is stuck, and how it ends at once. */

import type { Socket as NetSocket } from "node:net";

/**
 * Whether the kernel did not take what it was offered. Over TLS every write counts as unfinished until the next turn,
 * whatever the kernel did with it: only the TCP handle, of which no type speaks, says what still waits for the kernel.
 */
export function isStuck(socket: NetSocket): boolean {
  if (socket.writableLength === 0) return false;
  const { _handle: handle } = beneathTls(socket) as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return handle?.writeQueueSize !== 0;
}

/**
 * Ends a TCP connection with a reset, which discards what the kernel has not delivered; a plain destroy() still
 * delivers it. TLS sockets have no reset of their own, the connection beneath them does.
 */
export function resetConnection(socket: NetSocket): void {
  const beneath = beneathTls(socket);
  if (beneath.writableEnded && !beneath.writableFinished && beneath.writableLength === 0) {
    // Half-way through its shutdown a socket refuses the reset with EINVAL, and Node then leaks the descriptor
    // and spins on it. Everything is in the kernel already, so the shutdown is over in a moment.
    beneath.once("finish", () => resetConnection(socket));
    return;
  }
  try {
    beneath.resetAndDestroy();
  } catch {
    // Not a TCP socket (a pipe, a test's stream).
  }
  socket.destroy();
}

/** The TCP connection that carries a TLS one. */
function beneathTls(socket: NetSocket): NetSocket {
  return (socket as NetSocket & { readonly _parent?: NetSocket | null })._parent ?? socket;
}
