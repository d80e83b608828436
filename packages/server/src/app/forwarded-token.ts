/** A token that a gateway adds to each request in a header of its own, and whose signature we verify ourselves. */

import type { Authenticator } from "../core/auth/authenticator.js";
import { HubwardError } from "../core/errors.js";
import { assertHeaderName } from "./header-name.js";

/**
 * Reads the token of `header`, for gateways that sign who asks: Google's IAP (`x-goog-iap-jwt-assertion`), Cloudflare
 * Access (`cf-access-jwt-assertion`) and others.
 *
 * ```ts
 * const authenticator = forwardedToken("cf-access-jwt-assertion", jwt({ issuer, audience, keys, types: ["JWT"] }));
 * ```
 *
 * The signature is the proof, so it counts from any address. A token in `Authorization` beside it, or alone, is
 * refused; tickets are not.
 * @throws TypeError for what is no name of a header, or no authenticator
 */
export function forwardedToken(header: string, authenticator: Authenticator): Authenticator {
  assertHeaderName("forwardedToken", header);
  if (typeof authenticator?.authenticate !== "function")
    throw new TypeError("forwardedToken: an authenticator is needed");
  const name = header.toLowerCase();
  return {
    issuer: authenticator.issuer,
    authenticate: () => Promise.reject(new HubwardError("invalid_token")),
    forwarded: {
      headers: [name],
      trustedOnly: false,
      bearer: "refused",
      authenticate(headers) {
        const token = headers.get(name);
        if (token === undefined) throw new HubwardError("invalid_token");
        return authenticator.authenticate({ kind: "bearer", token, source: "header" });
      },
    },
  };
}
