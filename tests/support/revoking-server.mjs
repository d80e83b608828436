/**
 * A hub with a durable log of revocations, as a process of its own, from the build: for what a process that is killed
 * leaves behind. Its parent configures it by one message and is told its port. For `{ session, dies }` it revokes a
 * session, and kills itself where `dies` says: `gated`, when everybody is shut and nothing is written; `committed`,
 * when the log has it and nobody knows; `acknowledged`, in the turn in which `revoke` resolves. Prints
 * `acknowledged <session>` by then, before anything else can happen.
 */

import { writeSync } from "node:fs";
import { createServer } from "node:http";
import { hubward } from "@hubward/server";
import { jwt, publicKey } from "@hubward/server/jose";
import { attach } from "@hubward/server/node";
import { createSqliteRevocationLog, openDatabase } from "@hubward/sqlite";

const { jwk, issuer, audience, path } = await new Promise((resolve) => process.once("message", resolve));

const die = () => process.kill(process.pid, "SIGKILL");
let dies;
const log = createSqliteRevocationLog({ database: await openDatabase({ path }) });
const revocations = {
  ...log,
  async append(entry) {
    if (dies === "gated") die();
    const number = await log.append(entry);
    if (dies === "committed") die();
    return number;
  },
};

const app = hubward({
  authenticator: jwt({ issuer, audience, keys: publicKey(jwk) }),
  principal: () => ({}),
  revocations,
  telemetry: () => undefined,
});
const anyone = app.policy("Anyone", () => true);
app
  .hub("/hub", { authenticationRefresh: true })
  .allow(anyone)
  .methods((m) => ({ Hi: m.handle(({ principal }) => principal.subject) }));

async function revoke({ session }) {
  const revoked = app.revoke({ session });
  app.toAll().emit("news", "behind the gate");
  await revoked;
  writeSync(1, `acknowledged ${session}\n`);
  if (dies === "acknowledged") die();
}

process.on("message", (asked) => {
  ({ dies } = asked);
  void revoke(asked);
});

const server = createServer((request, response) => {
  void app.http.authenticate(request).then(
    () => response.end("accepted"),
    (error) => response.end(error.reason),
  );
});
attach(server, app);
await app.ready();
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
