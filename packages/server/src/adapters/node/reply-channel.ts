/** A node:http response as the core's channel: replies that come later, or piece by piece. */

import type { ServerResponse } from "node:http";
import type { DeferredReply, ReplyChannel, ReplyListener } from "../../core/http.js";
import { isStuck, resetConnection } from "./net-socket.js";

type Headers = Readonly<Record<string, string>>;

/** Hands a response over to whoever will answer it. */
export function openReply(response: ServerResponse, { headers, open }: DeferredReply): void {
  const channel = new NodeReplyChannel(response, headers);
  channel.listen(open(channel));
}

class NodeReplyChannel implements ReplyChannel {
  readonly #response: ServerResponse;
  readonly #headers: Headers;
  #listener: ReplyListener | undefined;
  /** One function for all writes. */
  readonly #onTaken = (): void => {
    if (this.queuedBytes === 0) this.#listener?.drained();
  };

  constructor(response: ServerResponse, headers: Headers) {
    this.#response = response;
    this.#headers = headers;
    // What is written after the client has gone is an error of the response, and must not end the process.
    response.on("error", ignore);
  }

  listen(listener: ReplyListener): void {
    this.#listener = listener;
    if (this.#response.destroyed) return this.#closed();
    // Comes after a complete reply, and when the client goes away before.
    this.#response.once("close", () => this.#closed());
  }

  get queuedBytes(): number {
    return this.#response.writableLength;
  }

  get isStuck(): boolean {
    const { socket } = this.#response;
    return this.queuedBytes !== 0 && (socket === null || isStuck(socket));
  }

  reply(status: number, headers: Headers, body?: Uint8Array): void {
    if (!this.#isOpen()) return;
    const length = status === 204 ? {} : { "content-length": body?.length ?? 0 };
    this.#response.writeHead(status, { ...headers, ...this.#headers, ...length });
    this.#response.end(body);
  }

  begin(status: number, headers: Headers): void {
    if (!this.#isOpen()) return;
    this.#response.writeHead(status, { ...headers, ...this.#headers });
  }

  write(bytes: Uint8Array): void {
    if (!this.#isOpen()) return;
    // A response hands over at the end of the tick what it is given; `queuedBytes` is to tell of the kernel alone.
    const { socket } = this.#response;
    socket?.cork();
    this.#response.write(bytes, this.#onTaken);
    socket?.uncork();
  }

  end(): void {
    if (this.#isOpen()) this.#response.end();
  }

  reset(): void {
    const { socket } = this.#response;
    // A pipelined request's response has no socket before its turn.
    if (socket === null) this.#response.destroy();
    else resetConnection(socket);
  }

  #isOpen(): boolean {
    return !this.#response.destroyed && !this.#response.writableEnded;
  }

  #closed(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.closed();
  }
}

function ignore(): void {
  // The response's own close says everything there is to say.
}
