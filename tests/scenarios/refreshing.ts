/** A ward whose hub takes later credentials, its connections by hand, and the requests to `/refresh` beside them. */

import type { OutgoingHttpHeaders } from "node:http";
import type { Principal } from "@hubward/server";
import { createSeededRandom } from "@hubward/testing";
import { onTestFinished } from "vitest";
import { openWebSocket, type RawWebSocket } from "../support/raw-web-socket.js";
import { runApp, type RunningApp, type RunOptions } from "../support/running-app.js";
import { ask, bearer, type PlainReply } from "../support/server.js";
import type { TokenOptions } from "../support/tokens.js";

export const HUB = "/hubs/ward";

export interface Negotiated {
  readonly id: string;
  readonly ticket: string | undefined;
  readonly reply: Readonly<Record<string, unknown>>;
}

export interface Live extends Negotiated {
  readonly socket: RawWebSocket;
  /** What a call of its own is answered with: subject and roles of whoever it speaks for, and how long yet. */
  who(): Promise<unknown>;
}

export interface RefreshOptions {
  readonly method?: string | undefined;
  readonly query?: string | undefined;
  readonly headers?: OutgoingHttpHeaders | undefined;
}

export interface Ward extends RunningApp<Principal> {
  negotiate(token: string, query?: string, headers?: OutgoingHttpHeaders): Promise<Negotiated>;
  /** Negotiated and open, with the ticket where one was given. */
  enter(subject: string, options?: TokenOptions): Promise<Live>;
  enterWith(token: string, query?: string): Promise<Live>;
  /** `token`: null for none. */
  refresh(id: string | null, token: string | null, options?: RefreshOptions): Promise<PlainReply>;
  /** Told to those who watch; whoever has the role `icu` may. */
  tell(reading: number): void;
  token(subject?: string, options?: TokenOptions): Promise<string>;
  /** `connection.reauthenticated` and `reauthentication.refused`, in order, in short. */
  outcomes(): readonly string[];
}

/** `visitor` among the roles is not let in; whoever has the role `unmapped` is unknown to the directory. */
export async function runWard(options: RunOptions = {}): Promise<Ward> {
  let calls = 0;
  let tell: Ward["tell"] = () => undefined;
  const running = await runApp(
    ({ claims }) => {
      const roles = (claims["roles"] as readonly string[] | undefined) ?? [];
      return roles.includes("unmapped") ? null : { roles };
    },
    (app) => {
      const icuStaff = app.policy("IcuStaff", ({ principal }) => principal.hasRole("icu"));
      const icu = app.group("icu", {}).allow(icuStaff);
      tell = (reading) => app.to(icu()).emit("vitals", reading);
      app
        .hub<{ vitals: [reading: number] }>(HUB)
        .allow(app.policy("Staff", ({ principal }) => !principal.hasRole("visitor")))
        .methods((m) => ({
          Watch: m.handle((call) => call.groups.join(icu())),
          Who: m.handle(({ principal, expiresInSeconds }) => ({
            subject: principal.subject,
            roles: principal.roles,
            expiresInSeconds,
          })),
        }));
    },
    {
      authenticationRefresh: true,
      clientTimeoutMs: 3_600_000,
      keepAliveMs: 3_600_000,
      // Time that passes at one stroke gives nobody a chance to answer meanwhile.
      outbox: { maxLagMs: 3_600_000 },
      random: createSeededRandom(11),
      ...options,
    },
  );
  const { issuer, port, telemetry } = running;

  const negotiate: Ward["negotiate"] = async (token, query = "negotiateVersion=1", headers = {}) => {
    const path = `${HUB}/negotiate?${query}`;
    const { status, body } = await ask(port, { method: "POST", path, headers: { ...bearer(token), ...headers } });
    if (status !== 200) throw new Error(`negotiate was refused: ${status} ${body}`);
    const reply = JSON.parse(body) as Readonly<Record<string, string | undefined>>;
    return { id: reply["connectionToken"] ?? reply["connectionId"] ?? "", ticket: reply["accessToken"], reply };
  };
  const enterWith: Ward["enterWith"] = async (token, query) => {
    const negotiated = await negotiate(token, query);
    const { id, ticket } = negotiated;
    const socket = await openWebSocket({ port, path: `${HUB}?id=${id}`, headers: bearer(ticket ?? token) });
    onTestFinished(() => void socket.socket.resetAndDestroy());
    await socket.shakeHands();
    return {
      ...negotiated,
      socket,
      async who() {
        const { result, error } = await socket.invoke(`who-${++calls}`, "Who");
        return result ?? error;
      },
    };
  };
  return {
    ...running,
    tell: (reading) => tell(reading),
    negotiate,
    token: (subject = "ada", tokenOptions) => issuer.token(subject, tokenOptions),
    enterWith,
    enter: async (subject, tokenOptions) => enterWith(await issuer.token(subject, tokenOptions)),
    refresh(id, token, { method = "POST", query = id === null ? "" : `id=${id}`, headers = {} } = {}) {
      const credential = token === null ? {} : bearer(token);
      return ask(port, { method, path: `${HUB}/refresh?${query}`, headers: { ...credential, ...headers } });
    },
    outcomes: () =>
      telemetry.items.flatMap((event) => {
        if (event.event === "connection.reauthenticated")
          return [`taken ${event.subject} ${event.sessionId ?? ""}`.trimEnd()];
        return event.event === "reauthentication.refused" ? [event.reason] : [];
      }),
  };
}

/** `200 {"tokenLifetimeSeconds":287}`, `401 {"error":"invalid_token"}`. */
export function short({ status, body }: PlainReply): string {
  return `${status} ${body}`.trimEnd();
}

export function lifetimeIn({ body }: PlainReply): number {
  return (JSON.parse(body) as { readonly tokenLifetimeSeconds: number }).tokenLifetimeSeconds;
}
