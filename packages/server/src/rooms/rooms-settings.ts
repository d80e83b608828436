/** What may be set where rooms are mounted. */

import { resolveCookie, type CookieOptions, type CookieRule } from "../core/auth/cookie-options.js";
import { resolveConnectionRate, type HubLimitOptions } from "../core/limits/limit-options.js";
import type { Rate } from "../core/limits/token-bucket.js";

export interface RoomsOptions {
  /** Whether a client may present its token in the first frame, `auth`, instead of with the upgrade. Default true. */
  readonly firstFrame?: boolean | undefined;
  /**
   * Whether a token may stand in the query (`?token=`). Default false: URLs end up in logs (RFC 9700 4.3.2), and a
   * ticket does the same without that.
   */
  readonly queryToken?: boolean | undefined;
  /**
   * Whether clients that offer no subprotocol are spoken to in the small chat dialect (docs/rooms-protocol.md).
   * Default false.
   */
  readonly chatDialect?: boolean | undefined;
  /** From the open WebSocket to an `auth` frame. Milliseconds, default 5000. */
  readonly authTimeoutMs?: number | undefined;
  /** Sockets that have not said who they are, at most. Default 1000. */
  readonly maxUnauthenticated?: number | undefined;
  /** Of those, from one address. Default 100: hundreds of people may share one. */
  readonly maxUnauthenticatedPerAddress?: number | undefined;
  /** Bytes of one message from a client. Default 65536. */
  readonly maxMessageBytes?: number | undefined;
  /** How often one connection may ask for something. Default that of the application's hubs; `false`: as often as it likes. */
  readonly limits?: HubLimitOptions | false | undefined;
  /** The cookie that a bearer token may stand in, for pages of the same origin. Default: that of the application's hubs. */
  readonly cookie?: string | CookieOptions | false | undefined;
}

export interface RoomsSettings {
  readonly hasFirstFrame: boolean;
  readonly allowQueryToken: boolean;
  readonly hasChatDialect: boolean;
  readonly authTimeoutMs: number;
  readonly maxUnauthenticated: number;
  readonly maxUnauthenticatedPerAddress: number;
  readonly maxMessageBytes: number;
  readonly cookie: CookieRule | undefined;
  readonly connectionRate: Rate | undefined;
}

export const roomsDefaults: Readonly<
  Record<"authTimeoutMs" | "maxUnauthenticated" | "maxUnauthenticatedPerAddress" | "maxMessageBytes", number>
> = {
  authTimeoutMs: 5_000,
  maxUnauthenticated: 1_000,
  maxUnauthenticatedPerAddress: 100,
  maxMessageBytes: 64 * 1024,
};

/** @throws RangeError | TypeError for options that cannot be meant */
export function resolveRoomsOptions(
  where: string,
  options: RoomsOptions,
  cookie: CookieRule | undefined,
  connectionRate: Rate | undefined,
): RoomsSettings {
  const count = (name: keyof typeof roomsDefaults): number => {
    const value = options[name] ?? roomsDefaults[name];
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`${where}.${name}: a whole number of at least 1`);
    return value;
  };
  return Object.freeze({
    hasFirstFrame: options.firstFrame ?? true,
    allowQueryToken: options.queryToken ?? false,
    hasChatDialect: options.chatDialect ?? false,
    authTimeoutMs: count("authTimeoutMs"),
    maxUnauthenticated: count("maxUnauthenticated"),
    maxUnauthenticatedPerAddress: count("maxUnauthenticatedPerAddress"),
    maxMessageBytes: count("maxMessageBytes"),
    connectionRate: resolveConnectionRate(where, options.limits, connectionRate),
    cookie: resolveCookie(where, options.cookie, cookie),
  });
}
