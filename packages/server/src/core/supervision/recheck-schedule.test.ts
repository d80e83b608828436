import { describe, expect, it } from "vitest";
import { createFixture, type Staff } from "../../../test/connection-fixture.js";
import type { Connection } from "../connection/connection.js";
import { createRecheckSchedule } from "./recheck-schedule.js";

function createBench(everyMs: number) {
  const { clock, connect } = createFixture();
  const rechecked: Connection<Staff>[] = [];
  const schedule = createRecheckSchedule<Staff>(clock, everyMs, (connection) => void rechecked.push(connection));
  return { clock, connect, rechecked, schedule };
}

describe("the schedule of rechecks", () => {
  it("asks about each once in an interval, evenly, by one timer", () => {
    const { clock, connect, rechecked, schedule } = createBench(10_000);
    const connections = Array.from({ length: 50 }, () => connect().connection);
    for (const connection of connections) schedule.watch(connection);
    for (let interval = 0; interval < 3; interval++) {
      rechecked.length = 0;
      for (let second = 1; second <= 10; second++) {
        expect(clock.pending).toBe(1);
        clock.advance(1_000);
        expect(rechecked.length).toBe(5 * second);
      }
      expect(new Set(rechecked)).toEqual(new Set(connections));
    }
  });

  it("asks about one that came in the middle within an interval, and about none that went", () => {
    const { clock, connect, rechecked, schedule } = createBench(10_000);
    const [stays, goes] = [connect().connection, connect().connection];
    schedule.watch(stays);
    clock.advance(4_500);
    schedule.watch(goes);
    schedule.forget(goes);
    clock.advance(10_000);
    expect(rechecked).toEqual([stays]);
    schedule.forget(stays);
    expect([schedule.size, clock.pending]).toEqual([0, 0]);
    schedule.watch(goes);
    clock.advance(10_000);
    expect(rechecked).toEqual([stays, goes]);
  });

  it("takes an interval shorter than its turn", () => {
    const { clock, connect, rechecked, schedule } = createBench(200);
    schedule.watch(connect().connection);
    clock.advance(1_000);
    expect(rechecked.length).toBe(5);
  });
});
