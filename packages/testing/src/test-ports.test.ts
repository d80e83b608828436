import type { ConnectionId, TelemetryEvent } from "@hubward/server/ports";
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "./seeded-random.js";
import { recordingTelemetry } from "./recording-telemetry.js";
import { testAuthentication } from "./test-authentication.js";

describe("seeded randomness", () => {
  it("is the same for one seed and another for another", () => {
    const draw = (seed: number): unknown[] => {
      const random = createSeededRandom(seed);
      return [random.secret(16), random.fraction(), random.secret(3), random.fraction()];
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(Buffer.from(createSeededRandom(7).secret(1000), "base64url")).toHaveLength(1000);
  });

  it("is spread over its range: every byte value, every tenth", () => {
    for (const seed of [0, 1, -1, 2 ** 40]) {
      const random = createSeededRandom(seed);
      expect(new Set(Buffer.from(random.secret(10_000), "base64url")).size).toBe(256);
      const fractions = Array.from({ length: 1_000 }, () => random.fraction());
      expect(Math.min(...fractions)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...fractions)).toBeLessThan(1);
      expect(new Set(fractions.map((fraction) => Math.floor(fraction * 10))).size).toBe(10);
    }
  });

  it("refuses a seed that is no whole number", () => {
    expect(() => createSeededRandom(0.5)).toThrow(RangeError);
  });
});

describe("recording telemetry", () => {
  it("keeps events in order and finds them by name", () => {
    const { telemetry, events, of, clear } = recordingTelemetry();
    const failed: TelemetryEvent = { event: "application.failed", where: "x", connectionId: undefined, error: "e" };
    const closed: TelemetryEvent = {
      event: "connection.closed",
      connectionId: "c1" as ConnectionId,
      hub: "/h",
      reason: "normal",
      subject: "s",
      ageMs: 1,
    };
    telemetry(failed);
    telemetry(closed);
    telemetry(failed);
    expect(events).toEqual([failed, closed, failed]);
    expect(of("connection.closed").map(({ reason }) => reason)).toEqual(["normal"]);
    expect(of("call.refused")).toEqual([]);
    clear();
    expect(events).toEqual([]);
  });
});

describe("a test's authentication", () => {
  it("is frozen through and through and shares nothing with what it was made of", () => {
    const claims = { roles: ["nurse"], nested: { ward: "icu" } };
    const made = testAuthentication({ claims, tenant: "general" });
    claims.roles.push("admin");
    expect(made.claims).toEqual({ roles: ["nurse"], nested: { ward: "icu" } });
    expect(() => (made.claims["roles"] as string[]).push("admin")).toThrow(TypeError);
    expect(Object.isFrozen(made) && Object.isFrozen(made.claims["nested"])).toBe(true);
    expect(made).toMatchObject({ subject: "nurse-7", tenant: "general", sessionId: undefined });
    expect(made.expiresAt).toBeGreaterThan(Date.UTC(2090, 0));
  });
});
