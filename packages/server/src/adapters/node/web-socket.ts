/**
 * The core's socket over `ws`. `ws` reads, answers pings and closes; frames are written as they were rendered,
 * straight to the network socket, many in one write. Safe under rules this file keeps: whole frames only, never
 * once the socket is closing, no compression, and no other writer.
 */

import type { Socket as NetSocket } from "node:net";
import { renderPing } from "@hubward/wire";
import { WebSocket } from "ws";
import type { Socket, SocketListener } from "../../core/connection/socket.js";
import { createPacedQueue } from "../../core/paced-queue.js";
import { systemClock } from "../../platform/system-clock.js";
import { Intake } from "./intake.js";
import { isStuck, resetConnection } from "./net-socket.js";

/** After the closing handshake was begun, the peer has this long to answer. */
const CLOSE_TIMEOUT_MS = 2_000;
/**
 * What it may still send meanwhile, and have thrown away. What was on its way when it was told is less; a flood would
 * go on being read and unmasked until the time is over.
 */
const MAX_LATE_BYTES = 512 * 1024;
/** Pings that a peer may send within so long. Each costs an answer of its own. */
const MAX_PINGS = 100;
const PING_WINDOW_MS = 10_000;
/** Those that were closed together fall due together. */
const resets = createPacedQueue(systemClock);

const port = Symbol("hubward.socket");

interface Carrier extends WebSocketWithLastWords {
  [port]: NodeWebSocket;
}

type Opening = Partial<Pick<Carrier, typeof port>>;

/**
 * `ws` answers a frame that breaks the rules with a Close frame of its own, and tells of it afterwards. Here the
 * listener is told before: a stock client comes back after every close code, only its hub's own last words in
 * front of the Close frame stop it.
 */
export class WebSocketWithLastWords extends WebSocket {
  /** Called by `ws` alone: for a Close frame of the peer, and for a broken rule. */
  override close(code?: number, reason?: string | Buffer): void {
    const opened = (this as Opening)[port];
    // Only the rule gives a code and no reason.
    if (code !== undefined && reason === undefined && this.readyState === OPEN) opened?.broken(code);
    opened?.concluded();
    // Neither: the answer to a Close frame without a code. ASP.NET Core puts one in, and stock clients expect it.
    super.close(code ?? NORMAL, reason);
  }

  /** Begins the closing handshake. @throws RangeError for a code or reason that may not be sent */
  conclude(code: number, reason: string): void {
    super.close(code, reason);
  }

  /** Called by `ws` alone: for a peer that pings and does not read the answers. */
  override terminate(): void {
    if (this.readyState === OPEN) (this as Opening)[port]?.broken(POLICY_VIOLATION);
    super.terminate();
  }
}

export class NodeWebSocket implements Socket {
  readonly #ws: WebSocketWithLastWords;
  readonly #net: NetSocket;
  readonly #intake: Intake;
  readonly #closesAsNormal: boolean;
  /** What the transport itself calls the rule that was broken. */
  #brokenCode: number | undefined;
  #listener: SocketListener | undefined;
  #isBackedUp = false;
  /** Payload of the open confirmation request. */
  #askedFor: number | undefined;
  #closeTimer: NodeJS.Timeout | undefined;
  /** Where reading stood when the closing handshake was begun. */
  #readAtClose = 0;
  #pings = 0;
  #firstPingAt = 0;

  /**
   * Takes over a socket that is open. `listen` must follow in the same turn. `closesAsNormal`: once last frames have
   * said why, the code is 1000.
   */
  constructor(ws: WebSocketWithLastWords, net: NetSocket, closesAsNormal = false) {
    this.#ws = ws;
    this.#net = net;
    this.#intake = new Intake(ws, net);
    this.#closesAsNormal = closesAsNormal;
    (ws as Carrier)[port] = this;
  }

  listen(listener: SocketListener): void {
    this.#listener = listener;
    const ws = this.#ws;
    // One function each for all sockets: thousands of idle connections hold no closures.
    ws.on("message", onMessage);
    ws.on("ping", onPing);
    ws.on("pong", onPong);
    // Without a listener one malformed frame would end the process.
    ws.on("error", onError);
    ws.on("close", onClose);
  }

  get queuedBytes(): number {
    return this.#net.writableLength;
  }

  get isStuck(): boolean {
    return isStuck(this.#net);
  }

  write(bytes: Uint8Array, confirm = false): void {
    if (this.#ws.readyState !== OPEN) return;
    if (confirm) {
      // One system call for both.
      this.#net.cork();
      this.#net.write(asBuffer(bytes));
      this.#net.write(this.#nextPing());
      this.#net.uncork();
    } else {
      this.#net.write(asBuffer(bytes));
    }
    // Nearly always the kernel has taken it already. Where not, an empty write behind it tells when it has.
    if (this.#net.writableLength === 0 || this.#isBackedUp) return;
    this.#isBackedUp = true;
    this.#net.write(EMPTY, () => this.#written());
  }

  requestConfirmation(): void {
    this.write(this.#nextPing());
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
    this.#intake.resume();
  }

  close(lastFrames: Uint8Array, code: number, reason: string): void {
    if (this.#ws.readyState === OPEN) {
      this.#net.cork();
      if (lastFrames.length > 0) this.#net.write(lastFrames);
      try {
        const isToldAlready = this.#closesAsNormal && lastFrames.length > 0;
        this.#ws.conclude(isToldAlready ? NORMAL : (this.#brokenCode ?? code), reason);
      } catch {
        // A code or reason that may not be sent would leave the socket open: it must end whatever happens.
        this.#net.uncork();
        return this.reset();
      }
      this.#net.uncork();
    }
    this.resume();
    if (this.#closeTimer === undefined) this.#readAtClose = this.#net.bytesRead;
    this.#closeTimer ??= setTimeout(() => this.#giveUp(), CLOSE_TIMEOUT_MS).unref();
  }

  reset(): void {
    clearTimeout(this.#closeTimer);
    resetConnection(this.#net);
  }

  received(data: Uint8Array): void {
    if (this.#closeTimer !== undefined && this.#net.bytesRead - this.#readAtClose > MAX_LATE_BYTES) {
      this.#readAtClose = Infinity;
      return this.reset();
    }
    this.#listener?.received(data);
  }

  pinged(): void {
    if (++this.#pings <= MAX_PINGS || this.#ws.readyState !== OPEN) return;
    const now = systemClock.monotonic();
    if (now - this.#firstPingAt >= PING_WINDOW_MS) {
      this.#firstPingAt = now;
      this.#pings = 1;
      return;
    }
    this.broken(POLICY_VIOLATION);
    this.reset();
  }

  confirmed(payload: Buffer): void {
    if (this.#askedFor === undefined || payload.length !== 4 || payload.readUInt32BE() !== this.#askedFor) return;
    this.#askedFor = undefined;
    this.#listener?.confirmed();
  }

  broken(code: number): void {
    this.#brokenCode = code;
    this.failed();
  }

  failed(): void {
    this.#listener?.failed();
  }

  /** Nothing that follows means anything. */
  concluded(): void {
    this.#intake.stop();
  }

  closed(wasClean: boolean): void {
    clearTimeout(this.#closeTimer);
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.closed(wasClean);
  }

  #giveUp(): void {
    resets.add(() => {
      // It may have answered after all.
      if (this.#listener !== undefined) this.reset();
    });
  }

  #nextPing(): Uint8Array {
    // Only who reads the ping can answer it: a peer that does not read must not look as if it did.
    this.#askedFor = crypto.getRandomValues(new Uint32Array(1))[0];
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, this.#askedFor ?? 0);
    return renderPing(payload);
  }

  #written(): void {
    this.#isBackedUp = false;
    this.#listener?.drained();
  }
}

const OPEN = 1;
const NORMAL = 1000;
const POLICY_VIOLATION = 1008;
/** What stands for the code where the peer sent no Close frame (RFC 6455 7.1.5). */
const NO_CLOSE_FRAME = 1006;
const EMPTY = Buffer.alloc(0);

let lastBytes: Uint8Array | undefined;
let lastBuffer: Buffer = EMPTY;

/** A view of the same bytes. Streams make one on every write of a plain Uint8Array; many sockets share these bytes. */
function asBuffer(bytes: Uint8Array): Buffer {
  if (bytes === lastBytes) return lastBuffer;
  lastBytes = bytes;
  return (lastBuffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

function onMessage(this: WebSocket, data: Buffer | ArrayBuffer | Buffer[]): void {
  (this as Carrier)[port].received(data as Buffer);
}

function onPing(this: WebSocket): void {
  (this as Carrier)[port].pinged();
}

function onPong(this: WebSocket, payload: Buffer): void {
  (this as Carrier)[port].confirmed(payload);
}

function onError(this: WebSocket): void {
  (this as Carrier)[port].failed();
}

function onClose(this: WebSocket, code: number): void {
  (this as Carrier)[port].closed(code !== NO_CLOSE_FRAME);
}
