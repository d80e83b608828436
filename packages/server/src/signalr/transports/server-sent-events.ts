/**
 * Server-Sent Events: the server's messages as one response that does not end, the client's as POSTs.
 *
 * @see WHATWG HTML, 9.2 (text/event-stream); TransportProtocols.md, Server-Sent Events
 */

import type { Instant } from "../../core/clock.js";
import type { SocketListener } from "../../core/connection/socket.js";
import type { DeferredReply, ReplyChannel, ReplyListener } from "../../core/http.js";
import type { Beating } from "../../core/supervision/heartbeat.js";
import { createDialects, type Dialects } from "../dialect.js";
import type { KnownCredentials } from "./credentials.js";
import { Inbox } from "./inbox.js";
import type { RequestSocket, RequestSocketSetup } from "./request-socket.js";

const LF = 0x0a;
const CR = 0x0d;
const DATA = ascii("data: ");
const LINE_END = ascii("\r\n");
/** A comment: Firefox calls a stream open only when something has come (aspnetcore, ServerSentEventsServerTransport). */
const OPENING = ascii(":\r\n");
const HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-store",
  pragma: "no-cache",
  "content-encoding": "identity",
  // nginx would hold events back until it has a buffer full of them.
  "x-accel-buffering": "no",
};
/** After the last words the kernel has this long to take them. Milliseconds. */
const CLOSE_TIMEOUT_MS = 2_000;

/** One event: each line of the payload in a `data` line of its own, which the browser joins again. */
export function renderServerSentEvent(payload: Uint8Array): Uint8Array {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at < payload.length; at++) {
    if (payload[at] !== LF && payload[at] !== CR) continue;
    lines.push(payload.subarray(start, at));
    if (payload[at] === CR && payload[at + 1] === LF) at++;
    start = at + 1;
  }
  lines.push(start === 0 ? payload : payload.subarray(start));
  return concat([...lines.flatMap((line) => [DATA, line, LINE_END]), LINE_END]);
}

export const serverSentEventDialects: Dialects = createDialects({
  formats: ["text"],
  needsPings: true,
  frame: (_format, payload) => renderServerSentEvent(payload),
});

/**
 * A confirmation says that this machine's kernel took the bytes. The protocol has nothing by which a client could
 * say more, so a client that does not read is noticed only after the kernels' buffers are full.
 */
export class ServerSentEventsSocket implements RequestSocket, Beating {
  readonly inbox: Inbox;
  readonly credentials: KnownCredentials;
  readonly #setup: RequestSocketSetup;
  #channel: ReplyChannel | undefined;
  #listener: SocketListener | undefined;
  #isConfirmationDue = false;
  #isClosing = false;
  #closedAt = 0;

  constructor(setup: RequestSocketSetup) {
    this.#setup = setup;
    this.credentials = setup.credentials;
    this.inbox = new Inbox({ ...setup, maxBytes: setup.maxBodyBytes }, (bytes) => this.#listener?.received(bytes));
  }

  /** The reply that carries the events. `open` makes the connection, once the reply can be written. */
  stream(open: () => SocketListener): DeferredReply {
    return {
      headers: {},
      open: (channel) => {
        channel.begin(200, HEADERS);
        channel.write(OPENING);
        this.#channel = channel;
        this.#listener = open();
        return this.#replyListener();
      },
    };
  }

  get queuedBytes(): number {
    return this.#channel?.queuedBytes ?? 0;
  }

  get isStuck(): boolean {
    return this.#channel?.isStuck ?? this.queuedBytes !== 0;
  }

  write(bytes: Uint8Array, confirm = false): void {
    if (this.#isClosing) return;
    this.#channel?.write(bytes);
    if (confirm) this.requestConfirmation();
  }

  requestConfirmation(): void {
    if (this.#isClosing || this.#isConfirmationDue) return;
    this.#isConfirmationDue = true;
    // Not at once: who asks is in the middle of something.
    if (this.queuedBytes === 0) this.#setup.clock.endOfTurn(() => this.#drained());
  }

  pause(): void {
    this.inbox.pause();
  }

  resume(): void {
    this.inbox.resume();
  }

  close(lastFrames: Uint8Array): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.inbox.end();
    if (lastFrames.length > 0) this.#channel?.write(lastFrames);
    this.#channel?.end();
    this.#closedAt = this.#setup.clock.monotonic();
    this.#setup.heartbeat.watch(this);
  }

  reset(): void {
    this.#isClosing = true;
    this.inbox.end();
    this.#channel?.reset();
  }

  beat({ monotonic }: Instant): void {
    if (monotonic - this.#closedAt >= CLOSE_TIMEOUT_MS) this.reset();
  }

  #replyListener(): ReplyListener {
    return {
      drained: () => this.#drained(),
      closed: () => {
        this.#isClosing = true;
        this.#setup.heartbeat.forget(this);
        this.inbox.end();
        const listener = this.#listener;
        this.#listener = undefined;
        listener?.closed();
      },
    };
  }

  #drained(): void {
    if (this.#isClosing || this.queuedBytes !== 0) return;
    if (this.#isConfirmationDue) {
      this.#isConfirmationDue = false;
      this.#listener?.confirmed();
    }
    this.#listener?.drained();
  }
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
