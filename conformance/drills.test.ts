/**
 * The drills: what happens on a bad day in the life of a credential, with the newest stock client. Each shows that it
 * is detected, that privileged work stops, that the client is told, that it refreshes where it may and reconnects where
 * it must, and that nothing takes effect twice. Time passes when a drill says so; `drills-in-real-time.test.ts` has
 * them on the real clock.
 */

import { describe, test } from "vitest";
import { busy, idle } from "./drills/expiry.js";
import { logout } from "./drills/logout.js";
import { loss } from "./drills/loss.js";
import { ahead, behind, unavailable } from "./drills/unavailable.js";
import { everyStockClient } from "./support/stock-clients.js";
import { fakeTime } from "./support/ward.js";

const newest = everyStockClient.filter(({ version }) => version === 10);
const drills = [...idle, ...busy, ...logout, ...loss, ...unavailable, behind, ahead];

for (const client of newest) {
  describe(client.name, () => {
    for (const { name, run } of drills) test(name, () => run(client, fakeTime));
  });
}

// What brings a later token is the same, whatever the encoding.
for (const client of newest.filter(({ encoding }) => encoding === "json")) {
  describe(`${client.name}, renewed at the hub's /refresh`, () => {
    for (const { name, run } of [...idle, ...busy, ...loss, ...unavailable, behind])
      test(name, () => run(client, { ...fakeTime, renewal: "refresh endpoint" }));
  });
}
