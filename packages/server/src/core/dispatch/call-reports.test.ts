/** What the log is told of calls: who was refused and why, what failed, and not what went as it should. */

import { recordingTelemetry } from "@hubward/testing";
import { HubwardError, type ReasonName } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { createFixture } from "../../../test/connection-fixture.js";
import { PolicyRefusal } from "../auth/policy.js";
import { HubError, NoClientResult } from "../errors.js";
import { CallControl } from "./call-control.js";
import { CallReports } from "./call-reports.js";
import type { Outcome } from "./dispatcher.js";

function createWorld() {
  const { clock, connect } = createFixture();
  const { connection } = connect({ subject: "ada", id: "c1" });
  const recorded = recordingTelemetry();
  const reports = new CallReports({ connection, path: "/hubs/ward", telemetry: recorded.telemetry, clock });
  return {
    clock,
    reports,
    ...recorded,
    limited: () => reports.refusal(new HubwardError("rate_limited", { retryAfterSeconds: 1 }), "Order"),
  };
}

const refused = (reason: ReasonName, method?: string): Outcome => ({
  kind: "refused",
  error: new HubwardError(reason),
  method,
});
const failed = (error: unknown): Outcome => ({ kind: "failed", error, method: "Order" });
const cancelled = (): CallControl => {
  const control = new CallControl();
  control.cancel();
  return control;
};

describe("reports of calls", () => {
  it("say nothing of what went well, was called off in time, or was asked for in the wrong way", () => {
    const { events, reports } = createWorld();
    const outcomes: readonly Outcome[] = [
      { kind: "value", value: 1 },
      { kind: "stream", items: [], method: "Order" },
      { kind: "cancelled", method: "Order" },
      { kind: "wrong-mode", method: "Order", isStream: false },
      { kind: "wrong-uploads", method: "Order", sent: 1, expected: 0 },
    ];
    for (const outcome of outcomes) reports.outcome(outcome, new CallControl());
    expect(events).toEqual([]);
  });

  it("say who was refused what, why, and by which policy", () => {
    const { events, reports } = createWorld();
    reports.outcome(refused("bad_arguments", "Order"), new CallControl());
    reports.outcome(
      { kind: "refused", error: new PolicyRefusal("Nurses", "nurses only"), method: "Order" },
      new CallControl(),
    );
    reports.outcome(refused("method_not_found"), new CallControl());
    const common = { event: "call.refused", connectionId: "c1", hub: "/hubs/ward", subject: "ada", count: 1 };
    expect(events).toEqual([
      { ...common, method: "Order", reason: "bad_arguments", policy: undefined },
      { ...common, method: "Order", reason: "forbidden", policy: "Nurses" },
      { ...common, method: undefined, reason: "method_not_found", policy: undefined },
    ]);
  });

  it("say what an application's own method threw, with where", () => {
    const { events, reports } = createWorld();
    const error = new Error("the database is down");
    reports.outcome(failed(error), new CallControl());
    expect(events).toEqual([{ event: "application.failed", where: "/hubs/ward Order", connectionId: "c1", error }]);
  });

  it("say nothing of what an application throws on purpose", () => {
    const { events, reports } = createWorld();
    reports.outcome(failed(new HubError("out of stock")), new CallControl());
    expect(events).toEqual([]);
  });

  it("take for a refusal what a method tried and may not, and for a failure what another client did not answer", () => {
    const { events, of, reports } = createWorld();
    reports.outcome(failed(new HubwardError("room_limit")), new CallControl());
    reports.outcome(failed(new NoClientResult("upstream_timeout")), new CallControl());
    expect(of("call.refused").map(({ method, reason }) => [method, reason])).toEqual([["Order", "room_limit"]]);
    expect(events.map(({ event }) => event)).toEqual(["call.refused", "application.failed"]);
  });

  it("say nothing of what being cancelled made a method throw, and all else", () => {
    const { events, reports } = createWorld();
    const abort = new DOMException("stopped", "AbortError");
    for (const error of [abort, new HubwardError("session_revoked"), new NoClientResult("upstream_timeout")])
      reports.outcome(failed(error), cancelled());
    expect(events).toEqual([]);
    reports.outcome(failed(new Error("broken")), cancelled());
    // Nobody had told it to stop.
    reports.outcome(failed(abort), new CallControl());
    expect(events.map(({ event }) => event)).toEqual(["application.failed", "application.failed"]);
  });

  it("make a flood over the rate a line a second, which says how many it stands for", () => {
    const { clock, limited, of, reports } = createWorld();
    for (let call = 0; call < 100; call++) limited();
    clock.advance(1_000);
    limited();
    reports.refusal(new HubwardError("forbidden"), "Order");
    for (let call = 0; call < 3; call++) limited();
    reports.ended();
    expect(of("call.refused").map(({ reason, count }) => [reason, count])).toEqual([
      ["rate_limited", 1],
      ["rate_limited", 100],
      ["forbidden", 1],
      ["rate_limited", 3],
    ]);
  });

  it("have nothing left to say at the end where nothing was only counted", () => {
    const { events, limited, reports } = createWorld();
    limited();
    reports.ended();
    reports.ended();
    expect(events).toHaveLength(1);
  });
});
