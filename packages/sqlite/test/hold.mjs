/**
 * `hold.mjs <engine> <path>`: opens a database, says so or why not, and holds it until it is killed. Each line it
 * reads is one note written; `tell` says how many there are.
 */

import { createInterface } from "node:readline";
import { openDatabase } from "@hubward/sqlite";

const [engine, path] = process.argv.slice(2);
try {
  const database = await openDatabase({ path, engine });
  createInterface({ input: process.stdin }).on("line", (line) => {
    if (line === "tell") console.log(`written ${database.prepare("select count(*) as n from notes").get().n}`);
    else database.prepare("insert into notes values (?)").run(line);
  });
  console.log("open");
} catch (error) {
  console.log(error.failure ?? error.message);
}
