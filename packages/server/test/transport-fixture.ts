/** Transports made of requests, without a network: channels in memory, bodies by hand, a listener that keeps notes. */

import { createFakeClock, type FakeClock } from "@hubward/testing";
import type { SocketListener } from "../src/core/connection/socket.js";
import type { BodyRead, DeferredReply, ReplyChannel, ReplyListener, RequestBody } from "../src/core/http.js";
import { createHeartbeat, type Beating } from "../src/core/supervision/heartbeat.js";
import { KnownCredentials } from "../src/signalr/transports/credentials.js";
import type { RequestSocketSetup } from "../src/signalr/transports/request-socket.js";
import { text } from "./connection-fixture.js";

/** A reply's channel that a test plays the client and the kernel of. */
export class MemoryChannel implements ReplyChannel {
  status: number | undefined;
  headers: Readonly<Record<string, string>> = {};
  readonly writes: Uint8Array[] = [];
  isEnded = false;
  isReset = false;
  #isStalled = false;
  #queuedBytes = 0;
  #listener: ReplyListener | undefined;

  /** Hands itself over to whoever gives the reply. */
  open(reply: DeferredReply): this {
    this.#listener = reply.open(this);
    return this;
  }

  reply(status: number, headers: Readonly<Record<string, string>>, body?: Uint8Array): void {
    this.begin(status, headers);
    if (body !== undefined) this.write(body);
    this.end();
  }

  begin(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.status !== undefined) throw new TypeError("memory channel: begun already");
    this.status = status;
    this.headers = headers;
  }

  write(bytes: Uint8Array): void {
    if (this.isEnded) throw new TypeError("memory channel: written after its end");
    this.writes.push(bytes);
    if (this.#isStalled) this.#queuedBytes += bytes.length;
  }

  end(): void {
    this.isEnded = true;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  reset(): void {
    this.isReset = true;
  }

  /** What was written, as text. */
  get said(): string {
    return this.writes.map(text).join("");
  }

  /** From now on the kernel takes nothing. */
  stall(): void {
    this.#isStalled = true;
  }

  unstall(): void {
    this.#isStalled = false;
    this.#queuedBytes = 0;
    this.#listener?.drained();
  }

  /** The reply has left, or the client has. */
  close(): void {
    this.#listener?.closed();
  }
}

/** A body whose end, and what comes of it, the test decides. */
export interface HeldBody extends RequestBody {
  readonly isRead: boolean;
  readonly isAbandoned: boolean;
  finish(outcome: BodyRead): void;
}

export function heldBody(): HeldBody {
  let settle: ((outcome: BodyRead) => void) | undefined;
  let isAbandoned = false;
  return {
    read: () => new Promise((resolve) => (settle = resolve)),
    abandon() {
      isAbandoned = true;
      settle?.({ kind: "abandoned" });
    },
    get isRead() {
      return settle !== undefined;
    },
    get isAbandoned() {
      return isAbandoned;
    },
    finish: (outcome) => settle?.(outcome),
  };
}

export interface TransportFixture {
  readonly clock: FakeClock;
  readonly setup: RequestSocketSetup;
  /** What the socket told its listener: `received hello`, `confirmed`, `drained`, `closed`. */
  readonly heard: string[];
  readonly listener: SocketListener;
  /** Runs what waits for the end of the turn. */
  endTurns(): void;
}

export function createTransportFixture(): TransportFixture {
  const clock = createFakeClock();
  const heard: string[] = [];
  const setup: RequestSocketSetup = {
    clock,
    heartbeat: createHeartbeat<Beating>(clock),
    maxBodyBytes: 64 * 1024,
    credentials: new KnownCredentials("first"),
  };
  return {
    clock,
    setup,
    heard,
    listener: {
      received: (data) => void heard.push(`received ${text(data)}`),
      confirmed: () => void heard.push("confirmed"),
      drained: () => void heard.push("drained"),
      failed: () => void heard.push("failed"),
      closed: () => void heard.push("closed"),
    },
    endTurns() {
      while (clock.pendingTurn > 0) clock.endTurn();
    },
  };
}
