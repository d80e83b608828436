/** The four HTTP requests a sign-in lives by, each answer read into one of a few kinds. */
import { type Failure, readFailure, readHttpFailure } from "./reasons.js";

export interface Grant {
  readonly accessToken: string;
  /** How long the token is good for, from the moment it was asked for. Milliseconds. */
  readonly lifetimeMs: number;
}

export type GrantAnswer =
  | { readonly kind: "granted"; readonly grant: Grant }
  /** The server said no, with a reason. */
  | { readonly kind: "refused"; readonly failure: Failure }
  /** Another tab has just refreshed: the cookie to ask with is already a newer one. */
  | { readonly kind: "superseded" }
  /** No answer, or one that says later. Nothing is known about the session, so it is kept. */
  | { readonly kind: "unavailable"; readonly failure: Failure };

export interface AuthApi {
  login(username: string, password: string): Promise<GrantAnswer>;
  refresh(): Promise<GrantAnswer>;
  /** True when the server has ended the session. */
  logout(): Promise<boolean>;
}

/** The part of `fetch` used here. */
export type Fetch = (path: string, init: RequestInit) => Promise<Response>;

/** Milliseconds after which a request without an answer counts as failed. */
const requestTimeoutMs = 15_000;

export function createAuthApi(fetch: Fetch): AuthApi {
  async function post(path: string, body?: unknown): Promise<Response> {
    return await fetch(path, {
      method: "POST",
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(requestTimeoutMs),
      ...(body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    });
  }

  async function askForGrant(path: string, body?: unknown): Promise<GrantAnswer> {
    try {
      return await readAnswer(await post(path, body));
    } catch (error) {
      return { kind: "unavailable", failure: readFailure(error) };
    }
  }

  return {
    login: (username, password) => askForGrant("/auth/login", { username, password }),
    refresh: () => askForGrant("/auth/refresh"),
    async logout() {
      try {
        const response = await post("/auth/logout");
        return response.ok || response.status === 401;
      } catch {
        return false;
      }
    },
  };
}

async function readAnswer(response: Response): Promise<GrantAnswer> {
  const body = await response.text();
  if (response.ok) {
    const grant = parseGrant(body);
    if (grant !== undefined) return { kind: "granted", grant };
    return { kind: "unavailable", failure: readFailure(new Error("the answer holds no token")) };
  }
  const retryAfter = Number(response.headers.get("Retry-After") ?? Number.NaN);
  const failure = readHttpFailure(response.status, body, Number.isFinite(retryAfter) ? retryAfter : undefined);
  if (response.status === 409) return { kind: "superseded" };
  const isFinal = response.status === 400 || response.status === 401 || response.status === 403;
  return { kind: isFinal ? "refused" : "unavailable", failure };
}

function parseGrant(body: string): Grant | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== "object" || parsed === null) return undefined;
    if (!("access_token" in parsed) || !("expires_in" in parsed)) return undefined;
    const { access_token: accessToken, expires_in: expiresIn } = parsed;
    if (typeof accessToken !== "string" || typeof expiresIn !== "number" || !(expiresIn > 0)) return undefined;
    return { accessToken, lifetimeMs: expiresIn * 1_000 };
  } catch {
    return undefined;
  }
}
