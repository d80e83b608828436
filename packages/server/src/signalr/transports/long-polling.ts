/**
 * Long polling: the client asks, and is answered when there is something to say. One poll waits at a time; what it
 * is answered with is confirmed by the next one. What nobody has come for yet stays with the connection's outbox,
 * where a lost membership or standing still takes it out.
 *
 * @see TransportProtocols.md, Long Polling; timings and answers are those of .NET's HttpConnectionDispatcher
 */

import type { Instant } from "../../core/clock.js";
import type { SocketListener } from "../../core/connection/socket.js";
import type { DeferredReply, ReplyChannel, ReplyListener } from "../../core/http.js";
import type { Beating } from "../../core/supervision/heartbeat.js";
import { createDialects, type Dialects } from "../dialect.js";
import type { KnownCredentials } from "./credentials.js";
import { Inbox } from "./inbox.js";
import type { RequestSocket, RequestSocketSetup } from "./request-socket.js";

/** A poll without news is answered after this long. Milliseconds, as all here; looked at once a second. */
const POLL_TIMEOUT_MS = 90_000;
/** A client that does not come for this long is gone. */
const DISCONNECT_TIMEOUT_MS = 15_000;
/** Last words wait this long for the client to come for them, or to acknowledge them by coming again. */
const LAST_WORDS_MS = 5_000;
/** A reply that the kernel has not taken for this long is one the client does not read. */
const STUCK_AFTER_MS = 1_000;

/** No proxy and no browser may keep or repeat a poll's answer. */
const NO_STORE: Readonly<Record<string, string>> = {
  "cache-control": "no-cache, no-store",
  pragma: "no-cache",
  expires: "Thu, 01 Jan 1970 00:00:00 GMT",
};
const DATA_HEADERS: Readonly<Record<string, string>> = { ...NO_STORE, "content-type": "application/octet-stream" };
const EMPTY_HEADERS: Readonly<Record<string, string>> = { ...NO_STORE, "content-type": "text/plain" };

export const longPollingDialects: Dialects = createDialects({
  formats: ["text", "binary"],
  // Each poll is a sign of life, and an answer to it another.
  needsPings: false,
  frame: (_format, payload) => payload,
});

/** `told`: the last words were given out, and the next poll is told that there is nothing more. */
type Phase = "open" | "farewell" | "told" | "over";

export class LongPollingSocket implements RequestSocket, Beating {
  readonly isPolled = true;
  readonly inbox: Inbox;
  readonly credentials: KnownCredentials;
  readonly #setup: RequestSocketSetup;
  #listener: SocketListener | undefined;
  #phase: Phase = "open";
  #poll: ReplyChannel | undefined;
  /** The last one that was answered, until its answer has left. */
  #answered: ReplyChannel | undefined;
  /** When the poll began to wait, or when none did any more. */
  #since: number;
  #isConfirmationDue = false;
  #lastWords: Uint8Array | undefined;

  constructor(setup: RequestSocketSetup) {
    this.#setup = setup;
    this.credentials = setup.credentials;
    this.inbox = new Inbox({ ...setup, maxBytes: setup.maxBodyBytes }, (bytes) => this.#listener?.received(bytes));
    this.#since = setup.clock.monotonic();
  }

  /** The first poll has come: the connection begins. It is answered at once, which tells the client that it may send. */
  start(open: () => SocketListener): DeferredReply {
    return {
      headers: {},
      open: (channel) => {
        this.#setup.heartbeat.watch(this);
        this.#listener = open();
        channel.reply(200, DATA_HEADERS);
        return { drained: ignore, closed: ignore };
      },
    };
  }

  /** Any later poll. */
  poll(): DeferredReply {
    return { headers: {}, open: (channel) => this.#wait(channel) };
  }

  /** The client's own end of it (DELETE): nothing more is said. */
  remove(): void {
    this.#poll?.reply(204, EMPTY_HEADERS);
    this.#end();
  }

  get queuedBytes(): number {
    return this.#poll === undefined ? 1 : 0;
  }

  /** Answers the poll that waits. Without one (`queuedBytes`), nothing may be written. */
  write(bytes: Uint8Array, confirm = false): void {
    if (this.#phase !== "open") return;
    if (confirm) this.#isConfirmationDue = true;
    this.#answer(200, DATA_HEADERS, bytes);
  }

  requestConfirmation(): void {
    if (this.#phase !== "open") return;
    this.#isConfirmationDue = true;
    // A poll that waits came after everything that was written.
    if (this.#poll !== undefined) this.#confirm();
  }

  pause(): void {
    this.inbox.pause();
  }

  resume(): void {
    this.inbox.resume();
  }

  close(lastFrames: Uint8Array): void {
    if (this.#phase !== "open") return;
    this.inbox.end();
    const now = this.#setup.clock.monotonic();
    const isStuck = now - this.#since >= STUCK_AFTER_MS && (this.#answered?.queuedBytes ?? 0) > 0;
    if (isStuck) this.#answered?.reset();
    this.#lastWords = lastFrames;
    this.#phase = "farewell";
    if (this.#poll !== undefined) this.#sayLastWords();
    this.#since = now;
  }

  reset(): void {
    this.#poll?.reset();
    this.#answered?.reset();
    this.#end();
  }

  beat({ monotonic }: Instant): void {
    const elapsedMs = monotonic - this.#since;
    if (this.#phase !== "open") {
      if (elapsedMs >= LAST_WORDS_MS) this.#end();
    } else if (this.#poll === undefined) {
      if (elapsedMs >= DISCONNECT_TIMEOUT_MS) this.#end();
    } else if (elapsedMs >= POLL_TIMEOUT_MS) {
      this.#answer(200, EMPTY_HEADERS);
    }
  }

  #wait(channel: ReplyChannel): ReplyListener {
    // One poll waits at a time: an older one is of a client that has given up on it.
    this.#poll?.reply(204, EMPTY_HEADERS);
    this.#poll = channel;
    this.#since = this.#setup.clock.monotonic();
    if (this.#phase === "open") {
      this.#confirm();
      this.#listener?.drained();
    } else if (this.#phase === "farewell") {
      this.#sayLastWords();
    } else {
      this.#answer(204, EMPTY_HEADERS);
      this.#end();
    }
    return {
      drained: ignore,
      closed: () => {
        if (this.#answered === channel) this.#answered = undefined;
        if (this.#poll !== channel) return;
        this.#poll = undefined;
        this.#since = this.#setup.clock.monotonic();
      },
    };
  }

  #sayLastWords(): void {
    const words = this.#lastWords;
    this.#lastWords = undefined;
    this.#phase = "told";
    if (words !== undefined && words.length > 0) return this.#answer(200, DATA_HEADERS, words);
    this.#answer(204, EMPTY_HEADERS);
    this.#end();
  }

  #answer(status: number, headers: Readonly<Record<string, string>>, body?: Uint8Array): void {
    const poll = this.#poll;
    this.#poll = undefined;
    this.#answered = poll;
    this.#since = this.#setup.clock.monotonic();
    poll?.reply(status, headers, body);
  }

  #confirm(): void {
    if (!this.#isConfirmationDue || this.#phase !== "open") return;
    this.#isConfirmationDue = false;
    this.#listener?.confirmed();
  }

  #end(): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#poll = undefined;
    this.#lastWords = undefined;
    this.inbox.end();
    this.#setup.heartbeat.forget(this);
    const listener = this.#listener;
    this.#listener = undefined;
    // Not at once: whoever resets it is in the middle of something.
    this.#setup.clock.endOfTurn(() => listener?.closed());
  }
}

function ignore(): void {
  // The first reply is complete when it is given.
}
