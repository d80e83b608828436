/** The body of a node:http request as the core reads it: in one piece, bounded, and only when it is asked for. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { BodyRead, RequestBody } from "../../core/http.js";

export class NodeRequestBody implements RequestBody {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  /** The client waits to be told that its body is wanted (RFC 9110 10.1.1). */
  readonly #isAwaited: boolean;
  #settle: ((outcome: BodyRead) => void) | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, isAwaited: boolean) {
    this.#request = request;
    this.#response = response;
    this.#isAwaited = isAwaited;
  }

  read(maxBytes: number): Promise<BodyRead> {
    const request = this.#request;
    // Also when it had arrived: what a destroyed request still held is gone.
    if (request.destroyed) return Promise.resolve({ kind: "broken" });
    if (Number(request.headers["content-length"] ?? 0) > maxBytes) return Promise.resolve({ kind: "too-large" });
    if (this.#isAwaited) this.#response.writeContinue();
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let length = 0;
      const settle = (outcome: BodyRead): void => {
        if (this.#settle === undefined) return;
        this.#settle = undefined;
        request.off("data", onData).off("end", onEnd).off("close", onBroken);
        // What still comes is nobody's: the reply ends the HTTP connection.
        if (outcome.kind !== "whole") request.pause();
        resolve(outcome);
      };
      const onData = (chunk: Buffer): void => {
        length += chunk.length;
        if (length > maxBytes) return settle({ kind: "too-large" });
        chunks.push(chunk);
      };
      const onEnd = (): void => {
        const [only] = chunks;
        settle({ kind: "whole", bytes: chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks) });
      };
      const onBroken = (): void => settle({ kind: "broken" });
      this.#settle = settle;
      // A broken request must not end the process; `close` follows.
      request.on("error", ignore);
      request.on("data", onData).on("end", onEnd).on("close", onBroken);
    });
  }

  abandon(): void {
    this.#settle?.({ kind: "abandoned" });
  }
}

function ignore(): void {
  // Its close says everything there is to say.
}
