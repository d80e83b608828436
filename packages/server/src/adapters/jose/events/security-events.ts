/** Receives security events that an issuer pushes (RFC 8935; OpenID Shared Signals and CAEP 1.0). */

import { HubwardError } from "@hubward/wire";
import type { EpochMs } from "../../../core/clock.js";
import { readIdentifier } from "../claim-values.js";
import { refuseToken } from "../refuse-token.js";
import { createSeenIds } from "../seen-ids.js";
import { faultOf, verifySignedToken, type SignedTokenFault } from "../signed-token.js";
import { createTokenReader } from "../token-header.js";
import { CallbackFailure, guardCallback } from "./callback-failure.js";
import { codeOf, readEvents, type ReadEvents } from "./event-claims.js";
import { errorReply, type EventErrorCode } from "./event-error.js";
import { readTarget } from "./event-subject.js";
import { createOncePerId } from "./once-per-id.js";
import { emptyReply, mediaTypeOf, readText, tell, unavailableReply, type EventReceiver } from "./receive.js";
import { describeEvent, isKnownEvent, VERIFICATION } from "./security-event.js";
import { resolveSecurityEventsOptions, type SecurityEventsOptions } from "./security-events-options.js";

/** Messages handled at once. */
const MAX_RUNNING = 1000;
const UNAVAILABLE = { description: "try again" } as const;

const codeOfFault: Readonly<Record<SignedTokenFault, EventErrorCode>> = {
  key: "invalid_key",
  signature: "authentication_failed",
};

/**
 * The handler of a push endpoint, for POST of `application/secevent+jwt`:
 *
 * ```ts
 * const events = securityEvents({
 *   issuer,
 *   audience: "https://hub.example.com/events",
 *   keys: discover(issuer),
 *   on: ({ action }) => app.carryOut(action),
 * });
 * ```
 *
 * 202 when every callback of the message has resolved, and for a repetition of such a message (`jti`), which calls
 * nothing; 400 with a code of RFC 8935 2.4 for what is no message of this issuer for us; 401 or 403 for a missing or
 * another `Authorization`, where one was set; 405, 413; 503 when the keys could not be had or a callback failed. Never
 * rejects, but where a body parser was there before it.
 * @throws TypeError, RangeError for options that could not be safe
 */
export function securityEvents(options: SecurityEventsOptions): EventReceiver {
  const rules = resolveSecurityEventsOptions(options);
  const { keys, clock, onFailure, maxRememberedIds: maxIds } = rules;
  const { algorithms } = rules;
  const readToken = createTokenReader({ algorithms, types: new Set(["secevent+jwt"]), allowMissingType: false });
  const once = createOncePerId(createSeenIds({ clock, maxIds, whenFull: "forget-oldest" }), MAX_RUNNING);

  async function read(token: string): Promise<ReadEvents> {
    const claims = await verifySignedToken(token, keys, readToken);
    const message = readEvents(claims, rules, clock.now());
    if (message.subjectId === undefined && [...message.events.keys()].some(isKnownEvent)) {
      throw refuseToken("the subject is missing");
    }
    return message;
  }

  /** What each event calls; everything is read before anything is called. */
  async function plan(message: ReadEvents): Promise<readonly (() => void | Promise<unknown>)[]> {
    const { subjectId } = message;
    const isAboutPeople = subjectId !== undefined && [...message.events.keys()].some(isKnownEvent);
    const target = isAboutPeople ? await readTarget(subjectId, rules.subjects) : undefined;
    return [...message.events].map(([type, details]) => {
      if (subjectId !== undefined && isKnownEvent(type)) {
        const latest = (clock.now() + rules.clockSkewMs) as EpochMs;
        const event = describeEvent(type, message.message, { subjectId, target, details }, latest);
        return () => options.on(event);
      }
      if (type === VERIFICATION) {
        const verification = Object.freeze({ ...message.message, state: readIdentifier(details, "state") });
        return () => options.onVerification?.(verification);
      }
      return () => options.onUnknown?.(Object.freeze({ ...message.message, type, subjectId, details }));
    });
  }

  return async (request) => {
    if (request.method !== "POST") return emptyReply(405, { allow: "POST" });
    switch (rules.senderOf(request.headers.get("authorization"))) {
      case "unknown":
        return errorReply(401, "authentication_failed", { "www-authenticate": "Bearer" });
      case "another":
        return errorReply(403, "access_denied");
      case "agreed":
    }
    if (mediaTypeOf(request) !== "application/secevent+jwt") return errorReply(400, "invalid_request");
    const body = await readText(request, rules.maxBytes);
    if (body.kind === "too-large") return emptyReply(413);
    if (body.kind === "broken") return errorReply(400, "invalid_request");
    try {
      const message = await read(body.text);
      await once.run(message.message.tokenId, message.acceptableUntil - clock.now(), async () => {
        const calls = await plan(message);
        for (const call of calls) await guardCallback(call);
      });
      return emptyReply(202);
    } catch (error) {
      if (error instanceof CallbackFailure) {
        tell(onFailure, error.cause);
        return unavailableReply(UNAVAILABLE, error.cause);
      }
      tell(onFailure, error);
      const isRefusal = error instanceof HubwardError && error.reason === "invalid_token";
      return isRefusal ? errorReply(400, codeFor(error)) : unavailableReply(UNAVAILABLE, error);
    }
  };
}

function codeFor(error: HubwardError): EventErrorCode {
  const fault = faultOf(error);
  return codeOf(error) ?? (fault === undefined ? "invalid_request" : codeOfFault[fault]);
}
