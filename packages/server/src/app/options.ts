/** What an application may set, and what holds when it does not. */

import type { Authenticator } from "../core/auth/authenticator.js";
import type { PrincipalMapping } from "../core/auth/principal.js";
import type { Clock } from "../core/clock.js";
import {
  resolveOutboxOptions,
  type OutboxOptions,
  type ResolvedOutboxOptions,
} from "../core/connection/outbox-options.js";
import type { ConnectionTimes } from "../core/connection/connection.js";
import { resolveHubOptions, type HubOptions, type HubSettings } from "../core/dispatch/hub-settings.js";
import type { IdempotencyStore } from "../core/dispatch/idempotency-store.js";
import { resolveAllowedOrigins } from "../core/admission/origin.js";
import type { Random } from "../core/random.js";
import type { Telemetry } from "../core/telemetry.js";
import { createMemoryIdempotencyStore } from "../memory/idempotency-store.js";
import { jsonLines } from "../platform/json-lines.js";
import { systemClock } from "../platform/system-clock.js";
import { systemRandom } from "../platform/system-crypto.js";

/** Options of a hub given here hold for every hub that does not set its own. */
export interface HubwardOptions<Attributes extends object = object> extends HubOptions {
  /** Verifies bearer tokens, for hubs and for HTTP routes alike. `jwt()` of `@hubward/server/jose` is one. */
  readonly authenticator: Authenticator;
  /** Makes a principal of a verified credential; may ask a directory. */
  readonly principal: PrincipalMapping<Attributes>;
  /** Exact origins of the pages that may connect: `https://example.org`. Default none: no browser may. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /**
   * Whether hub paths take a JWT in the `access_token` query parameter. Default false: stock clients that
   * negotiate never need it, and URLs end up in logs (RFC 9700 4.3.2).
   */
  readonly allowQueryToken?: boolean | undefined;
  /** Where events go. Default JSON lines on standard error. */
  readonly telemetry?: Telemetry | undefined;
  /** Remembers commands (`.once`). Default this process's memory, for 24 hours. */
  readonly idempotency?: IdempotencyStore | undefined;
  readonly outbox?: OutboxOptions | undefined;
  /**
   * Time from the open socket to a complete protocol handshake, and what each `connected` and `disconnected` hook may
   * take: a connection whose `connected` takes longer ends, `close()` waits no longer. Milliseconds, default 15000.
   */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Silence after which a client counts as gone; not counted while its call is handled. Milliseconds, default 30000. */
  readonly clientTimeoutMs?: number | undefined;
  /** Silence of ours after which a ping is sent. Milliseconds, default 15000. */
  readonly keepAliveMs?: number | undefined;
  /** Groups one connection may be in. Default 100. */
  readonly maxGroupsPerConnection?: number | undefined;
  /** For tests. */
  readonly clock?: Clock | undefined;
  /** For tests. */
  readonly random?: Random | undefined;
}

export interface ResolvedOptions<Attributes extends object> {
  readonly authenticator: Authenticator;
  readonly principal: PrincipalMapping<Attributes>;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly allowQueryToken: boolean;
  readonly telemetry: Telemetry;
  readonly idempotency: IdempotencyStore;
  readonly outbox: ResolvedOutboxOptions;
  readonly times: ConnectionTimes;
  readonly hub: HubSettings;
  readonly maxGroupsPerConnection: number;
  readonly clock: Clock;
  readonly random: Random;
}

export interface HubwardDefaults {
  readonly handshakeTimeoutMs: number;
  readonly clientTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly maxGroupsPerConnection: number;
}

/** ASP.NET Core's own defaults where it has one. */
export const hubwardDefaults: HubwardDefaults = {
  handshakeTimeoutMs: 15_000,
  clientTimeoutMs: 30_000,
  keepAliveMs: 15_000,
  maxGroupsPerConnection: 100,
};

/** @throws RangeError | TypeError for options that cannot be meant */
export function resolveOptions<Attributes extends object>(
  options: HubwardOptions<Attributes>,
): ResolvedOptions<Attributes> {
  if (typeof options.authenticator?.authenticate !== "function")
    throw new TypeError("hubward: authenticator is required");
  if (typeof options.principal !== "function") throw new TypeError("hubward: principal is required");
  const clock = options.clock ?? systemClock;
  const count = (name: keyof HubwardDefaults): number => {
    const value = options[name] ?? hubwardDefaults[name];
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`hubward.${name}: a whole number of at least 1`);
    return value;
  };
  return {
    authenticator: options.authenticator,
    principal: options.principal,
    allowedOrigins: resolveAllowedOrigins(options.allowedOrigins ?? []),
    allowQueryToken: options.allowQueryToken ?? false,
    telemetry: guarded(options.telemetry ?? jsonLines()),
    idempotency: options.idempotency ?? createMemoryIdempotencyStore({ clock }),
    outbox: resolveOutboxOptions(options.outbox),
    times: {
      handshakeTimeoutMs: count("handshakeTimeoutMs"),
      clientTimeoutMs: count("clientTimeoutMs"),
      keepAliveMs: count("keepAliveMs"),
    },
    hub: resolveHubOptions("hubward", options),
    maxGroupsPerConnection: count("maxGroupsPerConnection"),
    clock,
    random: options.random ?? systemRandom,
  };
}

/** A sink that fails must not fail what it is told about. */
function guarded(telemetry: Telemetry): Telemetry {
  return (event) => {
    try {
      telemetry(event);
    } catch {
      // There is nowhere left to say it.
    }
  };
}
