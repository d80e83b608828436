/** The authenticator for opaque tokens: it asks the issuer (RFC 7662). */

import { HubwardError } from "@hubward/wire";
import type { Authentication } from "../../../core/auth/authentication.js";
import type { Authenticator } from "../../../core/auth/authenticator.js";
import type { BearerCredential } from "../../../core/auth/credential.js";
import { readInstant, type EpochMs } from "../../../core/clock.js";
import { authenticateClaims } from "../claims.js";
import { fetchDocument } from "../fetch-document.js";
import { refuseToken } from "../refuse-token.js";
import { ownMember } from "../strict-json.js";
import { createAnswerCache, type Answer } from "./answer-cache.js";
import { createAskLimit } from "./ask-limit.js";
import {
  resolveIntrospectionOptions,
  type IntrospectionOptions,
  type ResolvedIntrospectionOptions,
} from "./introspection-options.js";

export interface IntrospectionAuthenticator extends Authenticator {
  readonly issuer: string;
  /** An Authentication at once for an answer it remembers, else a promise. Refusals always arrive as rejections. */
  authenticate(credential: BearerCredential): Authentication | Promise<Authentication>;
  /**
   * The next use of this token asks the issuer again, also where a question is under way.
   * @param tokenHash SHA-256 of the token as base64url: {@link hashToken}
   */
  forget(tokenHash: string): void;
  /** The next use of every token asks the issuer again. */
  forgetAll(): void;
}

/** What a bearer token is made of (RFC 6750 2.1, `b64token`). */
const BEARER_TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
const ACCESS_TOKEN_TYPES: ReadonlySet<unknown> = new Set(["bearer", "dpop"]);

/**
 * Authenticates the opaque access tokens of one issuer by asking it about each.
 *
 * ```ts
 * const authenticator = introspection({
 *   issuer: "https://login.example.com/",
 *   endpoint: "https://login.example.com/introspect",
 *   client: { id: "hub", secret: new Secret(process.env.HUB_SECRET ?? "") },
 *   audience: "https://hub.example.com",
 * });
 * ```
 *
 * A token passes when its characters and size are a bearer token's, the issuer says `"active": true`, and what it says
 * beside that meets the rules of `jwt()`: issuer (where named), audience, a subject, an expiry that has not come. One
 * question per token at a time; its answer serves for `maxAgeMs` and never past the expiry, so this is how late a
 * token taken back is noticed at a door. A live connection is not asked about again before `expiresAt`, a minute after
 * the question at the latest: see `maxAnswerSeconds`.
 *
 * Refusals are `token_expired` when nothing but the expiry is wrong, `auth_unavailable` when there was no answer
 * that could be understood (our own client refused included), `invalid_token` for all else.
 * @throws TypeError, RangeError for options that could not be safe.
 */
export function introspection(options: IntrospectionOptions): IntrospectionAuthenticator {
  const rules = resolveIntrospectionOptions(options);
  const { clock, maxInactiveAgeMs, maxCachedTokens: maxTokens, maxTokenBytes, timeoutMs } = rules;
  // A client that authenticates anew before its answer's end must not be given the same answer again.
  const maxAgeMs = Math.min(rules.maxAgeMs, (rules.claims.maxRemainingMs ?? Infinity) / 2);
  const cache = createAnswerCache({ clock, maxTokens, maxAgeMs: { accepted: maxAgeMs, refused: maxInactiveAgeMs } });
  const limit = createAskLimit(rules.maxConcurrent, rules.maxWaiting);

  async function ask(token: string): Promise<Answer> {
    const deadline = new AbortController();
    const timer = clock.after(timeoutMs, () => deadline.abort());
    try {
      return await limit.run(deadline.signal, async () => {
        const { endpoint, maxBytes, ca } = rules;
        const askedAt = readInstant(clock);
        const said = await fetchDocument(endpoint, { signal: deadline.signal, maxBytes, ca }, rules.formFor(token));
        if (typeof ownMember(said, "active") !== "boolean")
          throw new Error("the answer does not say whether it is active");
        return { askedAt, ...judge(said, rules, askedAt.now) };
      });
    } catch (cause) {
      report(rules.onFailure, cause);
      throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause });
    } finally {
      timer.cancel();
    }
  }

  return {
    issuer: rules.claims.issuer,
    authenticate({ token }) {
      if (token.length > maxTokenBytes) return Promise.reject(refuseToken("the token is too long"));
      const text = token.reveal();
      if (!BEARER_TOKEN.test(text)) return Promise.reject(refuseToken("this is no bearer token"));
      return cache.resolve(text, ask);
    },
    forget: (tokenHash) => cache.forget(tokenHash),
    forgetAll: () => cache.forgetAll(),
  };
}

type Verdict =
  | { readonly kind: "accepted"; readonly authentication: Authentication }
  | { readonly kind: "refused"; readonly error: HubwardError };

/** An answer that somebody understood: it is final, whatever it says. */
function judge(
  said: Record<string, unknown>,
  { claims, clock }: ResolvedIntrospectionOptions,
  askedAt: EpochMs,
): Verdict {
  try {
    if (said["active"] !== true) throw refuseToken("the token is not active");
    assertAccessToken(ownMember(said, "token_type"), claims.audience === "any");
    const authentication = authenticateClaims(said, undefined, claims, askedAt);
    // The answer took its time: never an Authentication whose end has come.
    if (clock.now() >= authentication.expiresAt) throw new HubwardError("token_expired");
    return { kind: "accepted", authentication };
  } catch (error) {
    if (error instanceof HubwardError) return { kind: "refused", error };
    throw error;
  }
}

/** An endpoint may answer for refresh tokens, too, and those have no type (RFC 7662 2.2). */
function assertAccessToken(type: unknown, isRequired: boolean): void {
  if (type === undefined && !isRequired) return;
  if (typeof type !== "string" || !ACCESS_TOKEN_TYPES.has(type.toLowerCase())) {
    throw refuseToken("this is no access token");
  }
}

function report(onFailure: (error: Error) => void, error: unknown): void {
  try {
    onFailure(error instanceof Error ? error : new Error("the issuer could not be asked", { cause: error }));
  } catch {
    // Whoever listens must not change what the client is told.
  }
}
