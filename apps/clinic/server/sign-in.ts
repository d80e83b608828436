/** `POST /auth/login`: name and password against a session. */

import { readJson, type Sessions } from "@hubward/sessions";
import { z } from "zod";
import type { Directory } from "./directory.js";
import type { ClinicLog } from "./log.js";
import type { LoginThrottle } from "./login-throttle.js";

export interface SignInParts {
  readonly sessions: Pick<Sessions, "checkLogin" | "start">;
  readonly directory: Directory;
  readonly throttle: LoginThrottle;
  readonly log: Pick<ClinicLog, "signedIn" | "signInRefused">;
  /** Whether there is such a person: only such names are logged. */
  readonly isPerson: (username: string) => boolean;
}

export type SignIn = (request: Request, remoteAddress: string) => Promise<Response>;

const credentialsSchema = z.object({ username: z.string(), password: z.string() });

/** 200 as `Sessions.start`; 401 for a wrong name or password alike; 429 after too many; 400, 403, 405, 413 or 415. */
export function createSignIn({ sessions, directory, throttle, log, isPerson }: SignInParts): SignIn {
  return async (request, remoteAddress) => {
    const refused = sessions.checkLogin(request);
    if (refused !== undefined) return refused;
    const body = await readJson(request);
    if (!body.ok) return body.response;
    const credentials = credentialsSchema.safeParse(body.value);
    if (!credentials.success) return refusal(400, "invalid_request");

    const { username, password } = credentials.data;
    const subject = isPerson(username) ? username : undefined;
    const attempt = await throttle.attempt(username, remoteAddress, () => directory.signIn(username, password));
    if (!attempt.allowed) {
      const { retryAfterSeconds } = attempt;
      log.signInRefused({ reason: "rate_limited", subject, remoteAddress });
      const error = `rate_limited;action=retry-after;retry_after=${retryAfterSeconds}`;
      return refusal(429, error, { "retry-after": String(retryAfterSeconds) });
    }
    if (attempt.value === undefined) {
      log.signInRefused({ reason: "invalid_credentials", subject, remoteAddress });
      return refusal(401, "invalid_credentials");
    }
    const { tenant } = attempt.value;
    const reply = await sessions.start({ subject: attempt.value.username, tenant, request });
    if (reply.ok) log.signedIn({ subject: attempt.value.username, tenant, remoteAddress });
    return reply;
  };
}

function refusal(status: number, error: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify({ error }), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}
