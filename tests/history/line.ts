/** What lies between a peer and the server: a transport in memory, which says what is handed over when it is. */

import type { WardApp } from "./ward-app.js";

type Endpoint = WardApp["app"]["endpoint"];
type RequestBody = Parameters<Endpoint["request"]>[1];
export type HttpAnswer = Awaited<ReturnType<Endpoint["request"]>>;
type DeferredReply = Extract<HttpAnswer, { readonly open: unknown }>;
type ReplyChannel = Parameters<DeferredReply["open"]>[0];
type ReplyListener = ReturnType<DeferredReply["open"]>;

/** A peer's transport, whichever it is. */
export interface Line {
  /** Whether the network between is gone: what is written reaches nobody. */
  readonly isGone: boolean;
  /** Whether the server has ended it. */
  readonly isEnded: boolean;
  peerSends(bytes: Uint8Array): void;
  /** It is gone, whoever ended it. `wasClean`: the peer said goodbye. */
  end(how: { readonly wasClean?: boolean }): void;
  /** The server's process is gone: nobody is told of anything any more. */
  vanish(): void;
  /** The peer takes nothing for now. */
  stall(): void;
  unstall(): void;
  /** The peer answers the oldest open request for a confirmation. False when none is open. */
  confirm(): boolean;
}

/** One request of the connection's: with its id and ticket. Undefined when its process died meanwhile. */
export type Ask = (method: "GET" | "POST" | "DELETE", body?: Uint8Array) => Promise<HttpAnswer | undefined>;
type Hears = (payload: Uint8Array) => void;

/** A reply that is given over time, and heard while somebody listens. */
class RecordingChannel implements ReplyChannel {
  readonly #onWrite: Hears;
  readonly #onEnd: (status: number) => void;
  #listener: ReplyListener | undefined;
  #status = 0;
  #queuedBytes = 0;
  #isStalled = false;
  #isOver = false;
  #isEnded = false;

  constructor(onWrite: Hears, onEnd: (status: number) => void) {
    this.#onWrite = onWrite;
    this.#onEnd = onEnd;
  }

  open({ open }: DeferredReply): this {
    this.#listener = open(this);
    return this;
  }

  reply(status: number, headers: Readonly<Record<string, string>>, body?: Uint8Array): void {
    this.begin(status, headers);
    if (body !== undefined) this.write(body);
    this.end();
  }

  begin(status: number, _headers: Readonly<Record<string, string>>): void {
    this.#status = status;
  }

  write(bytes: Uint8Array): void {
    if (this.#isEnded) throw new TypeError("channel: written after its end");
    if (this.#isStalled) this.#queuedBytes += bytes.length;
    this.#onWrite(bytes);
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#onEnd(this.#status);
    setImmediate(() => this.close());
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  reset(): void {
    this.end();
  }

  stall(): void {
    this.#isStalled = true;
  }

  unstall(): void {
    this.#isStalled = false;
    if (this.#queuedBytes === 0) return;
    this.#queuedBytes = 0;
    if (!this.#isOver) this.#listener?.drained();
  }

  /** It was handed over, or the client is gone. */
  close(): void {
    if (this.#isOver || this.#listener === undefined) return;
    this.#isOver = true;
    this.#listener.closed();
  }

  /** Nobody is told of anything any more. */
  forget(): void {
    this.#isOver = true;
  }
}

/** A body that has come as a whole. */
export const bodyOf = (bytes: Uint8Array): RequestBody => ({
  read: () => Promise.resolve({ kind: "whole", bytes }),
  abandon: () => undefined,
});
/** A stream of events one way, POSTs the other. */
export class EventStreamLine implements Line {
  readonly #ask: Ask;
  readonly #channel: RecordingChannel;
  #isGone = false;
  #isEnded = false;

  constructor(ask: Ask, hears: Hears) {
    this.#ask = ask;
    this.#channel = new RecordingChannel(
      (bytes) => {
        if (this.#isGone || this.#isEnded) return;
        for (const event of readEvents(bytes)) hears(event);
      },
      () => {
        this.#isEnded = true;
        setImmediate(() => (this.#isGone = true));
      },
    );
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  open(answer: DeferredReply): void {
    this.#channel.open(answer);
  }

  peerSends(bytes: Uint8Array): void {
    void this.#ask("POST", bytes);
  }

  end(): void {
    this.#isGone = true;
    this.#channel.close();
  }

  vanish(): void {
    this.#isGone = true;
    this.#channel.forget();
  }

  stall(): void {
    this.#channel.stall();
  }

  unstall(): void {
    this.#channel.unstall();
  }

  confirm(): boolean {
    return false;
  }
}

/** Polls one way, POSTs the other. The next poll comes some time after the answer to the last one. */
export class PollingLine implements Line {
  readonly #ask: Ask;
  readonly #hears: Hears;
  readonly #later: (poll: () => void) => void;
  #channel: RecordingChannel | undefined;
  #isGone = false;
  #isEnded = false;
  #isStalled = false;
  #isPollDue = false;

  constructor(ask: Ask, hears: Hears, later: (poll: () => void) => void) {
    this.#ask = ask;
    this.#hears = hears;
    this.#later = later;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  open(answer: DeferredReply): void {
    const channel = new RecordingChannel(
      (bytes) => {
        if (!this.#isGone && bytes.length > 0) this.#hears(bytes);
      },
      (status) => {
        if (status !== 200) return this.#over();
        this.#isPollDue = true;
        this.#later(() => void this.#poll());
      },
    );
    this.#channel = channel;
    channel.open(answer);
  }

  peerSends(bytes: Uint8Array): void {
    void this.#ask("POST", bytes);
  }

  end({ wasClean = false }: { readonly wasClean?: boolean } = {}): void {
    this.#isGone = true;
    if (wasClean) void this.#ask("DELETE");
    else this.#channel?.close();
  }

  vanish(): void {
    this.#isGone = true;
    this.#channel?.forget();
  }

  /** It does not come for its news. */
  stall(): void {
    this.#isStalled = true;
  }

  unstall(): void {
    this.#isStalled = false;
    void this.#poll();
  }

  confirm(): boolean {
    return false;
  }

  async #poll(): Promise<void> {
    if (this.#isGone || this.#isEnded || this.#isStalled || !this.#isPollDue) return;
    this.#isPollDue = false;
    const answer = await this.#ask("GET");
    if (answer === undefined || this.#isGone) return;
    if ("open" in answer) this.open(answer);
    else this.#over();
  }

  #over(): void {
    this.#isEnded = true;
    this.#isGone = true;
  }
}

/** The payloads of Server-Sent Events: their `data` lines joined. Comments are none. */
function* readEvents(bytes: Uint8Array): Generator<Uint8Array> {
  for (const event of new TextDecoder().decode(bytes).split("\r\n\r\n")) {
    const data = event.split("\r\n").flatMap((line) => (line.startsWith("data: ") ? [line.slice(6)] : []));
    if (data.length > 0) yield new TextEncoder().encode(data.join("\n"));
  }
}
