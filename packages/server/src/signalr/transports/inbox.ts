/**
 * What a client sends by POST, one body after another in the order in which the requests came. A body is read when
 * its turn has come, so a connection holds one at a time, and peers that send faster than they are handled wait.
 */

import type { Clock, Instant } from "../../core/clock.js";
import type { HubSettings } from "../../core/dispatch/hub-settings.js";
import type { RequestBody } from "../../core/http.js";
import type { Beating, Heartbeat } from "../../core/supervision/heartbeat.js";

/** Time for one body from its first wish to read to its end. Milliseconds; looked at once a second. */
const READ_TIMEOUT_MS = 10_000;
/** Requests that wait for their turn. A stock client sends one at a time. */
const MAX_WAITING = 64;
/** Bytes handed on before the connection is asked whether it can take more. */
const SLICE_BYTES = 16 * 1024;
/** Stock clients send in one body what gathered while the last one was under way. */
const MESSAGES_PER_BODY = 32;
const MAX_GATHERED_BYTES = 1024 * 1024;

/** What became of a body. `taken`: all of it was handed on. `ended`: the connection was over first. */
export type SendOutcome = "taken" | "too-large" | "broken" | "late" | "crowded" | "ended";

/** Bytes of one body: several messages of the largest size, but of the largest messages no more than two. */
export function maxBodyBytes({ maxMessageBytes }: Pick<HubSettings, "maxMessageBytes">): number {
  return Math.max(2 * maxMessageBytes, Math.min(MESSAGES_PER_BODY * maxMessageBytes, MAX_GATHERED_BYTES));
}

export interface InboxSetup {
  readonly clock: Pick<Clock, "monotonic">;
  readonly heartbeat: Heartbeat<Beating>;
  readonly maxBytes: number;
}

export class Inbox implements Beating {
  readonly #setup: InboxSetup;
  readonly #receive: (bytes: Uint8Array) => void;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #reading: RequestBody | undefined;
  #readingSince = 0;
  #isEnded = false;
  #isPaused = false;
  #go: (() => void) | undefined;

  constructor(setup: InboxSetup, receive: (bytes: Uint8Array) => void) {
    this.#setup = setup;
    this.#receive = receive;
  }

  /** Settles when the body was handed on, or never will be. */
  async take(body: RequestBody): Promise<SendOutcome> {
    if (this.#isEnded) return "ended";
    if (this.#waiting >= MAX_WAITING) return "crowded";
    this.#waiting++;
    const outcome = this.#turn.then(() => this.#read(body));
    this.#turn = outcome;
    try {
      return await outcome;
    } finally {
      this.#waiting--;
    }
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#go?.();
  }

  /** Nothing more is handed on. */
  end(): void {
    this.#isEnded = true;
    this.#reading?.abandon();
    this.#go?.();
  }

  beat({ monotonic }: Instant): void {
    if (monotonic - this.#readingSince >= READ_TIMEOUT_MS) this.#reading?.abandon();
  }

  async #read(body: RequestBody): Promise<SendOutcome> {
    if (this.#isPaused) await this.#resumed();
    if (this.#isEnded) return "ended";
    const { clock, heartbeat, maxBytes } = this.#setup;
    this.#reading = body;
    this.#readingSince = clock.monotonic();
    heartbeat.watch(this);
    const read = await body.read(maxBytes);
    heartbeat.forget(this);
    this.#reading = undefined;
    if (this.#isEnded) return "ended";
    if (read.kind !== "whole") return read.kind === "abandoned" ? "late" : read.kind;
    const { bytes } = read;
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
      if (this.#isPaused) await this.#resumed();
      // What ended the connection may have stood in this very body: it was taken.
      if (this.#isEnded) return "taken";
      this.#receive(bytes.subarray(at, at + SLICE_BYTES));
    }
    return "taken";
  }

  #resumed(): Promise<void> {
    return new Promise((resolve) => {
      this.#go = () => {
        this.#go = undefined;
        resolve();
      };
    });
  }
}
