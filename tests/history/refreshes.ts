/** Random schedules for login sessions: tabs that race, answers that are lost, cookies that come back late. */

import { randomBytes } from "node:crypto";
import { createFakeClock } from "@hubward/testing";
import { createSessions, generateSigningKey, importRefreshKey, type SessionStore } from "@hubward/sessions";
import { History, type HistoryEvent } from "./history.js";
import { createChoices } from "./randomness.js";

const ORIGIN = "https://ward.example";
const signingKey = generateSigningKey();

/** Runs one schedule over a store and gives its history. */
export async function runRefreshes(
  seed: number,
  createStore: (clock: { now(): number }) => SessionStore,
): Promise<readonly HistoryEvent[]> {
  const choices = createChoices(seed);
  const clock = createFakeClock();
  const history = new History(clock);
  const sessions = createSessions({
    issuer: `${ORIGIN}/auth`,
    audience: "ward",
    publicOrigin: ORIGIN,
    signingKey: await signingKey,
    refreshKey: importRefreshKey(randomBytes(32)),
    store: createStore(clock),
    onFailure: () => undefined,
    clock,
  });
  /** Every cookie each session was ever given, oldest first. */
  const jars: string[][] = [];

  async function signIn(): Promise<void> {
    const headers = { "content-type": "application/json", origin: ORIGIN };
    const request = new Request(`${ORIGIN}/auth/login`, { method: "POST", headers });
    const response = await sessions.start({ subject: `nurse-${jars.length}`, request });
    jars.push([cookieOf(response)]);
  }

  async function refresh(jar: string[], cookie: string): Promise<void> {
    const askedAt = history.events.length;
    const request = new Request(`${ORIGIN}/auth/refresh`, { method: "POST", headers: { origin: ORIGIN, cookie } });
    const response = await sessions.refresh(request);
    if (response.status !== 200) return;
    const { session, generation } = contentOf(cookie);
    history.record({ type: "refreshed", session, generation, askedAt });
    const next = cookieOf(response);
    if (!jar.includes(next)) jar.push(next);
  }

  for (let count = 0; count < 12; count++) await signIn();
  for (let count = 0; count < 250; count++) {
    const jar = choices.oneOf(jars);
    const tabs = choices.chance(0.3) ? choices.between(2, 6) : 1;
    const shown = Array.from({ length: tabs }, () => jar.at(choices.chance(0.8) ? -1 : -2) ?? jar[0] ?? "");
    const asked = Promise.all(shown.map((cookie) => refresh(jar, cookie)));
    if (choices.chance(0.5)) clock.advance(choices.between(0, 3_000));
    await asked;
    if (choices.chance(0.2)) clock.advance(choices.between(1_000, 15_000));
  }
  return history.events;
}

function cookieOf(response: Response): string {
  return response.headers.getSetCookie()[0]?.split(";", 1)[0] ?? "";
}

/** What the cookie's text shows. */
function contentOf(cookie: string): { readonly session: string; readonly generation: number } {
  const [session = "", generation] = cookie.slice(cookie.indexOf("=") + 1).split(".");
  return { session, generation: Number(generation) };
}
