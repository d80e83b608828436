/** What can be asked of an application is data with literal tags, and nothing of it is `any`. */

import type { Decision, LiveConnection } from "@hubward/server";
import { app } from "./app.js";
import type { Equal, Expect, HasNoAny } from "./expect.js";

const decisions = app.decisions();
const connections = app.connections();
const everybody = app.everyTenant().connections();
type _Shapes = [
  Expect<Equal<typeof decisions, readonly Decision[]>>,
  Expect<Equal<typeof connections, Iterable<LiveConnection>>>,
  Expect<Equal<typeof everybody, Iterable<LiveConnection>>>,
  Expect<Equal<Decision["what"], "hub" | "method" | "rooms" | "group" | "publish" | "presence">>,
  Expect<HasNoAny<Decision>>,
  Expect<HasNoAny<LiveConnection>>,
];
for (const decision of decisions) {
  if (decision.what === "method") void decision.isOnce;
  // @ts-expect-error only methods have a name of their own
  void decision.method;
}
