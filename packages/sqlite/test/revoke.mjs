/**
 * `revoke.mjs <engine> <path>`: opens the log of revocations and ends a session for each line it reads, named as the
 * line says. Prints `name number` the moment an append has resolved.
 */

import { createInterface } from "node:readline";
import { createRevocation } from "@hubward/server/ports";
import { createSqliteRevocationLog, openDatabase } from "@hubward/sqlite";

const [engine, path] = process.argv.slice(2);
const log = createSqliteRevocationLog({ database: await openDatabase({ path, engine }) });

async function endSession(sessionId) {
  const target = { type: "session", tenant: undefined, issuer: "https://issuer.example", sessionId };
  const { number } = await log.append(
    createRevocation({ kind: "end", target }, { now: Date.now(), maxTokenAgeMs: 3_600_000 }),
  );
  console.log(`${sessionId} ${number}`);
}

createInterface({ input: process.stdin }).on("line", (line) => void endSession(line));
console.log("open");
