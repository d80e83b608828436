/** Receives an issuer's word that somebody signed out (OpenID Connect Back-Channel Logout 1.0). */

import { HubwardError } from "@hubward/wire";
import { assertRange, assertTexts } from "../option-checks.js";
import { refuseToken } from "../refuse-token.js";
import { createSeenIds } from "../seen-ids.js";
import { verifySignedToken } from "../signed-token.js";
import { createTokenReader, normalizeType } from "../token-header.js";
import { readLogout, type Logout, type ReadLogout } from "./logout-claims.js";
import { createOncePerId } from "./once-per-id.js";
import { emptyReply, jsonReply, mediaTypeOf, readText, tell, unavailableReply, type EventReceiver } from "./receive.js";
import { assertListener, resolveReceiverOptions, type ReceiverOptions } from "./receiver-options.js";

export interface BackChannelLogoutOptions extends ReceiverOptions {
  /** The id of the client that signs people in, or several. */
  readonly audience: string | readonly string[];
  /**
   * Takes the logout to where it counts. The issuer hears 200 when the promise has resolved: resolve when it is
   * durable. A rejection is 503, and the issuer may try again. Called at most once at a time for one token, and not
   * again after it succeeded.
   */
  readonly onLogout: (logout: Logout) => void | Promise<unknown>;
  /** Accepted `typ` values. Default `logout+jwt` and `application/logout+jwt`; older issuers write `JWT`. */
  readonly types?: readonly string[] | undefined;
  /** Accept tokens without any `typ`. Default false. */
  readonly allowMissingType?: boolean | undefined;
  /** Age at which a token is refused, whatever its `exp`. Seconds, 1 to 86,400, default 300. */
  readonly maxAgeSeconds?: number | undefined;
  /** Longest body, in bytes, default 16,384. */
  readonly maxBytes?: number | undefined;
}

export interface BackChannelLogoutDefaults {
  readonly types: readonly string[];
  readonly allowMissingType: boolean;
  readonly maxAgeSeconds: number;
  readonly maxBytes: number;
}

export const backChannelLogoutDefaults: BackChannelLogoutDefaults = Object.freeze({
  types: Object.freeze(["logout+jwt"]),
  allowMissingType: false,
  maxAgeSeconds: 300,
  maxBytes: 16 * 1024,
});

const UNAVAILABLE = { error: "temporarily_unavailable" } as const;
/** Callbacks under way at once. */
const MAX_RUNNING = 1000;

/**
 * The handler of the `backchannel_logout_uri`, for POST:
 *
 * ```ts
 * const logout = backChannelLogout({
 *   issuer,
 *   audience: "clinic-page",
 *   keys: discover(issuer),
 *   onLogout: ({ action }) => app.carryOut(action),
 * });
 * ```
 *
 * 200 when `onLogout` has resolved, and for a repetition of such a token, which calls nothing; 400 for a token or a
 * request that is none; 405, 413; 503 when the keys could not be had or `onLogout` failed. Never rejects, but where a
 * body parser was there before it.
 * @throws TypeError, RangeError for options that could not be safe
 */
export function backChannelLogout(options: BackChannelLogoutOptions): EventReceiver {
  const rules = resolveReceiverOptions("backChannelLogout", options);
  const { keys, clock, onFailure, maxRememberedIds: maxIds } = rules;
  const { onLogout } = options;
  const {
    types = backChannelLogoutDefaults.types,
    allowMissingType = backChannelLogoutDefaults.allowMissingType,
    maxAgeSeconds = backChannelLogoutDefaults.maxAgeSeconds,
    maxBytes = backChannelLogoutDefaults.maxBytes,
  } = options;
  assertTexts("backChannelLogout.types", types);
  assertRange("backChannelLogout.maxAgeSeconds", maxAgeSeconds, 1, 86_400);
  assertRange("backChannelLogout.maxBytes", maxBytes, 1024, 1024 * 1024);
  if (typeof allowMissingType !== "boolean") throw new TypeError("backChannelLogout.allowMissingType: true or false");
  if (typeof onLogout !== "function") throw new TypeError("backChannelLogout.onLogout: a function");
  assertListener("backChannelLogout.onFailure", onFailure);
  const readToken = createTokenReader({
    algorithms: rules.algorithms,
    types: new Set(types.map(normalizeType)),
    allowMissingType,
  });
  const claimRules = { ...rules, maxAgeMs: maxAgeSeconds * 1000 };
  const once = createOncePerId(createSeenIds({ clock, maxIds, whenFull: "forget-oldest" }), MAX_RUNNING);

  async function read(form: string): Promise<ReadLogout> {
    const claims = await verifySignedToken(readLogoutToken(form), keys, readToken);
    return readLogout(claims, claimRules, clock.now());
  }

  return async (request) => {
    if (request.method !== "POST") return emptyReply(405, { allow: "POST" });
    if (mediaTypeOf(request) !== "application/x-www-form-urlencoded") return refused("a form is needed");
    const body = await readText(request, maxBytes);
    if (body.kind === "too-large") return emptyReply(413);
    if (body.kind === "broken") return refused("the form could not be read");
    let message: ReadLogout;
    try {
      message = await read(body.text);
    } catch (error) {
      tell(onFailure, error);
      return isRefusal(error) ? refused("the token is not accepted") : unavailableReply(UNAVAILABLE, error);
    }
    const { logout, acceptableUntil } = message;
    try {
      await once.run(logout.tokenId, acceptableUntil - clock.now(), async () => void (await onLogout(logout)));
    } catch (error) {
      // Whatever the application threw, the token was good.
      tell(onFailure, error);
      return unavailableReply(UNAVAILABLE, error);
    }
    return emptyReply(200);
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof HubwardError && error.reason === "invalid_token";
}

/** @throws HubwardError `invalid_token`; other members are for extensions and ignored (2.5) */
function readLogoutToken(form: string): string {
  const [token, another] = new URLSearchParams(form).getAll("logout_token");
  if (token === undefined || another !== undefined) throw refuseToken("exactly one logout_token is needed");
  return token;
}

/** RFC 6749 5.2. */
function refused(description: string): Response {
  return jsonReply(400, { error: "invalid_request", error_description: description });
}
