/** What the pages say in tables and numbers is what the code says. */

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { hubDefaults, hubwardDefaults, telemetryLevels } from "@hubward/server";
import {
  backChannelLogoutDefaults,
  introspectionDefaults,
  jwtDefaults,
  remoteKeyDefaults,
  securityEventsDefaults,
} from "@hubward/server/jose";
import { sessionsDefaults } from "@hubward/sessions";
import { isReasonName, parseReason, reasons, type ReasonName } from "@hubward/wire";
import { describe, expect, test } from "vitest";
import { readPage, root } from "./support/pages.js";
import { rowsUnder } from "./support/tables.js";

const model = readPage("docs/security-model.md").text;
const providers = readPage("docs/identity-providers.md").text;
const recipes = readPage("docs/recipes.md").text;
const concepts = readPage("docs/concepts.md").text;

/** Reasons that some source of the packages names, tests and the catalogue itself aside. */
function reasonsInUse(): readonly ReasonName[] {
  const sources = readdirSync(join(root, "packages"), { recursive: true, withFileTypes: true })
    .filter(({ name }) => name.endsWith(".ts") && !/\.test\.ts$|^reasons\.ts$|\.d\.ts$/.test(name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => /^packages\/(?:server|sessions|sqlite|wire)\/src\//.test(relative(root, path)))
    .map((path) => readFileSync(path, "utf8"));
  return (Object.keys(reasons) as ReasonName[]).filter((name) => sources.some((text) => text.includes(`"${name}"`)));
}

const named = (cell: string): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);

describe("the security model's reasons", () => {
  const byAction = rowsUnder(model, "action", "reasons in use", "do");
  const states = rowsUnder(model, "it says", "it means", "do");

  test("stand under the action that the catalogue gives them", () => {
    const claimed = byAction.flatMap(([action = "", names = ""]) =>
      named(names).map((name) => [name, action.replaceAll("`", "")] as const),
    );
    expect(claimed.length).toBeGreaterThan(20);
    for (const [name, action] of claimed) {
      expect([name, isReasonName(name) ? reasons[name].action : "no reason"]).toEqual([name, action]);
    }
  });

  test("read as they travel", () => {
    const said = states.flatMap(([says = ""]) => named(says));
    expect(said).toHaveLength(5);
    for (const text of said) {
      const parsed = parseReason(text);
      expect(parsed).toBeDefined();
      // The endpoints of sessions answer with the bare name.
      const action = /action=([a-z-]+)/.exec(text)?.[1] ?? (text === "session_revoked" ? "relogin" : "none");
      expect([text, parsed?.action]).toEqual([text, action]);
    }
  });

  test("are those that the code uses, and all of them", () => {
    const listed = [
      ...byAction.flatMap(([, names = ""]) => named(names)),
      ...states.flatMap(([says = ""]) => named(says)),
    ];
    const present = new Set(listed.map((text) => parseReason(text)?.name ?? text));
    // How a connection ends in good order is no refusal, and this one is in the table of its own package.
    const elsewhere = ["normal", "refresh_superseded"];
    const used = reasonsInUse().filter((name) => !elsewhere.includes(name));
    expect([...present].toSorted()).toEqual(used.toSorted());
  });
});

test("the table of what is logged has every event, as loud as it is", () => {
  const rows = rowsUnder(recipes, "event", "level", "says");
  expect(Object.fromEntries(rows.map(([event = "", level]) => [named(event)[0], level]))).toEqual(telemetryLevels);
  expect(rows).toHaveLength(Object.keys(telemetryLevels).length);
});

test("the defaults that the pages name are the code's", () => {
  const minutes = (ms: number): string => `${ms / 60_000} minutes`;
  expect(providers).toContain(`every ${minutes(remoteKeyDefaults.maxAgeMs)} (\`maxAgeMs\`)`);
  expect(remoteKeyDefaults.maxStaleMs).toBe(3_600_000);
  expect(providers).toContain("until they are an hour old (`maxStaleMs`)");
  expect(providers).toContain(`younger than ${remoteKeyDefaults.cooldownMs / 1000} s (\`cooldownMs\`)`);
  expect(jwtDefaults.types).toContain("at+jwt");
  const { maxAgeMs, maxAnswerSeconds } = introspectionDefaults;
  expect(providers).toContain(`serves for ${Math.min(maxAgeMs / 1000, maxAnswerSeconds / 2)} s`);
  expect(providers).toContain(`counts for ${maxAnswerSeconds} s`);
  expect(providers).toContain(`for ${introspectionDefaults.maxInactiveAgeMs / 1000} s (\`maxInactiveAgeMs\`)`);
  expect(providers).toContain(`within ${introspectionDefaults.timeoutMs / 1000} s (\`timeoutMs\`)`);
  expect(providers).toContain(`most ${introspectionDefaults.maxConcurrent} questions`);
  expect(providers).toContain(`at most ${minutes(backChannelLogoutDefaults.maxAgeSeconds * 1000)} old`);
  expect(providers).toContain(`older than ${securityEventsDefaults.maxAgeSeconds / 86_400} days`);
  expect(remoteKeyDefaults.algorithms.join()).toBe("RS256,ES256,EdDSA");
  expect(sessionsDefaults.accessTokenSeconds).toBe(300);
  expect(recipes).toContain("until its `exp`, five minutes by default");
  expect(concepts).toContain(`at most ${hubwardDefaults.maxGroupsPerConnection} groups`);
  expect(hubDefaults.maxParallelInvocations).toBe(1);
  expect(model).toContain("Calls of one connection run in order");
});
