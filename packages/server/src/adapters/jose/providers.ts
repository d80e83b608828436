/**
 * What known identity providers need beyond the standard. Each is named by the application and gives up as little as
 * its provider makes necessary; a provider that issues `at+jwt` (RFC 9068) needs none of this.
 */

import { discover } from "./discover.js";
import type { KeySource } from "./key-source.js";
import type { JwtOptions } from "./options.js";
import type { RemoteKeyOptions } from "./remote-key-options.js";

/** Options of `jwt()`: spread them to change or add some, `jwt({ ...keycloak({ … }), maxTokenAgeSeconds: 600 })`. */
export interface ProviderRules extends Pick<
  JwtOptions,
  "issuer" | "audience" | "types" | "allowMissingType" | "requiredClaims"
> {
  readonly keys: KeySource;
}

export interface ProviderOptions {
  /** The issuer exactly as tokens and metadata write it. */
  readonly issuer: string;
  /** Our own name at the provider. Never the id of a client that also signs people in: its ID tokens name that one. */
  readonly audience: string | readonly string[];
}

export interface ClientProviderOptions {
  /** The issuer exactly as tokens and metadata write it. */
  readonly issuer: string;
  /** The app clients whose access tokens are accepted. */
  readonly clientIds: readonly string[];
}

const ENTRA_V2_ISSUER = /^https:\/\/[a-z0-9.-]+\/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\/v2\.0$/;

/**
 * Keycloak: `typ` is `JWT` in every kind of token, or `at+jwt` where the client is set so, and the claim `typ` tells
 * access tokens (`Bearer`) from the others. The issuer is `https://<host>/realms/<realm>`; our audience has to be
 * added by an audience mapper.
 */
export function keycloak({ issuer, audience }: ProviderOptions, options?: RemoteKeyOptions): ProviderRules {
  return {
    issuer,
    audience,
    types: ["at+jwt", "JWT"],
    requiredClaims: { typ: "Bearer" },
    keys: discover(issuer, options),
  };
}

/**
 * Auth0 with its default token profile, whose `typ` is `JWT`; with the RFC 9068 profile plain `jwt()` is enough. The
 * audience is the API's identifier. The issuer ends with a slash.
 * @throws RangeError for an issuer without its slash
 */
export function auth0({ issuer, audience }: ProviderOptions, options?: RemoteKeyOptions): ProviderRules {
  if (!issuer.endsWith("/")) throw new RangeError("auth0.issuer: ends with a slash, https://<tenant>.auth0.com/");
  return { issuer, audience, types: ["at+jwt", "JWT"], keys: discover(issuer, options) };
}

/**
 * Microsoft Entra ID, version 2 access tokens of people: `typ` is always `JWT`, the audience is the API's application
 * id, and `scp` tells access tokens from ID tokens. Tokens of daemons have no `scp`; accept those by a `jwt()` with
 * other `requiredClaims`, such as `idtyp: "app"`. One tenant each; several stand side by side in `issuers()`.
 * @throws RangeError for any issuer but `https://login.microsoftonline.com/<tenant id>/v2.0`: `common` and
 * `organizations` are no issuers, and version 1 tokens name another
 */
export function entra({ issuer, audience }: ProviderOptions, options?: RemoteKeyOptions): ProviderRules {
  if (!ENTRA_V2_ISSUER.test(issuer)) {
    throw new RangeError("entra.issuer: https://login.microsoftonline.com/<tenant id>/v2.0 is needed");
  }
  return {
    issuer,
    audience,
    types: ["JWT"],
    requiredClaims: { ver: "2.0", scp: true },
    keys: discover(issuer, options),
  };
}

/**
 * Amazon Cognito user pools: access tokens have neither `typ` nor, by default, `aud`; `token_use` tells them from ID
 * tokens and `client_id` says whom they were issued to. The issuer is
 * `https://cognito-idp.<region>.amazonaws.com/<user pool id>`. Where resource binding writes an `aud`, name it by
 * `audience` in place of the clients: `jwt({ ...cognito({ … }), audience })`.
 */
export function cognito({ issuer, clientIds }: ClientProviderOptions, options?: RemoteKeyOptions): ProviderRules {
  return {
    issuer,
    audience: { clientIds },
    allowMissingType: true,
    requiredClaims: { token_use: "access" },
    keys: discover(issuer, options),
  };
}
