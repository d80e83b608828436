/** The waist between adapters and protocols: requests come in as values, sockets as ports. */

import type { Socket, SocketListener } from "./connection/socket.js";
import type { HttpReply, HttpRequest } from "./http.js";

export type UpgradeAnswer =
  | { readonly accepted: false; readonly reply: HttpReply }
  | {
      readonly accepted: true;
      /** The socket is open: who listens to it. Called once, or `abandon` is. */
      open(socket: Socket): SocketListener;
      /** The transport could not be established after all. */
      abandon(): void;
    };

/** Everything HTTP may ask of an application. Never throws; a rejection is a defect. */
export interface Endpoint {
  /** Whether requests to this path are ours, also when they will be refused. */
  owns(path: string): boolean;
  request(request: HttpRequest): Promise<HttpReply>;
  upgrade(request: HttpRequest): Promise<UpgradeAnswer>;
}
