/** Rooms by clients that others made: Python's `websockets`, and the WebSocket that Node brings. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import type { App, Principal } from "@hubward/server";
import { describe, expect, onTestFinished, test } from "vitest";
import { findNode, plainEnvironment } from "../../scripts/node-binary.mjs";
import { linesOf } from "../support/lines.js";
import { missingPython, python } from "../support/python.js";
import type { Recorder } from "../support/recorder.js";
import { enterRooms } from "../support/rooms-client.js";
import { runApp } from "../support/running-app.js";
import { text, word } from "../support/schemas.js";

interface Client {
  readonly name: string;
  /** Program and arguments. */
  readonly command: readonly [string, string];
  readonly ways: readonly string[];
  /** Why it cannot be run here. */
  readonly missing: string | undefined;
  /** Whether `npm run setup` brings it: CI fails without. */
  readonly isRequired: boolean;
  /** What it says of an upgrade that was answered with 401. */
  readonly refusal: RegExp;
}

const program = (name: string): string => join(import.meta.dirname, "programs", name);

async function builtIn(version: string): Promise<Client> {
  const found = "WebSocket" in globalThis ? { path: process.execPath } : await findNode(version);
  return {
    name: `the WebSocket that Node brings since version ${version}`,
    command: ["path" in found ? found.path : "node", program("rooms.mjs")],
    ways: ["ticket", "first frame"],
    missing: "missing" in found ? found.missing : undefined,
    isRequired: false,
    refusal: /^(?:refused|closed 100[26])/,
  };
}

const clients: readonly Client[] = [
  {
    name: "Python's websockets",
    command: [python, program("rooms.py")],
    ways: ["header", "ticket", "first frame"],
    missing: missingPython(),
    isRequired: true,
    refusal: /^refused .*401/,
  },
  await builtIn("22"),
];

function declare(app: App<Principal>): void {
  const staff = app.policy("Staff", () => true);
  app
    .group("ward/{ward}", { ward: word })
    .allow(staff)
    .room((room) => room.publish("note", text, (draft) => draft.members()));
  app.rooms().allow(staff);
}

const start = () => runApp(() => ({}), declare);

function run({ command: [binary, file] }: Client, env: Readonly<Record<string, string>>): Recorder<string> {
  const child = spawn(binary, [file], { env: { ...plainEnvironment, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return linesOf(child);
}

for (const client of clients) {
  const { isRequired, missing, name, refusal, ways } = client;
  if (isRequired && missing !== undefined && process.env["CI"] === "true")
    test(`${name} is here, because CI runs every client`, () => {
      throw new Error(missing);
    });
  else if (missing !== undefined) console.warn(`SKIPPED: ${name}: ${missing}`);

  describe.skipIf(missing !== undefined)(name, () => {
    test.each(ways)("comes in by %s, joins, speaks, hears, and is told why it has to go", async (way) => {
      const { port, issuer, app } = await start();
      const amara = await enterRooms(port, await issuer.token("amara"));
      await amara.ask({ type: "join", room: "ward/icu" });
      const token = await issuer.token("chidi", { claims: { sid: "s1" } });
      const lines = run(client, { ROOMS: `127.0.0.1:${port}`, TOKEN: token, WAY: way });
      const note = { type: "message", room: "ward/icu", event: "note", payload: "from afar" };
      expect(await amara.first("message")).toEqual(note);
      await amara.ask({ type: "publish", room: "ward/icu", event: "note", payload: "and back" });
      await lines.first((line) => line.includes("and back"));
      await app.revoke({ session: "s1" });
      expect(await lines.first((line) => line.startsWith("closed"))).toBe("closed 4410 session_revoked;action=relogin");
      const [subprotocol, ...frames] = lines.items.filter((line) => !line.startsWith("closed"));
      expect(subprotocol).toBe("subprotocol hubward.rooms.v1");
      expect(frames.map((frame) => JSON.parse(frame) as unknown)).toEqual([
        {
          type: "ready",
          id: way === "first frame" ? 1 : undefined,
          connection_id: expect.any(String),
          expires_in: expect.any(Number),
          heartbeat: 15,
        },
        { type: "joined", id: 2, room: "ward/icu" },
        note,
        { type: "ack", id: 3 },
        { ...note, payload: "and back" },
        { type: "closing", code: 4410, reason: "session_revoked", action: "relogin" },
      ]);
    });

    test("is told in the socket what its first frame is refused for, and by a status what its upgrade is", async () => {
      const { port, issuer } = await start();
      const expired = await issuer.token("chidi", { age: 600, lifetime: -300 });
      const env = { ROOMS: `127.0.0.1:${port}`, TOKEN: expired };
      const told = run(client, { ...env, WAY: "first frame" });
      expect(await told.first((line) => line.startsWith("closed"))).toBe("closed 4401 token_expired;action=refresh");
      expect(JSON.parse(told.items[1] ?? "")).toEqual({
        type: "closing",
        code: 4401,
        reason: "token_expired",
        action: "refresh",
      });
      // Where it can send no header it is refused a ticket, and comes with none that counts.
      const way = ways.includes("header") ? "header" : "ticket";
      await run(client, { ...env, WAY: way }).first((line) => refusal.test(line));
    });
  });
}
