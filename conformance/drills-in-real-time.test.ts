/**
 * The drills on the real clock, over each transport. They wait for tokens that live for seconds: those of one transport
 * do so side by side.
 */

import { describe, test } from "vitest";
import type { Drill } from "./drills/drill.js";
import { busy, idle } from "./drills/expiry.js";
import { logout } from "./drills/logout.js";
import { loss } from "./drills/loss.js";
import { ahead, behind, unavailable } from "./drills/unavailable.js";
import { everyStockClient, type StockClient } from "./support/stock-clients.js";
import { fakeTime, realTime } from "./support/ward.js";

const newest = everyStockClient.filter(({ version, encoding }) => version === 10 && encoding === "json");

/**
 * All of them at once, each in a ward of its own. One is rehearsed on the fake clock: what only a first time costs does
 * not come out of the few seconds that a token lives.
 */
async function sideBySide(drills: readonly Drill[], client: StockClient, times = realTime): Promise<void> {
  await drills[0]?.run(client, { ...fakeTime, renewal: times.renewal });
  const outcomes = await Promise.allSettled(drills.map(({ run }) => run(client, times)));
  const failures = outcomes.flatMap((outcome, index) =>
    outcome.status === "rejected" ? [new Error(drills[index]?.name, { cause: outcome.reason })] : [],
  );
  if (failures.length === 1) throw failures[0];
  if (failures.length > 0) throw new AggregateError(failures, failures.map(({ message }) => message).join("\n"));
}

// A wrong clock is wrong for every client of this process, and none of them looks at it: one of each at a time.
const groups = {
  "1, 2 and 6: the credential ends, idle and busy, and for a client an hour behind": [...idle, ...busy, behind],
  "3 to 6: logged out, lost, nobody to ask, and a client an hour ahead": [...logout, ...loss, ...unavailable, ahead],
};

describe.each(newest)("$transport", (client) => {
  for (const [name, drills] of Object.entries(groups)) test(name, () => sideBySide(drills, client));
  test("1, 2 and 5, renewed at the hub's /refresh", () =>
    sideBySide([...idle, ...busy, ...unavailable], client, { ...realTime, renewal: "refresh endpoint" }));
});
