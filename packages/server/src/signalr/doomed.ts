/**
 * A connection that exists to say why there is none: it answers the handshake together with Close and ends. It
 * has no principal, no group and no dispatch; it never becomes a Connection.
 */

import { encodeHandshakeResponse, formatReason, HubwardError, reasons, type ReasonName } from "@hubward/wire";
import type { Clock, Timer } from "../core/clock.js";
import type { Socket, SocketListener } from "../core/connection/socket.js";
import type { Visitor } from "../core/connection/visitors.js";
import { closeMessage, type Dialects } from "./dialect.js";
import { concat, HandshakeReader } from "./handshake.js";

export interface DoomedSetup {
  readonly socket: Socket;
  readonly clock: Clock;
  readonly refusal: HubwardError;
  /** Of its transport. Default WebSockets. */
  readonly dialects?: Dialects | undefined;
  readonly timeoutMs: number;
  readonly onClosed: () => void;
}

/** Drained, it cannot wait for the handshake. */
export interface DoomedConnection extends SocketListener, Visitor {}

export function openDoomed({ socket, clock, refusal, dialects, timeoutMs, onClosed }: DoomedSetup): DoomedConnection {
  const handshake = new HandshakeReader(dialects);
  let isOver = false;
  const timer: Timer = clock.after(timeoutMs, () => end(handshake.refusal(), "handshake_timeout"));

  function end(words: Uint8Array, reason: ReasonName): void {
    if (isOver) return;
    isOver = true;
    timer.cancel();
    socket.close(words, reasons[reason].closeCode ?? 1011, formatReason(reason));
  }

  return {
    received(data) {
      if (isOver) return;
      try {
        const done = handshake.read(data);
        if (done === undefined) return;
        // In one frame: a browser hands out one frame at a time, and between two `start()` would have succeeded.
        const { codec, frame } = done.dialect;
        const close = codec.encode(closeMessage(refusal.reason, refusal.message));
        end(frame(concat(encodeHandshakeResponse(), close)), refusal.reason);
      } catch (error) {
        end(handshake.refusal(), error instanceof HubwardError ? error.reason : "unexpected_error");
      }
    },
    drain: () => end(handshake.refusal(), "going_away"),
    confirmed: () => undefined,
    drained: () => undefined,
    failed: () => end(handshake.refusal(), "protocol_error"),
    closed() {
      isOver = true;
      timer.cancel();
      onClosed();
    },
  };
}
