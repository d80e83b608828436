import { describe, expect, it } from "vitest";
import { createFakeClock } from "./fake-clock.js";
import type { Vitals } from "./hub-contract.js";
import { createVitalsStore, historyLength } from "./vitals-store.js";

function reading(patientId: string, at: number, alarms: readonly string[] = [], ward = "icu"): Vitals {
  return {
    patientId,
    ward,
    at,
    heartRate: 70,
    spo2: 97,
    systolic: 120,
    diastolic: 80,
    respiration: 15,
    temperature: 36.8,
    alarms,
  };
}

describe("the store of vital signs", () => {
  it("shows the latest reading of each patient and when it came", async () => {
    const clock = createFakeClock();
    const store = createVitalsStore(clock);
    store.receive(reading("a", 1_000));
    await clock.advance(1_000);
    store.receive(reading("a", 2_000));
    expect(store.trace("a").reading.value).toMatchObject({ vitals: { at: 2_000 }, receivedAt: clock.now() });
    expect(store.trace("b").reading.value).toBeUndefined();
  });

  it("remembers two minutes and no more", () => {
    const store = createVitalsStore(createFakeClock());
    for (let second = 1; second <= 500; second += 1) store.receive(reading("a", second * 1_000));
    expect(store.trace("a").history.length).toBe(historyLength);
  });

  it("lists who has an alarm, in the order in which they were raised", () => {
    const store = createVitalsStore(createFakeClock());
    store.receive(reading("a", 1_000));
    store.receive(reading("b", 1_000, ["spo2_low"]));
    store.receive(reading("a", 2_000, ["heart_rate_high"]));
    expect(store.alarming.value).toEqual(["b", "a"]);
    store.receive(reading("b", 3_000));
    expect(store.alarming.value).toEqual(["a"]);
  });

  it("forgets a ward that is no longer watched, alarms included", () => {
    const store = createVitalsStore(createFakeClock());
    store.receive(reading("a", 1_000, ["spo2_low"], "icu"));
    store.receive(reading("b", 1_000, ["spo2_low"], "er"));
    store.dropWard("icu");
    expect(store.alarming.value).toEqual(["b"]);
    expect(store.trace("a").reading.value).toBeUndefined();
    expect(store.trace("b").reading.value).toBeDefined();
  });

  it("still draws readings whose server gave no time", () => {
    const clock = createFakeClock();
    const store = createVitalsStore(clock);
    store.receive(reading("a", Number.NaN));
    expect(store.trace("a").history.columns()[0]).toEqual([clock.now() / 1_000]);
  });
});
