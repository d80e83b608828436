/** Real login sessions for the drills: browsers that keep a refresh cookie, which all their tabs share. */

import { jwt, localJwks } from "@hubward/server/jose";
import type { Clock } from "@hubward/server/ports";
import {
  createMemorySessionStore,
  createSessions,
  deriveRefreshKey,
  generateSigningKey,
  type SessionEnded,
} from "@hubward/sessions";
import { AUDIENCE } from "../../tests/support/tokens.js";

/** Who issues the tokens of login sessions. */
export const SIGN_IN = "https://sign-in.hubward.test/";
const PAGE = "https://ward.hubward.test";

export interface SignIn {
  readonly authenticator: ReturnType<typeof jwt>;
  /** Somebody signs in, in a browser that had nobody. */
  browser(subject: string): Promise<Browser>;
}

export interface Browser {
  /** The access token that signing in, or the last refresh, brought. */
  readonly token: string;
  /** Spends the cookie: `200`, or the status and what is said of it. */
  refresh(): Promise<string>;
  /** Ends the session of the cookie. The status. */
  logOut(): Promise<number>;
}

export interface SignInOptions {
  readonly clock: Clock;
  readonly accessTokenSeconds: number;
  readonly onEnded: (ended: SessionEnded) => Promise<unknown>;
}

export async function createSignIn({ clock, accessTokenSeconds, onEnded }: SignInOptions): Promise<SignIn> {
  const sessions = createSessions({
    issuer: SIGN_IN,
    audience: AUDIENCE,
    publicOrigin: PAGE,
    signingKey: await generateSigningKey(),
    refreshKey: deriveRefreshKey("a secret of the drills, and of nobody else"),
    store: createMemorySessionStore({ clock }),
    accessTokenSeconds,
    clock,
    onEnded: async (ended) => void (await onEnded(ended)),
  });
  const request = (path: string, headers: Record<string, string> = {}): Request =>
    new Request(`${PAGE}/auth/${path}`, { method: "POST", headers: { origin: PAGE, ...headers } });

  return {
    authenticator: jwt({ issuer: SIGN_IN, audience: AUDIENCE, keys: localJwks(sessions.jwks()), clock }),
    async browser(subject) {
      let token = "";
      let cookie = "";
      const keepCookie = ({ headers }: Response): void => {
        const [pair = "", maxAge = ""] = headers.get("set-cookie")?.split("; ") ?? [];
        // A browser that is told to forget a cookie sends none.
        if (pair !== "") cookie = maxAge === "Max-Age=0" ? "" : pair;
      };
      const keep = async (reply: Response): Promise<string> => {
        keepCookie(reply);
        const body = (await reply.json()) as { readonly access_token?: string; readonly error?: string };
        token = body.access_token ?? token;
        return reply.status === 200 ? "200" : `${reply.status} ${body.error ?? ""}`;
      };
      const login = request("login", { "content-type": "application/json" });
      await keep(await sessions.start({ subject, claims: { roles: ["ward-icu"] }, request: login }));
      return {
        get token() {
          return token;
        },
        refresh: async () => keep(await sessions.refresh(request("refresh", { cookie }))),
        async logOut() {
          const reply = await sessions.logout(request("logout", { cookie }));
          keepCookie(reply);
          return reply.status;
        },
      };
    },
  };
}
