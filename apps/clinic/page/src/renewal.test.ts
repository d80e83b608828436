import { signal } from "@preact/signals";
import { describe, expect, it } from "vitest";
import { createFakeClock, settle } from "./fake-clock.js";
import { createRenewal } from "./renewal.js";
import type { CredentialLife, Session, SessionState } from "./session.js";

/** A connection opened with the token `one`; the hub answers each call with the next of the answers, the last one again. */
function open(...answers: readonly (object | string)[]) {
  const clock = createFakeClock();
  const held = { token: "one", asked: 0 };
  const session: Session = {
    state: signal<SessionState>({ phase: "active", outage: undefined }),
    credential: signal<CredentialLife | undefined>(undefined),
    restore: () => Promise.resolve(),
    signIn: () => Promise.resolve({ kind: "signed-in" }),
    token: () => Promise.resolve(held.token),
    renew(than) {
      held.asked += 1;
      if (held.token === than) held.token = `${than}+`;
      return Promise.resolve(held.token);
    },
    reject: () => undefined,
    end: () => undefined,
    signOut: () => Promise.resolve(true),
  };
  const calls: string[] = [];
  const heard: string[] = [];
  let queue = answers;
  const renewal = createRenewal({
    session,
    clock,
    random: () => 0,
    invoke(method, ...args) {
      calls.push([method, ...args].join(" "));
      if (method === "hubward.notices") return Promise.resolve(null);
      const answer = queue[0] ?? { expiresInSeconds: 300 };
      if (queue.length > 1) queue = queue.slice(1);
      return typeof answer === "string" ? Promise.reject(new Error(answer)) : Promise.resolve(answer);
    },
    listener: {
      renewed: (ms) => heard.push(`renewed ${ms}`),
      lapsed: (seconds) => heard.push(`lapsed ${seconds}`),
      failed: ({ name }) => heard.push(`failed ${name}`),
    },
  });
  renewal.live("one");
  return { clock, held, calls, heard, renewal };
}

describe("renewing a connection's credential in place", () => {
  it("asks for notices, and shows nothing that the connection has already", async () => {
    const { calls, renewal } = open();
    await settle();
    expect(calls).toEqual(["hubward.notices"]);
    expect(renewal.phase.value).toBe("steady");
  });

  it("shows a newer token as soon as there is one, once", async () => {
    const { clock, held, calls, heard, renewal } = open();
    held.token = "two";
    renewal.credentialChanged();
    renewal.credentialChanged();
    await settle();
    expect(calls).toEqual(["hubward.notices", "hubward.reauthenticate two"]);
    expect([heard, renewal.phase.value]).toEqual([["renewed 300000"], "renewed"]);
    clock.advance(3_000);
    await settle();
    expect(renewal.phase.value).toBe("steady");
  });

  it("fetches one when the server says that it is time, whatever the page's own clock says", async () => {
    const { held, calls, heard, renewal } = open();
    renewal.notice({ kind: "expiring", expiresInSeconds: 40 });
    expect(renewal.phase.value).toBe("expiring");
    await settle();
    expect([held.asked, calls.at(-1), heard]).toEqual([1, "hubward.reauthenticate one+", ["renewed 300000"]]);
  });

  it("says that the connection has lapsed until a newer one is taken", async () => {
    const { calls, heard, renewal } = open();
    renewal.notice({ kind: "expired", reason: "token_expired;action=refresh", graceSeconds: 10 });
    expect([renewal.phase.value, heard]).toEqual(["lapsed", ["lapsed 10"]]);
    await settle();
    expect([renewal.phase.value, calls.at(-1)]).toEqual(["renewed", "hubward.reauthenticate one+"]);
  });

  it("tries again later where the provider does not answer, and not where the token is no good", async () => {
    const { clock, held, calls, heard, renewal } = open(
      "auth_unavailable;action=retry-after;retry_after=5",
      "principal_mismatch;action=relogin",
    );
    held.token = "two";
    renewal.credentialChanged();
    await settle();
    clock.advance(4_999);
    await settle();
    expect(calls).toHaveLength(2);
    clock.advance(1);
    await settle();
    expect([calls.length, heard]).toEqual([3, ["failed auth_unavailable", "failed principal_mismatch"]]);
    clock.advance(60_000);
    await settle();
    expect(calls).toHaveLength(3);
  });

  it("heeds nothing that is none of its notices, nor any for a connection that is gone", async () => {
    const { held, renewal, calls } = open();
    for (const payload of [null, 1, "expired", [], {}, { kind: "gap" }]) renewal.notice(payload);
    renewal.lost();
    renewal.notice({ kind: "expired", graceSeconds: 10 });
    renewal.credentialChanged();
    await settle();
    expect([held.asked, calls]).toEqual([0, ["hubward.notices"]]);
  });
});
