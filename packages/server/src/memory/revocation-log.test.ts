import { createFakeClock, createSeededRandom, revocationLogSuite } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createRevocation } from "../core/auth/revocation-record.js";
import type { NewRevocation, RevocationKind } from "../core/auth/revocation.js";
import { createMemoryRevocationLog, memoryRevocationLogDefaults } from "./revocation-log.js";

const random = createSeededRandom(1);

function suspensionOf(subject: string, kind: RevocationKind = "suspension"): NewRevocation {
  const target = { type: "identity", tenant: undefined, issuer: "https://issuer.example", subject } as const;
  return createRevocation({ kind, target }, { now: createFakeClock().now(), maxTokenAgeMs: 1_000 });
}

describe("the log of revocations in memory", () => {
  // Nothing of it outlives the process: it has no place.
  const cases = revocationLogSuite.filter(({ needs }) => !needs.includes("place"));
  it.each(cases)("$name", (each) => each.run(({ clock }) => createMemoryRevocationLog({ clock, random })));

  it("says that it is not durable", () => {
    expect(createMemoryRevocationLog({ clock: createFakeClock(), random }).isDurable).toBe(false);
  });

  it("is another log each time it is made", async () => {
    const clock = createFakeClock();
    const [one, other] = [createMemoryRevocationLog({ clock, random }), createMemoryRevocationLog({ clock, random })];
    expect((await one.read(0)).logId).not.toBe((await other.read(0)).logId);
  });

  it("refuses new entries rather than forget old ones, and has room when a suspension is lifted or an entry is old", async () => {
    expect(memoryRevocationLogDefaults).toEqual({ maxEntries: 100_000 });
    const clock = createFakeClock();
    const log = createMemoryRevocationLog({ clock, random, maxEntries: 2 });
    await log.append(suspensionOf("ann"));
    await log.append(suspensionOf("bob"));
    await expect(log.append(suspensionOf("eve"))).rejects.toMatchObject({ reason: "not_durable" });
    await expect(log.append(suspensionOf("eve", "lift"))).rejects.toMatchObject({ reason: "not_durable" });
    expect((await log.read(0)).entries).toHaveLength(2);
    await log.append(suspensionOf("ann", "lift"));
    await expect(log.append(suspensionOf("eve"))).rejects.toMatchObject({ reason: "not_durable" });
    clock.advance(61_000);
    expect((await log.append(suspensionOf("eve"))).number).toBe(4);
  });

  it.each([0, 1.5, Number.NaN])("refuses room for %s entries", (maxEntries) => {
    expect(() => createMemoryRevocationLog({ clock: createFakeClock(), random, maxEntries })).toThrow(RangeError);
  });
});
