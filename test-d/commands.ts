/** Commands: only their calls commit, and what their work returns is what `commit` resolves to. */

import type { CommandCall } from "@hubward/server";
import type { Transaction } from "@hubward/sqlite";
import { z } from "zod";
import { app, staff, type Staff } from "./app.js";
import type { Equal, Expect } from "./expect.js";

app
  .hub("/commands")
  .allow(staff)
  .methods((m) => {
    const order = m.args(z.string(), z.string()).once((_drug, id) => id);
    return {
      Order: order.handle(async (call, drug) => {
        const result = await call.commit((tx: Transaction) => tx.prepare("insert").run(drug).changes);
        type _ = [Expect<Equal<typeof call, CommandCall<Staff, unknown>>>, Expect<Equal<typeof result, number>>];
        return result;
      }),
      // A store's transactions may take their time.
      Later: order.handle(async (call) => {
        const result = await call.commit(async () => "done");
        type _ = [Expect<Equal<typeof result, string>>];
      }),
      Blind: order.handle((call) =>
        call.commit((transaction) => {
          type _ = [Expect<Equal<typeof transaction, unknown>>];
          // @ts-expect-error what a store gives is unknown until it is named
          return transaction.prepare("insert");
        }),
      ),
      // @ts-expect-error a method that is no command has nothing to commit
      Plain: m.args(z.string()).handle((call) => call.commit(() => 1)),
    };
  });
