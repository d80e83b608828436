/**
 * Revocations under a fan-out, on real sockets. `npm run soak` does the same to 3,000 connections, 50 a second for
 * half a minute; `HUBWARD_SOAK` says how many. Each takes two file descriptors of this process.
 */

import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { check } from "./check.js";
import { startFleet, type Fleet } from "./fleet.js";
import { WARDS } from "./ward-app.js";

const size = Number(process.env["HUBWARD_SOAK"] ?? 400);
const isSoak = process.env["HUBWARD_SOAK"] !== undefined;
const revocations = isSoak ? 1_500 : 150;

function tellWards({ ward: { app, ward } }: Fleet): void {
  for (const tenant of ["general", "annex"])
    for (const name of WARDS) app.tenant(tenant).to(ward(name)).emit("vitals", { tenant, ward: name });
}

test("nothing reaches who was revoked, while everybody else is told", { timeout: 300_000 }, async () => {
  const fleet = await startFleet(size);
  const { history, members, ward } = fleet;
  try {
    const acknowledged: Promise<number>[] = [];
    for (let count = 0; count < revocations; count++) {
      const { name, credential, socket } = members[count % members.length] ?? expect.unreachable("nobody is there");
      if (!isSoak || count % 25 === 0) tellWards(fleet);
      socket.sendJson({ type: 1, target: "WhoAmI", arguments: [] });
      const target = { type: "session", sessionId: credential.sessionId } as const;
      const askedAt = performance.now();
      acknowledged.push(
        ward.app.revoke({ session: credential.sessionId }).then(() => {
          history.record({ type: "revoked", id: name, target });
          return performance.now() - askedAt;
        }),
      );
      // Calls of those who are shut out go on arriving.
      socket.sendJson({ type: 1, target: "WhoAmI", arguments: [] });
      await (isSoak ? wait(20) : new Promise((resolve) => setImmediate(resolve)));
    }
    const tookMs = (await Promise.all(acknowledged)).sort((a, b) => a - b);
    tellWards(fleet);
    await new Promise((resolve) => setImmediate(resolve));
    const violations = check(history.events);
    expect(violations.slice(0, 5)).toEqual([]);
    const counts = history.counts();
    expect(counts["revoked"]).toBe(revocations);
    expect(counts["event"]).toBeGreaterThan(size);
    expect(ward.app.connectionCount).toBe(size - revocations);
    if (isSoak) {
      const [median, last] = [tookMs[Math.floor(tookMs.length / 2)], tookMs.at(-1)].map((ms) => ms?.toFixed(1));
      console.log(`${size} connections, acknowledged after ${median} ms (median), ${last} ms (last)`, counts);
    }
  } finally {
    await fleet.close();
  }
});
