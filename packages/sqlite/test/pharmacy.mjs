/**
 * `pharmacy.mjs <engine> <path>`: a hub whose orders stand in the database that remembers its commands. Says its port,
 * then where it is: `begun` and `placed` for a command that pauses there, for ever, because its drug is called so.
 */

import { createServer } from "node:http";
import { once } from "node:events";
import { hubward } from "@hubward/server";
import { attach } from "@hubward/server/node";
import { createSqliteIdempotencyStore, openDatabase } from "@hubward/sqlite";
import { testAuthentication } from "@hubward/testing";

const [engine, path] = process.argv.slice(2);
const say = (value) => console.log(JSON.stringify(value));
const database = await openDatabase({ path, engine });
database.exec("create table if not exists orders (drug text not null, id text not null)");
const place = database.prepare("insert into orders values (?, ?)");
const text = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => (typeof value === "string" ? { value } : { issues: [{ message: "a text" }] }),
  },
};
const pause = async (where, drug) => {
  if (drug !== where) return;
  say({ paused: where });
  await new Promise(() => undefined);
};

const app = hubward({
  authenticator: {
    authenticate: ({ token }) => testAuthentication({ subject: token.reveal(), expiresAt: Date.now() + 3_600_000 }),
  },
  principal: () => ({}),
  idempotency: createSqliteIdempotencyStore({ database }),
  telemetry: () => undefined,
});
const anyone = app.policy("Anyone", () => true);
app
  .hub("/hubs/orders")
  .allow(anyone)
  .methods((m) => {
    const order = m.args(text, text).once((_drug, id) => id);
    return {
      Order: order.handle(async (_call, drug, id) => {
        await pause("begun", drug);
        place.run(drug, id);
        await pause("placed", drug);
        return { placed: drug };
      }),
      OrderExactlyOnce: order.handle(async (call, drug, id) => {
        await pause("begun", drug);
        const answer = await call.commit(() => {
          place.run(drug, id);
          return { placed: drug };
        });
        await pause("placed", drug);
        return answer;
      }),
      Orders: m.handle(() =>
        database
          .prepare("select drug from orders")
          .all()
          .map((row) => row.drug),
      ),
    };
  });
const server = createServer();
attach(server, app);
server.listen(0, "127.0.0.1");
await once(server, "listening");
say({ port: server.address().port });
