import { recordingTelemetry, testAuthentication, type TestAuthenticationOptions } from "@hubward/testing";
import { HubwardError, type ReasonName } from "@hubward/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFixture, times, type Peer, type Staff } from "../../../test/connection-fixture.js";
import {
  allowAll,
  deferred,
  groupOf,
  policy,
  requirement,
  template,
  type Deferred,
} from "../../../test/hub-fixture.js";
import { createAdmitter } from "../admission/admission.js";
import type { Authentication } from "../auth/authentication.js";
import type { Credential } from "../auth/credential.js";
import type { Requirement } from "../auth/policy.js";
import { Secret } from "../auth/secret.js";
import { readInstant } from "../clock.js";
import { patient } from "../../../test/policy-watch.js";
import { createReassessment } from "./reassessment.js";
import { createReauthentication, toldSeconds, type Renewal } from "./reauthentication.js";

const LIVES_MS = 60_000;

interface BenchOptions {
  readonly fraction?: number;
  readonly requirements?: readonly Requirement<Staff>[];
  readonly mapping?: (authentication: Authentication) => Promise<object | null> | object | null;
  readonly principalId?: string | ((subject: string) => string);
}

function createBench({ fraction = 0, requirements = [], mapping = () => ({}), principalId }: BenchOptions = {}) {
  const fixture = createFixture();
  const { clock, groups } = fixture;
  const { telemetry, of } = recordingTelemetry();
  /** What the verifier makes of each token. */
  const verdicts = new Map<string, () => Authentication | Promise<Authentication>>();
  let verified = 0;
  const admitter = createAdmitter<{ readonly department: string | null }>({
    revocations: { assertWelcome: () => undefined, refusal: () => undefined },
    authenticator: {
      authenticate(credential) {
        verified++;
        const token = credential.kind === "bearer" ? credential.token.reveal() : "";
        const verdict = verdicts.get(token);
        if (verdict === undefined) throw new HubwardError("invalid_token");
        return verdict();
      },
    },
    mapping: async (authentication) => {
      const attributes = await mapping(authentication);
      return attributes && { roles: ["nurse"], department: null, ...attributes };
    },
    principalId: ({ principal }) =>
      typeof principalId === "function" ? principalId(principal.subject) : (principalId ?? principal.subject),
    onFailure: (where, error) => void fixture.failures.push([where, error]),
    deadline: patient,
  });
  const reauthenticate = createReauthentication<Staff>({
    admitter,
    clock,
    random: { fraction: () => fraction },
    telemetry,
    reassess: createReassessment<Staff>({ clock, groups, telemetry }),
    requirementsOf: () => requirements,
    isOutdated: () => false,
  });
  let tokens = 0;

  function tokenFor(make: () => Authentication | Promise<Authentication>): Credential {
    const token = `token-${++tokens}`;
    verdicts.set(token, make);
    return { kind: "bearer", token: new Secret(token), source: "header" };
  }

  return {
    ...fixture,
    of,
    verified: () => verified,
    reauthenticate,
    arrive: (options: TestAuthenticationOptions & { readonly livesMs?: number } = {}) =>
      fixture.connect({ livesMs: LIVES_MS, issuedAt: clock.now(), ...options }),
    tokenFor,
    /** Brings a credential that lives so long from now. */
    bring(peer: Peer, livesMs: number, options: TestAuthenticationOptions = {}): Promise<Renewal> {
      const authentication = testAuthentication({
        issuedAt: clock.now(),
        expiresAt: clock.now() + livesMs,
        ...options,
      });
      return reauthenticate(
        peer.connection,
        tokenFor(() => authentication),
      );
    },
    bringRefused: (peer: Peer, reason: ReasonName) =>
      reauthenticate(
        peer.connection,
        tokenFor(() => Promise.reject(new HubwardError(reason))),
      ),
  };
}

async function outcome(renewing: Promise<Renewal>): Promise<number | string> {
  return renewing.then(
    ({ expiresInSeconds }) => expiresInSeconds,
    (error: unknown) => (error instanceof HubwardError ? error.reason : String(error)),
  );
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a new credential for a live connection", () => {
  it("takes the present one's place, whole, and is answered with the time it has", async () => {
    const bench = createBench();
    const peer = bench.arrive({ sessionId: "s1" });
    const { version, standing, signal } = peer.connection;
    expect(await outcome(bench.bring(peer, 3 * LIVES_MS, { sessionId: "s2" }))).toBe(180);
    expect([peer.connection.version, peer.connection.standing, signal.aborted]).toEqual([version + 1, standing, false]);
    expect([peer.connection.remainingMs, peer.connection.authentication.sessionId]).toEqual([3 * LIVES_MS, "s2"]);
    expect(bench.of("connection.reauthenticated")).toEqual([
      {
        event: "connection.reauthenticated",
        connectionId: "c1",
        hub: "/hubs/ward",
        subject: "nurse-7",
        sessionId: "s2",
        expiresAt: bench.clock.now() + 3 * LIVES_MS,
      },
    ]);
  });

  it.each<[string, ReasonName, (bench: ReturnType<typeof createBench>, peer: Peer) => Promise<Renewal>]>([
    ["does not verify", "invalid_token", (bench, peer) => bench.bringRefused(peer, "invalid_token")],
    ["has ended", "token_expired", (bench, peer) => bench.bringRefused(peer, "token_expired")],
    ["nobody can verify", "auth_unavailable", (bench, peer) => bench.bringRefused(peer, "auth_unavailable")],
    ["is revoked", "session_revoked", (bench, peer) => bench.bringRefused(peer, "session_revoked")],
    ["is of another subject", "principal_mismatch", (bench, peer) => bench.bring(peer, 90_000, { subject: "eve" })],
    ["is of another issuer", "principal_mismatch", (bench, peer) => bench.bring(peer, 90_000, { issuer: "https://x" })],
    ["is of another tenant", "principal_mismatch", (bench, peer) => bench.bring(peer, 90_000, { tenant: "other" })],
    ["is of another client", "principal_mismatch", (bench, peer) => bench.bring(peer, 90_000, { clientId: "other" })],
  ])("leaves the connection as it was, its end armed, where it %s", async (_, reason, bring) => {
    const bench = createBench();
    const peer = bench.arrive();
    const { authentication, version, deadline } = peer.connection;
    expect(await outcome(bring(bench, peer))).toBe(reason);
    expect([peer.connection.authentication === authentication, peer.connection.version]).toEqual([true, version]);
    expect([peer.connection.deadline, peer.connection.isActive]).toEqual([deadline, true]);
    expect(bench.of("reauthentication.refused")).toEqual([
      { event: "reauthentication.refused", connectionId: "c1", hub: "/hubs/ward", subject: "nurse-7", reason },
    ]);
    // It has shown that it can refresh, whatever came of that.
    peer.connection.apply({ type: "expiry-due" });
    expect(peer.connection.lapse).toBe("token_expired");
  });

  it("leaves the connection as it was where the application's directory fails, and says no to who is somebody else there", async () => {
    let answer: () => object = () => {
      throw new Error("ldap://10.0.0.7 refused");
    };
    const bench = createBench({ mapping: () => answer() });
    const peer = bench.arrive();
    expect([await outcome(bench.bring(peer, 2 * LIVES_MS)), peer.connection.remainingMs]).toEqual([
      "auth_unavailable",
      LIVES_MS,
    ]);
    answer = () => ({});
    expect(await outcome(bench.bring(peer, 2 * LIVES_MS))).toBe(120);
    const renamed = createBench({ principalId: "somebody else" });
    const other = renamed.arrive();
    expect([await outcome(renamed.bring(other, 2 * LIVES_MS)), other.connection.isActive]).toEqual([
      "principal_mismatch",
      true,
    ]);
  });

  it.each<[string, BenchOptions]>([
    ["the hub's policies refuse", { requirements: [requirement(policy("Nobody", () => Promise.resolve(false)))] }],
    ["the application does not know any more", { mapping: () => null }],
  ])("closes the connection where it makes somebody whom %s: the old rights would be worse", async (_, options) => {
    const bench = createBench(options);
    const peer = bench.arrive();
    expect(await outcome(bench.bring(peer, 2 * LIVES_MS))).toBe("forbidden");
    expect([peer.connection.isListening, peer.said()]).toEqual([false, "bye forbidden\n"]);
  });

  it("leaves the connection as it was where it ends no later, and is answered with what there is, closes nobody, asks nobody", async () => {
    let mapped = 0;
    const bench = createBench({ mapping: () => (mapped++, null) });
    const peer = bench.arrive();
    const { version } = peer.connection;
    bench.clock.block(20_000);
    expect(await outcome(bench.bring(peer, 40_000))).toBe(40);
    expect(await outcome(bench.bring(peer, 30_000))).toBe(40);
    expect([mapped, peer.connection.version, peer.connection.isActive]).toEqual([0, version, true]);
  });

  it("brings a lapsed connection back, but the one that ended does not", async () => {
    const bench = createBench();
    const peer = bench.arrive();
    peer.connection.apply({ type: "refresh-shown" });
    const { authentication } = peer.connection;
    bench.clock.block(LIVES_MS);
    peer.connection.due(readInstant(bench.clock));
    const same = bench.tokenFor(() => authentication);
    expect(await outcome(bench.reauthenticate(peer.connection, same))).toBe("token_expired");
    expect(await outcome(bench.bring(peer, LIVES_MS))).toBe(60);
    expect([peer.connection.isActive, bench.reports]).toEqual([
      true,
      ["opened c1", "lapsed c1 token_expired", "restored c1"],
    ]);
  });

  it("may end sooner where its claims are what is wanted, if it was issued since", async () => {
    const bench = createBench();
    const peer = bench.arrive();
    peer.connection.apply({ type: "refresh-shown" });
    const first = peer.connection.authentication.issuedAt;
    bench.clock.block(1_000);
    peer.connection.apply({ type: "claims-changed" });
    expect(await outcome(bench.bring(peer, 30_000, { issuedAt: first }))).toBe("reauth_required");
    expect(await outcome(bench.bring(peer, 30_000, { issuedAt: undefined }))).toBe("reauth_required");
    expect(await outcome(bench.bring(peer, 30_000))).toBe(30);
    expect([peer.connection.isActive, peer.connection.remainingMs]).toEqual([true, 30_000]);
  });

  it("comes too late when the grace is over, and behind a loop that was blocked too", async () => {
    const bench = createBench();
    const peer = bench.arrive();
    peer.connection.apply({ type: "refresh-shown" });
    peer.connection.apply({ type: "claims-changed" });
    bench.clock.block(times.graceMs);
    expect(await outcome(bench.bring(peer, 2 * LIVES_MS))).toBe("reauth_required");
    expect([peer.connection.isListening, peer.said().includes("bye reauth_required")]).toEqual([false, true]);
    const verified = bench.verified();
    expect([await outcome(bench.bring(peer, 2 * LIVES_MS)), bench.verified()]).toEqual(["reauth_required", verified]);
  });

  it.each<[string, ReasonName, (peer: Peer) => void]>([
    [
      "is revoked",
      "session_revoked",
      ({ connection }) => connection.apply({ type: "revoked", reason: "session_revoked" }),
    ],
    ["loses its socket", "normal", ({ socket }) => socket.end()],
  ])("does nothing for a connection that %s while it is verified, or while it is judged", async (_, reason, end) => {
    for (const isVerified of [false, true]) {
      const [verifying, mapping] = [deferred<Authentication>(), deferred<object>()];
      const bench = createBench({ mapping: () => mapping.promise });
      const peer = bench.arrive();
      const { admission } = peer.connection;
      const credential = bench.tokenFor(() => verifying.promise);
      const renewing = outcome(bench.reauthenticate(peer.connection, credential));
      const later = testAuthentication({ expiresAt: bench.clock.now() + 2 * LIVES_MS });
      await settle();
      if (isVerified) verifying.resolve(later);
      await settle();
      end(peer);
      verifying.resolve(later);
      mapping.resolve({});
      expect([await renewing, peer.connection.admission === admission]).toEqual([reason, true]);
      expect(bench.of("connection.reauthenticated")).toEqual([]);
    }
  });

  it("restores within the grace a connection that lapsed while it was verified", async () => {
    const verifying = deferred<Authentication>();
    const bench = createBench();
    const peer = bench.arrive();
    const renewing = outcome(
      bench.reauthenticate(
        peer.connection,
        bench.tokenFor(() => verifying.promise),
      ),
    );
    await settle();
    bench.clock.block(LIVES_MS);
    peer.connection.due(readInstant(bench.clock));
    expect(peer.connection.lapse).toBe("token_expired");
    verifying.resolve(testAuthentication({ expiresAt: bench.clock.now() + LIVES_MS }));
    expect([await renewing, peer.connection.isActive]).toEqual([60, true]);
  });

  it("is answered behind the verdicts on its groups, and not at all where the connection ended meanwhile", async () => {
    const bench = createBench();
    const peer = bench.arrive();
    const questions: Deferred<boolean>[] = [];
    let isAsking = false;
    const rule = policy("Slow", () => {
      if (!isAsking) return true;
      questions.push(deferred<boolean>());
      return (questions.at(-1) as Deferred<boolean>).promise;
    });
    await bench.groups.join(peer.connection, groupOf(template("slow", requirement(rule))));
    await bench.groups.join(peer.connection, groupOf(template("open", allowAll)));
    isAsking = true;
    let isAnswered = false;
    const renewing = bench.bring(peer, 2 * LIVES_MS).then(() => (isAnswered = true));
    await settle();
    expect([isAnswered, questions.length]).toEqual([false, 1]);
    questions[0]?.resolve(false);
    await renewing;
    expect(peer.connection.memberships.size).toBe(1);
    isAsking = false;
    await bench.groups.join(peer.connection, groupOf(template("slow2", requirement(rule))));
    isAsking = true;
    const second = outcome(bench.bring(peer, 3 * LIVES_MS));
    await settle();
    peer.connection.apply({ type: "revoked", reason: "session_revoked" });
    questions[1]?.resolve(true);
    expect(await second).toBe("session_revoked");
  });

  it("tells those who asked for it, and nobody else", async () => {
    const bench = createBench();
    const [asked, silent] = [bench.arrive(), bench.arrive()];
    asked.connection.subscribe();
    for (const peer of [asked, silent]) await bench.bring(peer, 2 * LIVES_MS);
    while (bench.clock.pendingTurn > 0) bench.clock.endTurn();
    expect(asked.said()).toBe(`notice ${JSON.stringify({ kind: "reauthenticated", expiresInSeconds: 120 })}\n`);
    expect(silent.said()).toBe("");
  });
});

describe("several credentials for one connection", () => {
  it("are verified one after another", async () => {
    const bench = createBench();
    const peer = bench.arrive();
    const [first, second] = [deferred<Authentication>(), deferred<Authentication>()];
    const renewing = [first, second].map(({ promise }) =>
      outcome(
        bench.reauthenticate(
          peer.connection,
          bench.tokenFor(() => promise),
        ),
      ),
    );
    await settle();
    expect(bench.verified()).toBe(1);
    second.resolve(testAuthentication({ expiresAt: bench.clock.now() + 2 * LIVES_MS }));
    // That one does not hold up the next, whatever becomes of it.
    first.reject(new HubwardError("invalid_token"));
    expect(await Promise.all(renewing)).toEqual(["invalid_token", 120]);
  });

  it("leave the one that ends last, in whatever order they come and are answered, and each hears what holds", async () => {
    const credential = fc.record({ seconds: fc.integer({ min: 1, max: 200 }), delay: fc.nat(3) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(credential, { minLength: 2, maxLength: 3 }),
        fc.boolean(),
        async (brought, hasLapsed) => {
          const bench = createBench({
            mapping: async ({ claims }) => {
              for (let tick = 0; tick < (claims["delay"] as number); tick++) await settle();
              return {};
            },
          });
          const peer = bench.arrive();
          peer.connection.apply({ type: "refresh-shown" });
          const start = bench.clock.now();
          if (hasLapsed) {
            bench.clock.block(LIVES_MS);
            peer.connection.due(readInstant(bench.clock));
          }
          const left = hasLapsed ? 0 : 60;
          let best = left;
          const expected = brought.map(({ seconds }) => {
            best = Math.max(best, seconds);
            return best;
          });
          const versions = [peer.connection.version];
          const answers = await Promise.all(
            brought.map(async ({ seconds, delay }) => {
              const answer = await outcome(bench.bring(peer, seconds * 1_000, { claims: { delay } }));
              versions.push(peer.connection.version);
              return answer;
            }),
          );
          expect(answers).toEqual(expected);
          expect(peer.connection.authentication.expiresAt).toBe(start + (hasLapsed ? LIVES_MS : 0) + best * 1_000);
          expect(versions).toEqual(versions.toSorted((a, b) => a - b));
          expect(peer.connection.isActive).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("are five at once, and then one every 2.5 s; each connection has its own", async () => {
    const bench = createBench();
    const [peer, other] = [bench.arrive({ livesMs: 600_000 }), bench.arrive()];
    const attempt = (of: Peer): Promise<number | string> => outcome(bench.bringRefused(of, "invalid_token"));
    for (let count = 0; count < 5; count++) expect(await attempt(peer)).toBe("invalid_token");
    bench.clock.block(1_000);
    await expect(bench.bringRefused(peer, "invalid_token")).rejects.toMatchObject({
      reason: "rate_limited",
      retryAfterSeconds: 1.5,
    });
    expect([bench.verified(), await attempt(other)]).toEqual([5, "invalid_token"]);
    bench.clock.block(1_500);
    expect([await attempt(peer), await attempt(peer)]).toEqual(["invalid_token", "rate_limited"]);
    bench.clock.block(6_250);
    expect([await attempt(peer), await attempt(peer), await attempt(peer)]).toEqual([
      "invalid_token",
      "invalid_token",
      "rate_limited",
    ]);
    // Half of the next one was earned already.
    bench.clock.block(1_250);
    expect(await attempt(peer)).toBe("invalid_token");
    bench.clock.block(500_000);
    const many = await Promise.all(Array.from({ length: 6 }, () => attempt(peer)));
    expect(many.filter((reason) => reason === "rate_limited")).toHaveLength(1);
  });

  it("show that a client can refresh even where there were too many", async () => {
    const bench = createBench();
    const peer = bench.arrive();
    for (let count = 0; count < 6; count++) await outcome(bench.bringRefused(peer, "invalid_token"));
    peer.connection.apply({ type: "expiry-due" });
    expect(peer.connection.lapse).toBe("token_expired");
  });
});

describe("the time a client is told", () => {
  it("is never more than there is, and never a tenth less", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 90 * 86_400_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (remainingMs, fraction) => {
          const told = toldSeconds(remainingMs, { fraction: () => fraction });
          expect(Number.isInteger(told)).toBe(true);
          expect(told * 1_000).toBeLessThanOrEqual(remainingMs);
          expect(told + 1).toBeGreaterThan((remainingMs / 1_000) * 0.9);
        },
      ),
    );
  });

  it("is spread over the clients, so that those who came together part", async () => {
    const bench = createBench({ fraction: 0.999 });
    expect(await outcome(bench.bring(bench.arrive(), 1_000_000))).toBe(900);
  });
});
