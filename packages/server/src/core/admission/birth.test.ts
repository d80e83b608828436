import { createFakeClock, recordingTelemetry } from "@hubward/testing";
import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { admissionOf } from "../../../test/connection-fixture.js";
import { identityKey, type ConnectionId } from "../ids.js";
import { createFailedAttempts } from "../limits/failed-attempts.js";
import { createPrincipalConnections } from "../limits/principal-connections.js";
import { refusalAtBirth } from "./birth.js";
import { limitDefaults } from "../limits/limit-options.js";
import { createHoldBack } from "./hold-back.js";

const birth = { connectionId: "c1" as ConnectionId, path: "/rooms", remoteAddress: "192.0.2.7" };
const admission = admissionOf({ subject: "ada", sessionId: "s1" });

function createWorld() {
  const clock = createFakeClock();
  const recorded = recordingTelemetry();
  const asked: unknown[] = [];
  const world = { revoked: undefined as HubwardError | undefined };
  const rate = { burst: 1, perSecond: 1 };
  const ports = {
    admitter: {
      refusal(...about: readonly unknown[]) {
        asked.push(about);
        return world.revoked;
      },
    },
    places: createPrincipalConnections(1),
    holdBack: createHoldBack(clock, limitDefaults.endings),
    telemetry: recorded.telemetry,
    failed: { tokens: createFailedAttempts(clock, rate), tickets: createFailedAttempts(clock, rate) },
  };
  return { ...ports, asked, recorded, world, refusal: () => refusalAtBirth(admission, birth, ports) };
}

describe("the last word before a connection is made", () => {
  it("is nothing, and nothing is logged, for who was not revoked and has room", () => {
    const { asked, recorded, refusal } = createWorld();
    expect([refusal(), recorded.events]).toEqual([undefined, []]);
    expect(asked).toEqual([[admission.authentication, "c1"]]);
  });

  it("is why it was revoked since its door, logged with who that is, and holds nobody back", () => {
    const { failed, holdBack, recorded, refusal, world } = createWorld();
    world.revoked = new HubwardError("session_revoked");
    for (let time = 0; time < 5; time++) expect(refusal()).toBe(world.revoked);
    expect(recorded.of("connection.refused")[0]).toMatchObject({
      connectionId: "c1",
      hub: "/rooms",
      reason: "session_revoked",
      principal: { subject: "ada" },
      remoteAddress: "192.0.2.7",
    });
    expect(holdBack.delayMs(admission.authentication)).toBe(0);
    // Its credential verified: no failed attempt of its address.
    expect(failed.tokens.refusal(birth.remoteAddress)).toBeUndefined();
  });

  it("is that its principal has as many connections as it may, logged once, and the next one has to wait", () => {
    const { holdBack, places, recorded, refusal } = createWorld();
    places.opened(identityKey(admission.authentication));
    expect(refusal()?.reason).toBe("connection_limit");
    expect(recorded.events.map(({ event }) => event)).toEqual(["connection.refused"]);
    for (let time = 0; time < 2; time++) refusal();
    expect(holdBack.delayMs(admission.authentication)).toBe(250);
  });

  it("is the revocation, where there is no room, either", () => {
    const { places, refusal, world } = createWorld();
    places.opened(identityKey(admission.authentication));
    world.revoked = new HubwardError("account_disabled");
    expect(refusal()).toBe(world.revoked);
  });
});
