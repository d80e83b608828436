/** `lock.mjs <engine> <path>`: another program in the middle of a write. The next line it reads ends that. */

import { once } from "node:events";
import { createRequire } from "node:module";

const [engine, path] = process.argv.slice(2);
const Connection =
  engine === "libsql" ? createRequire(import.meta.url)("libsql") : process.getBuiltinModule("node:sqlite").DatabaseSync;
const connection = new Connection(path);
connection.exec("begin immediate");
console.log("locked");
await once(process.stdin, "data");
connection.exec("rollback");
connection.close();
console.log("released");
process.stdin.pause();
