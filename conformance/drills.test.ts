/**
 * The drills: what happens on a bad day in the life of a credential, with the newest stock client. Each shows that it
 * is detected, that privileged work stops, that the client is told, that it refreshes where it may and reconnects where
 * it must, and that nothing takes effect twice.
 */

import { describe, test } from "vitest";
import { busy, idle } from "./drills/expiry.js";
import { unavailable, wrongClock } from "./drills/unavailable.js";
import { everyStockClient } from "./support/stock-clients.js";
import { fakeTime, realTime } from "./support/ward.js";

const newest = everyStockClient.filter(({ version }) => version === 10);
const drills = [...idle, ...busy, ...unavailable, ...wrongClock];

for (const client of newest) {
  describe(client.name, () => {
    for (const { name, run } of drills) test(name, () => run(client, fakeTime));
  });
}

describe("on the real clock", () => {
  for (const client of newest.filter(({ transport, encoding }) => transport === "WebSockets" && encoding === "json")) {
    // Side by side, because they wait; the time of day that a wrong clock tells is that of all of them.
    for (const { name, run } of [...idle, ...busy, ...unavailable])
      test.concurrent(name, ({ onTestFinished }) => run(client, { ...realTime, onTestFinished }));
    for (const { name, run } of wrongClock) test(name, () => run(client, realTime));
  }
});
