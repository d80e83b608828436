/** The first message of a connection: which encoding it will speak. Shared by those who stay and those who do not. */

import {
  encodeHandshakeResponse,
  handshakeErrors,
  HubwardError,
  judgeHandshake,
  readHandshakeRequest,
} from "@hubward/wire";
import { dialects as webSocketDialects, type Dialects, type SignalRDialect } from "./dialect.js";

export interface HandshakeDone {
  readonly dialect: SignalRDialect;
  /** Of the protocol: from 2 on the client counts messages, if that was negotiated. */
  readonly version: number;
  /** The answer, framed for the transport as the encoding's own kind. */
  readonly reply: Uint8Array;
  /** Bytes behind the handshake: messages already. */
  readonly rest: Uint8Array;
}

export class HandshakeReader {
  readonly #dialects: Dialects;
  readonly #maxBytes: number | undefined;
  #received: Uint8Array | undefined;
  #error: string = handshakeErrors.canceled;

  /** `dialects`: of the transport it comes over, default WebSockets. `maxBytes`: of one message of the hub. */
  constructor(dialects: Dialects = webSocketDialects, maxBytes?: number) {
    this.#dialects = dialects;
    this.#maxBytes = maxBytes;
  }

  /** Undefined while the message is incomplete. @throws HubwardError; `refusal()` is then what to answer. */
  read(chunk: Uint8Array): HandshakeDone | undefined {
    const received = this.#received === undefined ? chunk : concat(this.#received, chunk);
    const request = this.#readRequest(received);
    if (request === undefined) {
      this.#received = received === chunk ? chunk.slice() : received;
      return undefined;
    }
    const { framing } = this.#dialects;
    const verdict = judgeHandshake(request.message, framing.formats);
    if (!verdict.ok) {
      this.#error = verdict.error;
      throw new HubwardError("protocol_not_supported");
    }
    const dialect = this.#dialects[verdict.protocol];
    return { dialect, version: verdict.version, reply: dialect.welcome, rest: request.rest };
  }

  /** What a client is told that never got through the handshake. */
  refusal(): Uint8Array {
    return this.#dialects.framing.frame("text", encodeHandshakeResponse({ error: this.#error }));
  }

  #readRequest(received: Uint8Array): ReturnType<typeof readHandshakeRequest> {
    try {
      return readHandshakeRequest(received, this.#maxBytes);
    } catch (error) {
      if (error instanceof HubwardError && error.reason !== "message_too_big") this.#error = handshakeErrors.unreadable;
      throw error;
    }
  }
}

export function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
