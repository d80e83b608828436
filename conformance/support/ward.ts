/**
 * The ward of the drills: a hub whose credentials end while its connections live, what happens on it counted, and the
 * people who connect to it. On the fake clock time passes when a drill says so, on the real one by itself.
 */

import type { HubConnection } from "@microsoft/signalr";
import { hasRole, type HubwardOptions, type TelemetryEvent } from "@hubward/server";
import { issuers } from "@hubward/server/jose";
import type { Authenticator, Clock, EpochMs, MonotonicMs } from "@hubward/server/ports";
import { formatReason, HubwardError, isReasonName, type Notice } from "@hubward/wire";
import type { TestContext } from "vitest";
import { Recorder } from "../../tests/support/recorder.js";
import { text, wholeNumber, word } from "../../tests/support/schemas.js";
import { createIssuer, type TestIssuer, type TokenOptions } from "../../tests/support/tokens.js";
import { createSignIn, SIGN_IN, type Browser } from "./sign-in.js";
import type { StockClient } from "./stock-clients.js";
import { createWorld, type Party, type World } from "./world.js";

export const TOKEN_EXPIRED = "token_expired;action=refresh";

export interface Visitor extends Party {
  readonly client: StockClient;
  /** Readings that arrived. */
  readonly vitals: Recorder<number>;
  readonly notices: Recorder<Notice>;
  /** What its token factory gives from now on. */
  present: () => string | Promise<string>;
  /** What a call comes to: its value, or the text of its failure behind the client's own words. */
  try(method: string, ...args: readonly unknown[]): Promise<unknown>;
  /** Brings a later token: in band, or to the hub's `/refresh` where the times say so. The same comes of both. */
  reauthenticate(token: string | Promise<string>): Promise<unknown>;
}

export interface Ward extends Pick<World, "app" | "telemetry" | "open"> {
  /** Roles that hold whatever a token says, by subject. Whoever changes it has it rechecked. */
  readonly directory: Map<string, readonly string[]>;
  readonly issuer: TestIssuer;
  /** Orders that took effect. */
  readonly effects: string[];
  /** Items of `Monitor` that were made. */
  readonly made: Recorder<number>;
  /** Told to the members of `icu`. */
  tell(reading: number): void;
  /** From now on nobody can say whether a credential is good. */
  provider: "up" | "down";
  token(options?: TokenOptions, subject?: string): Promise<string>;
  /** Somebody signs in with a browser; its tokens are of a login session, which logging out ends. */
  signIn(subject: string): Promise<Browser>;
  /** A connection that watches `icu`. With a browser's token, or with those that a provider issues on demand. */
  admit(client: StockClient, credential?: TokenOptions | (() => string)): Promise<Visitor>;
  /** On the fake clock; the real one needs no help. */
  pass(visitor: Visitor, seconds: number): Promise<void>;
  opened(): number;
  refusals(): readonly string[];
}

export interface WardPeople {
  /** The tenant of everybody, and of the ward. Default none. */
  readonly tenant?: string | undefined;
  /** Of the tokens of login sessions. Default 300. */
  readonly accessTokenSeconds?: number | undefined;
}

export interface WardTimes {
  readonly isReal: boolean;
  /** Of each token. Seconds. */
  readonly lifetime: number;
  readonly graceMs: number;
  /** How later tokens are brought. Default in band. */
  readonly renewal?: "in band" | "refresh endpoint" | undefined;
  /** The test's own, where tests run side by side. */
  readonly onTestFinished?: TestContext["onTestFinished"] | undefined;
}

export const fakeTime: WardTimes = { isReal: false, lifetime: 20, graceMs: 10_000 };
export const realTime: WardTimes = { isReal: true, lifetime: 3, graceMs: 4_000 };

/** The time of day without `Date`, which a drill may set wrong for the client. */
const serverClock: Clock = {
  now: () => Math.round(performance.timeOrigin + performance.now()) as EpochMs,
  monotonic: () => performance.now() as MonotonicMs,
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  endOfTurn: (run) => void setImmediate(run),
};

type WardEvents = { vitals: [reading: number] };

export async function createWard(
  { isReal, lifetime, graceMs, renewal = "in band", onTestFinished }: WardTimes = fakeTime,
  options: Partial<HubwardOptions> = {},
  { tenant, accessTokenSeconds = 300 }: WardPeople = {},
): Promise<Ward> {
  const directory = new Map<string, readonly string[]>();
  let provider: Ward["provider"] = "up";
  const verifying: { by?: Authenticator } = {};
  const authenticator: Authenticator = {
    authenticate(credential) {
      if (provider === "down") throw new HubwardError("auth_unavailable", { retryAfterSeconds: 2 });
      return (verifying.by as Authenticator).authenticate(credential);
    },
  };
  const world = await createWorld(
    {
      authenticator,
      principal: ({ subject, claims }) => ({
        roles: directory.get(subject) ?? (claims["roles"] as readonly string[] | undefined) ?? [],
      }),
      authenticationRefresh: true,
      graceMs,
      // Time that passes at one stroke gives nobody a chance to answer meanwhile.
      clientTimeoutMs: 3_600_000,
      keepAliveMs: 3_600_000,
      outbox: { maxLagMs: 3_600_000 },
      ...(isReal ? { clock: serverClock } : {}),
      ...options,
    },
    {},
    onTestFinished,
  );
  const { app, clock, telemetry } = world;
  const time = isReal ? serverClock : clock;
  const issuer = await createIssuer(time, { tenantClaim: tenant === undefined ? undefined : "tid" });
  const { authenticator: signedIn, browser } = await createSignIn({
    clock: time,
    accessTokenSeconds,
    onEnded: ({ sessionId }) => app.revoke({ session: sessionId, issuer: SIGN_IN }),
  });
  verifying.by = issuers(issuer.authenticator, signedIn);

  const effects: string[] = [];
  const gates = new Map<string, () => void>();
  const made = new Recorder<number>();
  const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.hasRole(`ward-${ward}`));
  const ward = app.group("ward/{ward}", { ward: word }).allow(ownWard, (values) => values.ward);
  const staff = app.policy("WardStaff", ({ principal }) => principal.roles.length > 0);
  const bedside = app.policy("Bedside", hasRole("ward-icu"));
  app
    .hub<WardEvents>("/hubs/ward")
    .allow(staff)
    .methods((m) => ({
      Watch: m.args(text).handle((call, name) => call.groups.join(ward({ ward: name }))),
      Who: m.handle(({ principal }) => principal.subject),
      Roles: m.handle(({ principal }) => principal.roles),
      Order: m
        .args(text)
        .allow(bedside)
        .once((id) => id)
        .handle((_call, id) => {
          effects.push(id);
          return `ordered ${id}`;
        }),
      /** Takes effect at once and answers when the gate of its name opens. */
      OrderSlowly: m
        .args(text)
        .allow(bedside)
        .once((id) => id)
        .handle(async (_call, id) => {
          effects.push(id);
          await new Promise<void>((resolve) => gates.set(id, resolve));
          return `ordered ${id}`;
        }),
      Monitor: m
        .args(wholeNumber)
        .allow(bedside)
        .stream(async function* (call, from) {
          for (let reading = from; !call.signal.aborted; reading++) {
            made.push(reading);
            yield reading;
            await new Promise((resolve) => setImmediate(resolve));
          }
        }),
    }));
  const url = `http://127.0.0.1:${world.port}/hubs/ward`;
  const claims = tenant === undefined ? {} : { tid: tenant };
  const token: Ward["token"] = (tokenOptions, subject = "ada") =>
    issuer.token(subject, { roles: ["ward-icu"], lifetime, claims, ...tokenOptions });

  return {
    app,
    directory,
    telemetry,
    issuer,
    effects,
    made,
    open: (name) => gates.get(name)?.(),
    tell: (reading) =>
      (tenant === undefined ? app : app.tenant(tenant)).to(ward({ ward: "icu" })).emit("vitals", reading),
    get provider() {
      return provider;
    },
    set provider(next) {
      provider = next;
    },
    token,
    signIn: browser,
    async admit(client, credential) {
      const present = typeof credential === "function" ? credential : () => token(credential);
      const holder: { present: Visitor["present"] } = { present };
      const party = world.build(
        client,
        { accessTokenFactory: () => holder.present(), reconnectDelays: Array<number>(400).fill(20) },
        url,
      );
      const { connection } = party;
      const vitals = new Recorder<number>();
      const notices = new Recorder<Notice>();
      connection.on("vitals", vitals.push);
      connection.on("hubward.notice", notices.push);
      const attempt: Visitor["try"] = (method, ...args) =>
        connection.invoke(method, ...args).catch((error: unknown) => (error as Error).message);
      await connection.start();
      await connection.invoke("Watch", "icu");
      return {
        ...party,
        client,
        vitals,
        notices,
        get present() {
          return holder.present;
        },
        set present(next) {
          holder.present = next;
        },
        try: attempt,
        reauthenticate: async (next) =>
          renewal === "in band"
            ? attempt("hubward.reauthenticate", await next)
            : refresh(`${url}/refresh?id=${connectionTokenOf(connection)}`, await next),
      };
    },
    async pass({ client }, seconds) {
      if (isReal) return;
      for (let passed = 0; passed < seconds; passed++) {
        await world.polled(client);
        clock.advance(1_000);
        // A ping that was due goes there and its answer comes back.
        for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve));
      }
    },
    opened: () => telemetry.items.filter(({ event }) => event === "connection.opened").length,
    refusals: () =>
      telemetry.items.flatMap((event: TelemetryEvent) =>
        event.event === "reauthentication.refused" ? [event.reason] : [],
      ),
  };
}

/** `POST {hub}/refresh`, as .NET 11's client does it; what comes of it in the words of the call in band. */
async function refresh(url: string, token: string): Promise<unknown> {
  const reply = await fetch(url, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  const body = (await reply.json()) as { readonly tokenLifetimeSeconds?: number; readonly error?: string };
  if (reply.status === 200) return { expiresInSeconds: body.tokenLifetimeSeconds };
  const [name = ""] = String(body.error).split(";");
  return body.error === name && isReasonName(name) ? formatReason(name) : body.error;
}

/** What stands as `id` in the URLs of its transport. Stock clients do not tell it. */
function connectionTokenOf(connection: HubConnection): string {
  const { transport } = (connection as unknown as { readonly connection: { readonly transport: StockTransport } })
    .connection;
  const token = new URL(transport._webSocket?.url ?? transport._url ?? "").searchParams.get("id");
  if (token === null) throw new TypeError("a transport without an id in its URL");
  return token;
}

interface StockTransport {
  readonly _url?: string;
  readonly _webSocket?: { readonly url: string };
}
