import { describe, expect, it } from "vitest";
import { createAuthApi } from "./auth-api.js";
import { pause } from "./clock.js";
import { createFakeClock, type FakeClock, settle } from "./fake-clock.js";
import { createSession, type Session, sessionLimits } from "./session.js";

/** A server that answers each request with the next of the answers given; the last one repeats. */
interface Server {
  readonly requests: string[];
  answer(...answers: readonly Answer[]): void;
}

type Answer =
  | {
      readonly status: number;
      readonly body?: unknown;
      readonly retryAfter?: string;
      /** How long the answer takes. */
      readonly delayMs?: number;
    }
  | "no network"
  | "never";

const granted = (token: string, seconds = 300, delayMs = 0): Answer => ({
  delayMs,
  status: 200,
  body: { access_token: token, token_type: "Bearer", expires_in: seconds },
});
const unavailable: Answer = { status: 503, body: { error: "auth_unavailable;action=retry-after" } };
const superseded: Answer = { status: 409, body: { error: "refresh_superseded" } };
const ended: Answer = { status: 401, body: { error: "session_revoked;action=relogin" } };

function open(random = 0): { clock: FakeClock; session: Session; server: Server } {
  const clock = createFakeClock();
  const requests: string[] = [];
  let queue: readonly Answer[] = [];
  const auth = createAuthApi((path, init) => {
    requests.push(`${init.method ?? "GET"} ${path}`);
    const next = queue[0] ?? ended;
    if (queue.length > 1) queue = queue.slice(1);
    if (next === "no network") return Promise.reject(new TypeError("Failed to fetch"));
    if (next === "never") return new Promise<never>(() => undefined);
    const headers = next.retryAfter === undefined ? {} : { "Retry-After": next.retryAfter };
    const body = next.body === undefined ? null : JSON.stringify(next.body);
    const response = new Response(body, { status: next.status, headers });
    return next.delayMs ? pause(clock, next.delayMs).then(() => response) : Promise.resolve(response);
  });
  const session = createSession({ clock, auth, random: () => random });
  return {
    clock,
    session,
    server: {
      requests,
      answer: (...answers) => {
        queue = answers;
      },
    },
  };
}

async function openSignedIn(seconds = 300, random = 0) {
  const opened = open(random);
  opened.server.answer(granted("first", seconds));
  await opened.session.signIn("doctor-icu", "demo");
  return opened;
}

const refreshes = (server: Server): number => server.requests.filter((line) => line === "POST /auth/refresh").length;

describe("opening the page", () => {
  it("restores the session the cookie holds", async () => {
    const { session, server } = open();
    server.answer(granted("restored"));
    await session.restore();
    expect(session.state.value).toEqual({ phase: "active", outage: undefined });
    expect(await session.token()).toBe("restored");
    expect(refreshes(server)).toBe(1);
  });

  it("asks for a sign-in, without blame, where there is no session", async () => {
    const { session, server } = open();
    server.answer({ status: 401 });
    await session.restore();
    expect(session.state.value).toEqual({ phase: "signed-out", because: undefined });
  });

  it("keeps trying while the service is down, and signs nobody out for it", async () => {
    const { clock, session, server } = open();
    server.answer("no network", unavailable, granted("restored"));
    await session.restore();
    expect(session.state.value).toMatchObject({
      phase: "restoring",
      outage: { failure: { condition: "unavailable" } },
    });
    await clock.advance(sessionLimits.firstBackoffMs);
    expect(session.state.value.phase).toBe("restoring");
    await clock.advance(sessionLimits.firstBackoffMs * 2);
    expect(session.state.value.phase).toBe("active");
  });
});

describe("signing in", () => {
  it("tells a wrong password from a server that does not answer", async () => {
    const { session, server } = open();
    server.answer({ status: 401, body: { error: "invalid_credentials" } });
    expect(await session.signIn("x", "y")).toMatchObject({ kind: "refused", failure: { text: "invalid_credentials" } });
    server.answer("no network");
    expect(await session.signIn("x", "y")).toMatchObject({ kind: "unavailable" });
    server.answer({ status: 429, body: { error: "rate_limited;action=retry-after" }, retryAfter: "30" });
    expect(await session.signIn("x", "y")).toMatchObject({ kind: "unavailable", failure: { retryAfterSeconds: 30 } });
  });

  it("counts the token's life from the request, so that a slow answer never makes it look longer", async () => {
    const { clock, session, server } = open();
    const askedAt = clock.now();
    server.answer(granted("slow", 300, 4_000));
    const signedIn = session.signIn("doctor-icu", "demo");
    await clock.advance(4_000);
    await signedIn;
    expect(session.credential.value).toEqual({ expiresAt: askedAt + 300_000, lifetimeMs: 300_000 });
  });
});

describe("a token", () => {
  it("is handed out as it is while it has life left", async () => {
    const { clock, session, server } = await openSignedIn(300);
    await clock.advance(200_000);
    expect(await session.token()).toBe("first");
    expect(refreshes(server)).toBe(0);
  });

  it("is renewed by itself before its end, and once", async () => {
    const { clock, session, server } = await openSignedIn(300);
    server.answer(granted("second"));
    await clock.advance(300_000 - sessionLimits.maxLeadMs);
    expect(refreshes(server)).toBe(0); // the random share brings the moment closer to the end, never further away
    await clock.advance(sessionLimits.maxLeadMs);
    expect(refreshes(server)).toBe(1);
    expect(await session.token()).toBe("second");
  });

  it("is renewed at different moments in different pages", async () => {
    const early = await openSignedIn(300, 0.999);
    const late = await openSignedIn(300, 0);
    early.server.answer(granted("second"));
    late.server.answer(granted("second"));
    await early.clock.advance(260_000);
    await late.clock.advance(260_000);
    expect([refreshes(early.server), refreshes(late.server)]).toEqual([1, 0]);
  });

  it("is never handed out with less life than the server accepts, however short it lives", async () => {
    for (const seconds of [5, 20, 60, 300, 3_600]) {
      for (const random of [0, 0.999]) {
        const { clock, session, server } = await openSignedIn(seconds, random);
        server.answer("never");
        const floorMs = Math.min(sessionLimits.minUsableMs, seconds * 1_000 * sessionLimits.minUsableShare);
        // Its end is a whole second of the server's, and may come one sooner than the page reckons.
        await clock.advance((seconds - 1) * 1_000 - floorMs);
        let answer: string | undefined;
        void session.token().then((token) => (answer = token));
        await settle();
        expect(answer, `${seconds} s`).toBeUndefined();
      }
    }
  });

  it("asked for by many at once is refreshed once", async () => {
    const { session, server } = await openSignedIn();
    session.reject("first");
    server.answer(granted("second"));
    const tokens = await Promise.all([session.token(), session.token(), session.token()]);
    expect(tokens).toEqual(["second", "second", "second"]);
    expect(refreshes(server)).toBe(1);
  });

  it("that the server did not accept is replaced, but a newer one is not thrown away for it", async () => {
    const { session, server } = await openSignedIn();
    session.reject("first");
    server.answer(granted("second"));
    expect(await session.token()).toBe("second");
    session.reject("first");
    expect(await session.token()).toBe("second");
    expect(refreshes(server)).toBe(1);
  });
});

describe("a refresh that fails for now", () => {
  it("keeps the session, hands out the old token while it is good, and tries again with growing waits", async () => {
    const { clock, session, server } = await openSignedIn(300);
    server.answer(unavailable, unavailable, granted("second"));
    await clock.advance(300_000 - sessionLimits.maxLeadMs * 0.75);
    expect(session.state.value).toMatchObject({ phase: "active", outage: { failure: { name: "auth_unavailable" } } });
    await clock.advance(sessionLimits.firstBackoffMs - 1);
    expect(refreshes(server)).toBe(1);
    await clock.advance(1);
    expect(refreshes(server)).toBe(2);
    await clock.advance(sessionLimits.firstBackoffMs * 2);
    expect(refreshes(server)).toBe(3);
    expect(session.state.value).toEqual({ phase: "active", outage: undefined });
    expect(await session.token()).toBe("second");
  });

  it("is reported as an outage, never as a sign-out, once the old token is used up", async () => {
    const { session, server } = await openSignedIn();
    session.reject("first");
    server.answer("no network");
    await expect(session.token()).rejects.toThrow(/^auth_unavailable;action=retry-after$/);
    expect(session.state.value.phase).toBe("active");
  });

  it("waits as long as the server asks", async () => {
    const { clock, session, server } = await openSignedIn();
    session.reject("first");
    server.answer(
      { status: 503, body: { error: "auth_unavailable;action=retry-after;retry_after=20" } },
      granted("second"),
    );
    await expect(session.token()).rejects.toThrow("auth_unavailable");
    await clock.advance(19_999);
    expect(refreshes(server)).toBe(1);
    await clock.advance(1);
    expect(refreshes(server)).toBe(2);
  });

  it("for hours never asks more often than once a minute", async () => {
    const { clock, session, server } = await openSignedIn();
    session.reject("first");
    server.answer(unavailable);
    await expect(session.token()).rejects.toThrow("auth_unavailable");
    await clock.advance(600_000);
    const before = refreshes(server);
    await clock.advance(3_600_000);
    expect(refreshes(server) - before).toBeLessThanOrEqual(60);
    expect(clock.armed).toBe(1);
  });
});

describe("another tab", () => {
  it("that has just refreshed is waited for, and the session goes on", async () => {
    const { clock, session, server } = await openSignedIn();
    session.reject("first");
    server.answer(superseded, superseded, granted("second"));
    const token = session.token();
    await clock.advance(2_000);
    expect(await token).toBe("second");
    expect(refreshes(server)).toBe(3);
    expect(session.state.value.phase).toBe("active");
  });

  it("that keeps refreshing is given up on for a while, without signing out", async () => {
    const { clock, session, server } = await openSignedIn();
    session.reject("first");
    server.answer(superseded);
    const token = session.token().catch((error: unknown) => error);
    await clock.advance(1_500);
    expect(await token).toMatchObject({ message: "auth_unavailable;action=retry-after" });
    expect(refreshes(server)).toBe(sessionLimits.maxSupersededTries);
    expect(session.state.value.phase).toBe("active");
  });
});

describe("the end of a session", () => {
  it("is the server's word on a refresh: sign in again", async () => {
    const { session, server } = await openSignedIn();
    session.reject("first");
    server.answer(ended);
    await expect(session.token()).rejects.toThrow("session_revoked;action=relogin");
    expect(session.state.value).toMatchObject({ phase: "signed-out", because: { condition: "relogin" } });
  });

  it("leaves no token, no timer and no way back", async () => {
    const { clock, session, server } = await openSignedIn();
    server.answer({ status: 204 });
    expect(await session.signOut()).toBe(true);
    expect(clock.armed).toBe(0);
    expect(session.credential.value).toBeUndefined();
    await expect(session.token()).rejects.toThrow("session_revoked;action=relogin");
    expect(server.requests.at(-1)).toBe("POST /auth/logout");
  });

  it("says so when the server could not be told", async () => {
    const { session, server } = await openSignedIn();
    server.answer("no network");
    expect(await session.signOut()).toBe(false);
    expect(session.state.value).toEqual({ phase: "signed-out", because: undefined });
  });

  it("makes a refresh that is still under way void", async () => {
    const { clock, session, server } = await openSignedIn();
    session.reject("first");
    server.answer(superseded, granted("late"));
    const token = session.token().catch((error: unknown) => error);
    await settle();
    await session.signOut();
    await clock.advance(5_000);
    expect(await token).toMatchObject({ message: "session_revoked;action=relogin" });
    expect(session.state.value.phase).toBe("signed-out");
    expect(session.credential.value).toBeUndefined();
  });
});
