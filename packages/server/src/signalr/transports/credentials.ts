/**
 * Which credentials have shown that they belong to a connection made of requests. A client shows the same one with
 * every request: it is verified once, and it still names its connection when it has aged since. To judge its age is
 * the connection's business, which ends at its own expiry and says why; a 401 would only hide that.
 */

import { bearerOf } from "../../core/admission/admission.js";
import { believe } from "../../core/admission/forwarded.js";
import { isTicket } from "../../core/auth/tickets.js";
import type { BearerCredential } from "../../core/auth/credential.js";
import type { Digest } from "../../core/digest.js";
import type { HttpRequest } from "../../core/http.js";
import { joinKey } from "../../core/ids.js";

/**
 * A hash of everything a request presents, or undefined when that is nothing, or something that is to be looked at
 * each time. `cookie`: the request's, where it counts. @throws HubwardError invalid_request for what does not fit
 * together
 */
export function fingerprintOf(request: HttpRequest, digest: Digest, cookie?: BearerCredential): string | undefined {
  const bearer = bearerOf(request) ?? cookie;
  const forwarded = believe(request.forwarded);
  if (bearer === undefined && forwarded === undefined) return undefined;
  // Whether a JWT may stand in a URL is a question of its own, and each request has a proof of its own.
  const isAskedAgain = bearer?.source === "query" || bearer?.dpop !== undefined;
  if (bearer !== undefined && isAskedAgain && !isTicket(bearer.token)) return undefined;
  const parts = [bearer?.token.reveal()];
  for (const [name, value] of [...(forwarded ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
    parts.push(name, value.reveal());
  }
  return digest(joinKey(parts));
}

/** The one a connection began with, and the last other one. */
export class KnownCredentials {
  readonly #first: string | undefined;
  #last: string | undefined;

  constructor(first: string | undefined) {
    this.#first = first;
  }

  has(fingerprint: string | undefined): boolean {
    return fingerprint !== undefined && (fingerprint === this.#first || fingerprint === this.#last);
  }

  /** After it was verified to be of the connection's identity. */
  add(fingerprint: string | undefined): void {
    if (!this.has(fingerprint)) this.#last = fingerprint;
  }
}
