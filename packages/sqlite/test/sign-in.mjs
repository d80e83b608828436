/**
 * `sign-in.mjs <engine> <path> <secret>`: login sessions over a database, asked line by line; every answer is one line
 * of JSON. `login`, `refresh <cookie>`, `logout <cookie>`. `pause <where>` before that stops the next one there, for
 * ever, and says so: `issue` before its commit, `commit` after it, `told` in `onEnded`.
 */

import { createInterface } from "node:readline";
import { createSessions, deriveRefreshKey, generateSigningKey } from "@hubward/sessions";
import { createSqliteSessionStore, openDatabase } from "@hubward/sqlite";

const [engine, path, secret] = process.argv.slice(2);
const origin = "https://ward.example";
let pauseAt = "";

const say = (value) => console.log(JSON.stringify(value));
const pass = async (where) => {
  if (pauseAt !== where) return;
  say({ paused: where });
  await new Promise(() => undefined);
};

const store = createSqliteSessionStore({ database: await openDatabase({ path, engine }) });
const sessions = createSessions({
  issuer: origin,
  audience: "clinic",
  publicOrigin: origin,
  signingKey: await generateSigningKey(),
  refreshKey: deriveRefreshKey(secret),
  retryWindowMs: 60_000, // a slow machine may take its time to start again
  store: {
    ...store,
    async compareAndSet(...change) {
      const isMade = await store.compareAndSet(...change);
      await pass("commit");
      return isMade;
    },
  },
  currentClaims: async ({ claims }) => {
    await pass("issue");
    return claims;
  },
  onEnded: async ({ why }) => {
    await pass("told");
    say({ ended: why });
  },
  onFailure: (cause) => console.error(cause),
});

say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument] = line.split(" ");
  if (command === "pause") {
    pauseAt = argument;
    continue;
  }
  const headers = { origin, "content-type": "application/json", cookie: argument ?? "" };
  const request = new Request(`${origin}/auth/${command}`, { method: "POST", headers });
  const response =
    command === "login" ? await sessions.start({ subject: "nurse-7", request }) : await sessions[command](request);
  const cookie = response.headers.getSetCookie()[0]?.split(";", 1)[0];
  say({ status: response.status, cookie, body: await response.text() });
}
