/** The `ws` library's WebSocket, with an eye on the wire: every frame from the server, a refused upgrade, the end. */

import type { ClientRequestArgs } from "node:http";
import { WebSocket, type ClientOptions } from "ws";
import { Recorder } from "../../support/recorder.js";
import type { Ending } from "./protocol.js";

export class WatchedSocket extends WebSocket {
  /** Whole messages, as text, where they are text. */
  readonly frames = new Recorder<string>();
  /** Never rejects; a reset is 1006. */
  readonly end: Promise<Ending>;
  /** The HTTP answer to an upgrade that was refused. */
  readonly refusal: Promise<{ readonly status: number; readonly body: string }>;

  constructor(url: string | URL, protocols?: string | string[], options?: ClientOptions | ClientRequestArgs) {
    super(url, protocols, options);
    this.on("message", (data: Buffer, isBinary) => {
      if (!isBinary) this.frames.push(data.toString("utf8"));
    });
    this.end = new Promise((resolve) =>
      this.on("close", (code, reason) => resolve({ code, reason: reason.toString("utf8") })),
    );
    this.refusal = new Promise((resolve) =>
      this.on("unexpected-response", (_request, response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (piece: string) => (body += piece));
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, body });
          // Behind what waits for the answer: the end is not the news.
          setImmediate(() => this.terminate());
        });
      }),
    );
    this.on("error", () => undefined);
  }
}

/** The reason in a refusal's body; nothing where it has none. */
export function reasonIn(body: string): string {
  return /"error":"([^"]*)"/.exec(body)?.[1] ?? "";
}
