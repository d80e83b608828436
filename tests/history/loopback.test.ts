/** Revocations under a fan-out, as fast as they can be asked for, on real sockets. */

import { expect, test } from "vitest";
import { check } from "./check.js";
import { startFleet, type Fleet } from "./fleet.js";
import { WARDS } from "./ward-app.js";

const size = 400;
const revocations = 150;

function tellWards({ ward: { app, ward } }: Fleet): void {
  for (const tenant of ["general", "annex"])
    for (const name of WARDS) app.tenant(tenant).to(ward(name)).emit("vitals", { tenant, ward: name });
}

test("nothing reaches who was revoked, while everybody else is told", { timeout: 120_000 }, async () => {
  const fleet = await startFleet(size);
  const { history, members, ward } = fleet;
  try {
    const acknowledged: Promise<unknown>[] = [];
    for (let count = 0; count < revocations; count++) {
      const { name, credential, socket } = members[count % members.length] ?? expect.unreachable("nobody is there");
      tellWards(fleet);
      socket.sendJson({ type: 1, target: "WhoAmI", arguments: [] });
      const target = { type: "session", sessionId: credential.sessionId } as const;
      acknowledged.push(
        ward.app
          .revoke({ session: credential.sessionId })
          .then(() => history.record({ type: "revoked", id: name, target })),
      );
      // Calls of those who are shut out go on arriving.
      socket.sendJson({ type: 1, target: "WhoAmI", arguments: [] });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(acknowledged);
    tellWards(fleet);
    await new Promise((resolve) => setImmediate(resolve));
    const violations = check(history.events);
    expect(violations.slice(0, 5)).toEqual([]);
    const counts = history.counts();
    expect(counts["revoked"]).toBe(revocations);
    expect(counts["event"]).toBeGreaterThan(size);
    expect(ward.app.connectionCount).toBe(size - revocations);
  } finally {
    await fleet.close();
  }
});
