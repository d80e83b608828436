import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFailure } from "./reasons.js";
import { judge, quickDelaysMs, slowDelayMs, spreadSlowDelayMs, type Verdict } from "./retry-policy.js";

const least = (): number => 0;
const most = (): number => 1 - Number.EPSILON;

function verdict(reason: string, attempt = 0, random = least, freshCredentialRefused = false): Verdict {
  return judge({ failure: readFailure(new Error(reason)), attempt, freshCredentialRefused, random });
}

function delayMs(reason: string, attempt: number, random: () => number): number {
  const result = verdict(reason, attempt, random);
  if (result.do !== "retry") throw new Error(`expected a retry, got ${result.do}`);
  return result.delayMs;
}

describe("the retry policy", () => {
  it("tries at once, then after 2, 10 and 30 s, then gives up", () => {
    expect(quickDelaysMs.map((_, attempt) => delayMs("network gone", attempt, least))).toEqual([
      0, 2_000, 10_000, 30_000,
    ]);
    expect(verdict("network gone", quickDelaysMs.length)).toEqual({ do: "give-up" });
  });

  it("spreads every try, the first one too", () => {
    for (const attempt of quickDelaysMs.keys()) {
      expect(delayMs("network gone", attempt, most)).toBeGreaterThan(delayMs("network gone", attempt, least));
    }
    expect(delayMs("network gone", 0, most)).toBeLessThanOrEqual(1_000);
    expect(delayMs("network gone", 3, most)).toBeLessThanOrEqual(45_000);
  });

  it("comes back quickly after an expiry, because each page expires at its own moment", () => {
    expect(delayMs("token_expired;action=refresh", 0, most)).toBeLessThanOrEqual(250);
  });

  it("never comes back before the server asked it to", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 600 }),
        fc.nat(3),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (s, attempt, r) => {
          const delay = delayMs(`rate_limited;action=retry-after;retry_after=${s}`, attempt, () => r);
          expect(delay).toBeGreaterThanOrEqual(Math.max(s * 1_000, quickDelaysMs[attempt] ?? 0));
        },
      ),
    );
  });

  it("does not try again where trying cannot help", () => {
    expect(verdict("forbidden")).toEqual({ do: "deny" });
    expect(verdict("account_disabled")).toEqual({ do: "deny" });
    expect(verdict("protocol_not_supported;action=fix-request")).toEqual({ do: "stop" });
    expect(verdict("superseded")).toEqual({ do: "stop" });
    expect(verdict("session_revoked;action=relogin")).toEqual({ do: "sign-in-again" });
  });

  it("asks for a new sign-in only when the credential fetched after a refusal is refused too", () => {
    const bare401 = "Failed to complete negotiation with the server: Error: Unauthorized: Status code '401'";
    expect(verdict(bare401, 0, least, false).do).toBe("retry");
    expect(verdict(bare401, 1, least, true)).toEqual({ do: "sign-in-again" });
    expect(verdict("invalid_token;action=relogin", 1, least, true)).toEqual({ do: "sign-in-again" });
  });

  it("never takes repeated expiry for a reason to sign out: a wrong clock somewhere must not cost the session", () => {
    expect(verdict("token_expired;action=refresh", 3, least, true).do).toBe("retry");
    expect(verdict("token_expired;action=refresh", 4, least, true)).toEqual({ do: "give-up" });
  });

  it("slow tries are spread by half their period", () => {
    expect(spreadSlowDelayMs(least)).toBe(slowDelayMs * 0.75);
    expect(spreadSlowDelayMs(most)).toBeCloseTo(slowDelayMs * 1.25, 5);
  });
});
