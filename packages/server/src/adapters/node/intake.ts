/**
 * What a peer sends, handed to `ws` a little at a time. `ws` takes apart whatever one read has brought: ten thousand
 * pings in 64 KiB, or some hundred publications. A hundred peers that flood would hold the event loop for seconds in
 * one turn. So what is more than a little waits behind that of everybody else; who asks little is not held up.
 */

import type { Socket as NetSocket } from "node:net";
import type { WebSocket } from "ws";
import { createPacedQueue } from "../../core/paced-queue.js";
import { systemClock } from "../../platform/system-clock.js";

/** What is handed on at once: some calls, some hundreds of the smallest frames. Bytes. */
export const INTAKE_BYTES = 2_048;
/** Of all sockets: they take turns. */
const turns = createPacedQueue(systemClock);

const intake = Symbol("hubward.intake");

interface Carrier extends NetSocket {
  [intake]: Intake;
}

type Hand = (this: NetSocket, chunk: Buffer) => void;

export class Intake {
  readonly #ws: WebSocket;
  readonly #net: NetSocket;
  /** `ws`'s own listener. */
  readonly #hand: Hand;
  /** Whether the network socket rests, and what it has read waits in its buffer. */
  #isWaiting = false;

  /** Stands between a socket that was just opened and its network socket. @throws TypeError where `ws` does not read */
  constructor(ws: WebSocket, net: NetSocket) {
    const hand = net.listeners("data").at(-1);
    if (hand === undefined) throw new TypeError("a WebSocket that does not read its network socket");
    this.#ws = ws;
    this.#net = net;
    this.#hand = hand as Hand;
    (net as Carrier)[intake] = this;
    net.off("data", this.#hand);
    // One function each for all sockets: thousands of idle connections hold no closures.
    net.on("data", onData);
    // In front of `ws`, which would take apart what was left.
    net.prependListener("close", onClose);
  }

  /** The network socket has read something. */
  arrived(chunk: Buffer): void {
    if (chunk.length <= INTAKE_BYTES) return this.#hand.call(this.#net, chunk);
    // Back to where it came from: the end of the stream, a pause and an error all find it there.
    this.#net.pause();
    this.#net.unshift(chunk);
    this.#takeTurns();
  }

  /** Goes on where the WebSocket was paused. */
  resume(): void {
    // Not by itself: all at once it would be.
    if (this.#net.readableLength <= INTAKE_BYTES) return;
    this.#net.pause();
    this.#takeTurns();
  }

  /** Hands on nothing more: the WebSocket has come to its end, or what is read makes no sense. */
  stop(): void {
    this.#net.off("data", onData);
    this.#net.resume();
  }

  /** The network socket is gone, and what nobody has looked at with it. */
  closed(): void {
    this.#net.off("data", onData);
    while (this.#net.read() !== null);
  }

  #takeTurns(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    turns.add(() => this.#handSome());
  }

  #handSome(): boolean {
    const net = this.#net;
    if (!net.destroyed && !this.#ws.isPaused) {
      // It tells its listeners.
      net.read(Math.min(INTAKE_BYTES, net.readableLength));
      if (net.readableLength > 0 && !net.destroyed && !this.#ws.isPaused) return true;
    }
    this.#isWaiting = false;
    if (!this.#ws.isPaused) net.resume();
    return false;
  }
}

function onData(this: NetSocket, chunk: Buffer): void {
  (this as Carrier)[intake].arrived(chunk);
}

function onClose(this: NetSocket): void {
  (this as Carrier)[intake].closed();
}
