/** The waist between adapters and protocols: requests come in as values, sockets as ports. */

import type { ForwardedAuthenticator } from "./auth/authenticator.js";
import type { ForwardedHeaders } from "./auth/credential.js";
import type { Socket, SocketListener } from "./connection/socket.js";
import type { HttpAnswer, HttpReply, HttpRequest, RequestBody } from "./http.js";

export type UpgradeAnswer =
  | { readonly accepted: false; readonly reply: HttpReply }
  | {
      readonly accepted: true;
      /** The subprotocol that the answer names. Default: none. */
      readonly subprotocol?: string | undefined;
      /** Whether the WebSocket is closed with 1000 once last frames have said why, whatever the reason. Default false. */
      readonly closesAsNormal?: boolean | undefined;
      /** The socket is open: who listens to it. Called once, or `abandon` is. */
      open(socket: Socket): SocketListener;
      /** The transport could not be established after all. */
      abandon(): void;
    };

/** Headers in which a gateway says who asks, for one authenticator that reads them. */
export interface ForwardedPort extends Pick<ForwardedAuthenticator, "headers" | "trustedOnly"> {
  /** Whether requests to this path are that authenticator's. */
  owns(path: string): boolean;
  /**
   * Keeps what was cut out of a request that somebody else answers, for `app.http`.
   * @param headers the request's own object of headers, by which `app.http` is asked again
   */
  keep(headers: object, forwarded: ForwardedHeaders): void;
}

/** Cookies that are ours in requests to one path. */
export interface CookieNames {
  readonly access: string | undefined;
  readonly binding: string | undefined;
}

/** Everything HTTP may ask of an application. Never throws; a rejection is a defect. */
export interface Endpoint {
  /** Whether requests to this path are ours, also when they will be refused. */
  owns(path: string): boolean;
  /**
   * What adapters cut out of every request of their server, ours or not, each by its own rules. Asked for each request:
   * there may be more of them later. Default: nothing.
   */
  readonly forwarded?: readonly ForwardedPort[] | undefined;
  /** Names of query parameters that hold a credential on this path, in lower case, beside `access_token`. */
  secrets?(path: string): readonly string[];
  /** What adapters lift out of the cookies of a request that is ours. Asked for requests that have cookies. */
  cookies?(path: string): CookieNames | undefined;
  request(request: HttpRequest, body: RequestBody): Promise<HttpAnswer>;
  upgrade(request: HttpRequest): Promise<UpgradeAnswer>;
}
