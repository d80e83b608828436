/** Sessions under test: a clock set by hand, a store that fails on demand, and browsers with a cookie jar. */

import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { createMemorySessionStore } from "../src/memory-session-store.js";
import { importRefreshKey } from "../src/refresh-token.js";
import type { SessionEnded } from "../src/session-life.js";
import type { SessionStore } from "../src/session-store.js";
import { createSessions, type Login, type Sessions } from "../src/sessions.js";
import type { SessionsOptions } from "../src/sessions-options.js";
import { generateSigningKey, type SigningKey } from "../src/signing-key.js";

export const origin = "https://ward.example";
export const T = 1_700_000_000_000;

export interface Fixture {
  readonly sessions: Sessions;
  readonly clock: { at: number; now(): number };
  readonly store: SessionStore;
  readonly signingKey: SigningKey;
  readonly ended: SessionEnded[];
  readonly failures: unknown[];
  /** The next calls of the store reject with this, until it is undefined again. */
  storeError: Error | undefined;
}

export async function createFixture(options: Partial<SessionsOptions> = {}): Promise<Fixture> {
  const clock = {
    at: T,
    now() {
      return this.at;
    },
  };
  const inner = options.store ?? createMemorySessionStore({ clock });
  const ended: SessionEnded[] = [];
  const failures: unknown[] = [];
  const signingKey = options.signingKey ?? (await generateSigningKey());
  const fail = (): void => {
    if (fixture.storeError !== undefined) throw fixture.storeError;
  };
  const store: SessionStore = {
    async create(session) {
      fail();
      await inner.create(session);
    },
    async read(sessionId) {
      fail();
      return await inner.read(sessionId);
    },
    async listOpen(holder, now, limit) {
      fail();
      return await inner.listOpen(holder, now, limit);
    },
    async compareAndSet(expectedRevision, next, mayCommit) {
      fail();
      return await inner.compareAndSet(expectedRevision, next, mayCommit);
    },
  };
  const sessions = createSessions({
    issuer: "https://ward.example/auth",
    audience: "clinic",
    publicOrigin: origin,
    refreshKey: importRefreshKey(randomBytes(32)),
    onEnded: (end) => void ended.push(end),
    onFailure: (cause) => void failures.push(cause),
    clock,
    ...options,
    signingKey,
    store,
  });
  const fixture: Fixture = { sessions, clock, store, signingKey, ended, failures, storeError: undefined };
  return fixture;
}

export function post(path: string, headers: Readonly<Record<string, string>> = {}): Request {
  return new Request(`${origin}${path}`, { method: "POST", headers });
}

export function loginRequest(headers: Readonly<Record<string, string>> = {}): Request {
  return post("/auth/login", { "content-type": "application/json", origin, ...headers });
}

/** A refresh or logout as a browser at `origin` sends it. */
export function withCookie(cookie: string | undefined, headers: Readonly<Record<string, string>> = {}): Request {
  return post("/auth/refresh", { origin, ...(cookie === undefined ? {} : { cookie }), ...headers });
}

export async function signIn(sessions: Sessions, login: Partial<Login> = {}): Promise<string> {
  const response = await sessions.start({ subject: "nurse-7", request: loginRequest(), ...login });
  if (response.status !== 200) throw new Error(`not signed in: ${response.status}`);
  return cookieOf(response);
}

/** `name=value` of the only Set-Cookie. */
export function cookieOf(response: Response): string {
  const [line, ...others] = response.headers.getSetCookie();
  if (line === undefined || others.length > 0) throw new Error("not exactly one Set-Cookie");
  return line.split(";", 1)[0] ?? "";
}

/** Session id and generation of a refresh cookie, which its text shows. */
export function tokenOf(cookie: string): { sessionId: string; generation: number } {
  const [sessionId, generation] = cookie.slice(cookie.indexOf("=") + 1).split(".");
  return { sessionId: sessionId ?? "", generation: Number(generation) };
}

export async function accessTokenOf(response: Response): Promise<string> {
  return ((await response.json()) as { access_token: string }).access_token;
}

export async function errorOf(response: Response): Promise<unknown> {
  return ((await response.json()) as { error: unknown }).error;
}

/** The Set-Cookie line that makes a browser forget the cookie. */
export const cleared = "__Secure-hubward-refresh=; Max-Age=0; Path=/auth; HttpOnly; SameSite=Strict; Secure";

/** A refusal as it must be: this status, this body, not cached, and the cookie cleared with 401 only. */
export async function expectRefusal(response: Response, status: number, error: string): Promise<void> {
  expect({ status: response.status, error: await errorOf(response) }).toEqual({ status, error });
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.getSetCookie()).toEqual(status === 401 ? [cleared] : []);
}

export async function expectAlive(sessions: Sessions, cookie: string): Promise<void> {
  expect((await sessions.refresh(withCookie(cookie))).status).toBe(200);
}
