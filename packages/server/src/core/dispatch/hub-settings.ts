/** What may be set for each hub, with ASP.NET Core's own defaults where it has one. */

import type { TransportName } from "@hubward/wire";
import { limitDefaults, resolveConnectionRate, type HubLimitOptions } from "../limits/limit-options.js";
import type { Rate } from "../limits/token-bucket.js";
import { resolveCookie, type CookieOptions, type CookieRule } from "../auth/cookie-options.js";

export interface HubSettings {
  /** Transports offered and accepted, in the order in which clients try them. */
  readonly transports: ReadonlySet<TransportName>;
  /** Bytes of one message from a client. */
  readonly maxMessageBytes: number;
  /** Calls of one connection that run at the same time. Streams do not count. */
  readonly maxParallelInvocations: number;
  /** How often one connection may call; undefined for as often as it likes. */
  readonly connectionRate: Rate | undefined;
  /** Calls with streams, in either direction, that one connection may run at the same time. */
  readonly maxStreams: number;
  /** Items of one upload stream that wait for the method before the peer is held back. */
  readonly maxUploadItems: number;
  /** Whether clients may bring a later credential for a live connection. */
  readonly hasAuthenticationRefresh: boolean;
  /** Whether a client that asks for it may come back to its connection after its transport was lost. */
  readonly hasStatefulReconnect: boolean;
  /** Bytes kept for a client until it acknowledges them. */
  readonly maxReplayBytes: number;
  /** Whether callers are told the message of any error. For development. */
  readonly hasDetailedErrors: boolean;
  /** The cookie that a bearer token may stand in, for pages of the same origin. */
  readonly cookie: CookieRule | undefined;
}

export interface HubOptions {
  /** Transports offered and accepted. Default WebSockets, ServerSentEvents, LongPolling. */
  readonly transports?: readonly TransportName[] | undefined;
  /** Bytes of one message from a client. Default 32768. */
  readonly maxMessageBytes?: number | undefined;
  /** Calls of one connection that run at the same time; streams do not count. Default 1: in order. */
  readonly maxParallelInvocations?: number | undefined;
  /** How often one connection may call. Default 50 at once, 10 a second; `false`: as often as it likes. */
  readonly limits?: HubLimitOptions | false | undefined;
  /**
   * Calls with streams, in either direction, that one connection may run at the same time. A cancelled one counts
   * until its method has let go. Default 16.
   */
  readonly maxStreams?: number | undefined;
  /** Items of one upload stream that wait for the method before the peer is held back. Default 10. */
  readonly maxUploadItems?: number | undefined;
  /**
   * Whether clients may bring a later credential for a live connection: `POST {hub}/refresh`, as .NET 11 has it, and
   * `hubward.reauthenticate`. Default false.
   */
  readonly authenticationRefresh?: boolean | undefined;
  /** Whether a client that asks for it may come back to its connection after its transport was lost. Default false. */
  readonly statefulReconnect?: boolean | undefined;
  /** Bytes kept for a client until it acknowledges them. Default 100000. */
  readonly maxReplayBytes?: number | undefined;
  /** Whether callers are told the message of any error. For development only. Default false. */
  readonly detailedErrors?: boolean | undefined;
  /**
   * The cookie that a bearer token may stand in: `"__Host-access"`. It counts for pages of the same origin, where no
   * bearer is presented. Set for an application or a scope, it counts on routes guarded by `app.http`, too; a hub that
   * wants none says `false`. Default none.
   */
  readonly cookie?: string | CookieOptions | false | undefined;
}

export const hubDefaults: HubSettings = {
  transports: new Set(["WebSockets", "ServerSentEvents", "LongPolling"]),
  maxMessageBytes: 32 * 1024,
  maxParallelInvocations: 1,
  connectionRate: limitDefaults.connection,
  maxStreams: 16,
  maxUploadItems: 10,
  hasAuthenticationRefresh: false,
  hasStatefulReconnect: false,
  maxReplayBytes: 100_000,
  hasDetailedErrors: false,
  cookie: undefined,
};

/** @throws RangeError | TypeError for options that cannot be meant */
export function resolveHubOptions(
  where: string,
  options: HubOptions,
  defaults: HubSettings = hubDefaults,
): HubSettings {
  const count = (
    name: "maxMessageBytes" | "maxParallelInvocations" | "maxStreams" | "maxUploadItems" | "maxReplayBytes",
  ) => {
    const value = options[name] ?? defaults[name];
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`${where}.${name}: a whole number of at least 1`);
    return value;
  };
  return Object.freeze({
    transports: resolveTransports(where, options.transports, defaults.transports),
    maxMessageBytes: count("maxMessageBytes"),
    maxParallelInvocations: count("maxParallelInvocations"),
    connectionRate: resolveConnectionRate(where, options.limits, defaults.connectionRate),
    maxStreams: count("maxStreams"),
    maxUploadItems: count("maxUploadItems"),
    hasAuthenticationRefresh: options.authenticationRefresh ?? defaults.hasAuthenticationRefresh,
    hasStatefulReconnect: options.statefulReconnect ?? defaults.hasStatefulReconnect,
    maxReplayBytes: count("maxReplayBytes"),
    hasDetailedErrors: options.detailedErrors ?? defaults.hasDetailedErrors,
    cookie: resolveCookie(where, options.cookie, defaults.cookie),
  });
}

function resolveTransports(
  where: string,
  transports: readonly TransportName[] | undefined,
  defaults: ReadonlySet<TransportName>,
): ReadonlySet<TransportName> {
  if (transports === undefined) return defaults;
  const chosen = new Set(transports);
  if (chosen.size === 0) throw new RangeError(`${where}.transports: at least one`);
  for (const transport of chosen) {
    if (!hubDefaults.transports.has(transport))
      throw new TypeError(`${where}.transports: WebSockets, ServerSentEvents or LongPolling`);
  }
  return chosen;
}
