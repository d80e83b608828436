import { describe, expect, it } from "vitest";
import { createAlarmWatch, sameAlarmMs } from "./alarm-watch.js";
import { labelAlarm, vitalOfAlarm } from "./alarms.js";
import { createFakeClock } from "./fake-clock.js";
import type { Vitals } from "./hub-contract.js";

const reading = (patientId: string, alarms: readonly string[]): Vitals => ({
  patientId,
  ward: "icu",
  at: 0,
  heartRate: 70,
  spo2: 97,
  systolic: 120,
  diastolic: 80,
  respiration: 15,
  temperature: 36.8,
  alarms,
});

describe("alarm names", () => {
  it("read in words and point at their number", () => {
    expect(
      ["spo2_low", "heart_rate_high", "systolic_low", "respiration_high", "temperature_high"].map(labelAlarm),
    ).toEqual(["SpO₂ low", "HR high", "BP low", "RR high", "Temp high"]);
    expect(vitalOfAlarm("heart_rate_high")).toBe("heartRate");
    expect(vitalOfAlarm("spo2_low")).toBe("spo2");
  });

  it("of an unknown kind read as their own words", () => {
    expect(labelAlarm("lead_off")).toBe("Lead off");
    expect(vitalOfAlarm("lead_off")).toBeUndefined();
  });
});

describe("the alarm watch", () => {
  it("tells an alarm once, however many readings repeat it", async () => {
    const clock = createFakeClock();
    const watch = createAlarmWatch(clock);
    expect(watch.onset(reading("a", ["spo2_low"]))).toEqual(["spo2_low"]);
    for (let second = 0; second < 300; second += 1) {
      await clock.advance(1_000);
      expect(watch.onset(reading("a", ["spo2_low"]))).toEqual([]);
    }
    expect(watch.onset(reading("b", ["spo2_low"]))).toEqual(["spo2_low"]);
  });

  it("does not tell an alarm that flickers again, and tells one that comes back after a while", async () => {
    const clock = createFakeClock();
    const watch = createAlarmWatch(clock);
    watch.onset(reading("a", ["spo2_low"]));
    await clock.advance(sameAlarmMs / 2);
    expect(watch.onset(reading("a", ["spo2_low"]))).toEqual([]);
    await clock.advance(sameAlarmMs + 1);
    expect(watch.onset(reading("a", ["spo2_low"]))).toEqual(["spo2_low"]);
  });
});
