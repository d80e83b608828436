/** An attacker as a process of its own, so that its sockets and its work are not the server's. */

import { attacks } from "../lib/abuse-attacks.mjs";

async function answer({ id, action, ...fields }) {
  try {
    process.send({ id, result: await attacks[action](fields, () => process.send({ id: `${id}`, ready: true })) });
  } catch (error) {
    process.send({ id, error: String(error?.stack ?? error) });
  }
}
process.on("message", (message) => void answer(message));
process.on("disconnect", () => process.exit(0));
process.send({ listening: process.pid });
