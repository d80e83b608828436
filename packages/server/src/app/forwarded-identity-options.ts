/** Options of {@link forwardedIdentity}, checked and filled in. */

import type { Authenticator } from "../core/auth/authenticator.js";
import type { Clock, EpochMs } from "../core/clock.js";
import { systemClock } from "../platform/system-clock.js";
import { assertHeaderName } from "./header-name.js";

export interface ForwardedIdentityHeaders {
  /** Who asks. Default `x-auth-subject`. */
  readonly subject?: string | undefined;
  /** When the gateway's word ends, in seconds since 1970. Default `x-auth-expires`. */
  readonly expires?: string | undefined;
  /** The login session. Default `x-auth-session`. */
  readonly session?: string | undefined;
  /** Roles, with commas between them; a list of strings in `claims.roles`. Default `x-auth-roles`. */
  readonly roles?: string | undefined;
  /** The tenant. Once set, every request must carry it. Default: none. */
  readonly tenant?: string | undefined;
  /** Which of the `issuer`s vouches. Once set, every request must carry it. Default: none. */
  readonly issuer?: string | undefined;
}

export interface ForwardedIdentityOptions {
  /**
   * Who vouches for the people named: the gateway, or the identity provider whose logins it checks. Several only
   * where `headers.issuer` says which. Part of each identity.
   */
  readonly issuer: string | readonly string[];
  /** Names of the headers. */
  readonly headers?: ForwardedIdentityHeaders | undefined;
  /** Further claims, each with the header that holds its text: `{ department: "x-auth-department" }`. */
  readonly claims?: Readonly<Record<string, string>> | undefined;
  /**
   * Longest life of the gateway's word, from each request on. Seconds, 15 to 86400. Without it a request that does not
   * say when its identity ends is refused; with it such an identity ends after this time.
   */
  readonly maxLifeSeconds?: number | undefined;
  /** Verifies the bearer that stands beside the headers. Default: none may stand there. */
  readonly bearer?: Authenticator | undefined;
  /**
   * With `bearer`: `both` wants both and that they name the same identity; `either` is content with one, and wants
   * two to agree. Default `both`.
   */
  readonly require?: "both" | "either" | undefined;
  /** Default: the system's clock. */
  readonly clock?: Pick<Clock, "now"> | undefined;
}

export const forwardedIdentityDefaults = {
  headers: {
    subject: "x-auth-subject",
    expires: "x-auth-expires",
    session: "x-auth-session",
    roles: "x-auth-roles",
  },
  require: "both",
} as const;

export interface ResolvedForwardedIdentityOptions {
  readonly issuers: readonly string[];
  /** Lower-cased. */
  readonly names: {
    readonly subject: string;
    readonly expires: string;
    readonly session: string;
    readonly roles: string;
    readonly tenant: string | undefined;
    readonly issuer: string | undefined;
  };
  readonly claims: readonly (readonly [claim: string, header: string])[];
  readonly allHeaders: readonly string[];
  readonly maxLifeMs: number | undefined;
  readonly require: "both" | "either";
  readonly now: () => EpochMs;
}

/** @throws TypeError, RangeError */
export function resolveForwardedIdentityOptions(options: ForwardedIdentityOptions): ResolvedForwardedIdentityOptions {
  const { headers = {}, claims = {}, maxLifeSeconds, bearer, clock = systemClock } = options;
  const { require = forwardedIdentityDefaults.require } = options;
  const issuers = typeof options.issuer === "string" ? [options.issuer] : options.issuer;
  if (!Array.isArray(issuers) || issuers.length === 0 || issuers.some((one) => typeof one !== "string" || one === "")) {
    throw new TypeError("forwardedIdentity.issuer: who vouches for the identities");
  }
  if (issuers.length > 1 && headers.issuer === undefined) {
    throw new TypeError("forwardedIdentity.headers.issuer: needed where there are several issuers");
  }
  if (
    maxLifeSeconds !== undefined &&
    !(Number.isInteger(maxLifeSeconds) && maxLifeSeconds >= 15 && maxLifeSeconds <= 86_400)
  ) {
    throw new RangeError("forwardedIdentity.maxLifeSeconds: a whole number from 15 to 86400");
  }
  if (bearer !== undefined && typeof bearer.authenticate !== "function") {
    throw new TypeError("forwardedIdentity.bearer: an authenticator such as jwt()");
  }
  if (require !== "both" && require !== "either") throw new TypeError("forwardedIdentity.require: both or either");
  if (bearer === undefined && options.require !== undefined) {
    throw new TypeError("forwardedIdentity.require: means nothing without bearer");
  }
  const defaults = forwardedIdentityDefaults.headers;
  const names = {
    subject: lower(headers.subject ?? defaults.subject),
    expires: lower(headers.expires ?? defaults.expires),
    session: lower(headers.session ?? defaults.session),
    roles: lower(headers.roles ?? defaults.roles),
    tenant: headers.tenant === undefined ? undefined : lower(headers.tenant),
    issuer: headers.issuer === undefined ? undefined : lower(headers.issuer),
  };
  const claimHeaders = Object.entries(claims).map(([claim, header]) => [claim, lower(header)] as const);
  if (claimHeaders.some(([claim]) => claim === "roles")) {
    throw new TypeError("forwardedIdentity.claims.roles: is headers.roles");
  }
  const allHeaders = [...Object.values(names), ...claimHeaders.map(([, header]) => header)].filter(
    (name) => name !== undefined,
  );
  if (new Set(allHeaders).size !== allHeaders.length) {
    throw new TypeError("forwardedIdentity: two meanings for one header");
  }
  return {
    issuers: [...issuers],
    names,
    claims: claimHeaders,
    allHeaders,
    maxLifeMs: maxLifeSeconds === undefined ? undefined : maxLifeSeconds * 1000,
    require,
    now: () => clock.now(),
  };
}

function lower(name: string): string {
  assertHeaderName("forwardedIdentity", name);
  return name.toLowerCase();
}
