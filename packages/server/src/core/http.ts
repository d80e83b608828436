/**
 * HTTP as the core sees it: plain values an adapter makes and answers. Credentials were lifted out of the URL
 * before a request became one of these.
 */

import type { ReadCookie } from "./auth/cookie-header.js";
import type { BearerCredential, ForwardedHeaders } from "./auth/credential.js";

export interface HttpRequest {
  readonly method: string;
  /** Percent-decoded once, without the query. */
  readonly path: string;
  /**
   * Names lower-cased. A name that is given twice has both values, with a comma between them as in ASP.NET Core: no
   * reader's first is another's last. Never holds `access_token`.
   */
  readonly query: ReadonlyMap<string, string>;
  /** By lower-cased name. Never holds `authorization` and `dpop`. */
  readonly header: (name: string) => string | undefined;
  /** Every bearer presented: `Authorization: Bearer` or `DPoP`, and each `access_token` in the query. */
  readonly bearers: readonly BearerCredential[];
  /** Of the headers a gateway speaks through, if it is to speak at all (`Endpoint.forwarded`). */
  readonly forwarded?: ForwardedHeaders | undefined;
  /** Cookies of ours, which no header holds any more. Undefined where there was none. */
  readonly cookies?: OwnCookies | undefined;
  /** Whether it came over https, by the socket or by a trusted proxy's word. Default false. */
  readonly isSecure?: boolean | undefined;
  readonly remoteAddress: string | undefined;
}

export interface OwnCookies {
  /** Holds a bearer token, for hubs that take one. Never beside a bearer that could not be read. */
  readonly access: ReadCookie | undefined;
  /** Names the browser. */
  readonly binding: ReadCookie | undefined;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A request's body that nobody has read yet. As far as it is not read, the peer is held back. */
export interface RequestBody {
  /** Reads all of it. Once; never rejects. */
  read(maxBytes: number): Promise<BodyRead>;
  /** Nobody wants the rest: `read` ends as `abandoned`. */
  abandon(): void;
}

export type BodyRead =
  | { readonly kind: "whole"; readonly bytes: Uint8Array }
  /** It is, or says that it will be, longer than was allowed. */
  | { readonly kind: "too-large" }
  /** The peer went away, or broke the framing. */
  | { readonly kind: "broken" }
  | { readonly kind: "abandoned" };

/** A reply that its holder gives when it wants to, in as many pieces as it wants. Nothing is allowed after its end. */
export interface ReplyChannel {
  /** The whole reply in one go, and its end. */
  reply(status: number, headers: Readonly<Record<string, string>>, body?: Uint8Array): void;
  /** Status and headers. What follows is written piece by piece, until `end`. */
  begin(status: number, headers: Readonly<Record<string, string>>): void;
  /** The bytes may be shared with other channels and must not be changed. */
  write(bytes: Uint8Array): void;
  end(): void;
  /** Bytes written that the kernel has not taken yet. */
  readonly queuedBytes: number;
  /** As {@link Socket.isStuck}. */
  readonly isStuck?: boolean | undefined;
  /** Ends at once and takes back what the kernel has not delivered (TCP reset). */
  reset(): void;
}

/** What a channel tells its holder. Nothing is called after `closed`. */
export interface ReplyListener {
  /** `queuedBytes` went back to zero. */
  drained(): void;
  /** The reply is complete and handed over, or the client is gone. */
  closed(): void;
}

/** In place of a reply: somebody will give it later, or over time. */
export interface DeferredReply {
  /** Added to whatever the reply's own headers will be. */
  readonly headers: Readonly<Record<string, string>>;
  /** Called once, also when the client is gone already; the listener is then told at once. */
  readonly open: (channel: ReplyChannel) => ReplyListener;
}

export type HttpAnswer = HttpReply | DeferredReply;
