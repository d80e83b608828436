/** A process that is killed while it revokes, or right behind: real processes, SIGKILL, the same log, every door. */

import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { describe, expect, onTestFinished, test } from "vitest";
import { linesOf } from "../support/lines.js";
import { openWebSocket, upgrade, type RawWebSocket } from "../support/raw-web-socket.js";
import type { Recorder } from "../support/recorder.js";
import { outcomeOf } from "../support/running-app.js";
import { ask, bearer, type PlainReply } from "../support/server.js";
import { AUDIENCE, createIssuer, ISSUER, verifyingJwk } from "../support/tokens.js";

const HUB = "/hub";
const issuer = await createIssuer({ now: () => Date.now() as ReturnType<Parameters<typeof createIssuer>[0]["now"]> });

interface Process {
  readonly port: number;
  readonly lines: Recorder<string>;
  /** `dies`: where it kills itself; by default nowhere. */
  revoke(session: string, dies?: "gated" | "committed" | "acknowledged"): void;
  kill(): void;
  readonly ended: Promise<NodeJS.Signals | null>;
}

async function newLog(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "hubward-killed-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "hubward.db");
}

async function start(path: string): Promise<Process> {
  const program = fileURLToPath(new URL("../support/revoking-server.mjs", import.meta.url));
  const child = fork(program, { stdio: ["ignore", "pipe", "inherit", "ipc"], execArgv: ["--no-warnings"] });
  const lines = linesOf(child);
  // Behind the last byte it printed.
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once("close", (_code, signal) => resolve(signal)),
  );
  const kill = (): void => void child.kill("SIGKILL");
  onTestFinished(async () => {
    kill();
    await ended;
  });
  const started = new Promise<number>((resolve, reject) => {
    child.once("message", ({ port }: { readonly port: number }) => resolve(port));
    child.once("close", () => reject(new Error("it ended instead of starting")));
  });
  child.send({ jwk: await verifyingJwk(), issuer: ISSUER, audience: AUDIENCE, path });
  return { port: await started, lines, ended, kill, revoke: (session, dies) => void child.send({ session, dies }) };
}

const tokenOf = (session: string): Promise<string> => issuer.token("ada", { claims: { sid: session } });

async function enter(port: number, token: string): Promise<RawWebSocket> {
  const socket = await openWebSocket({ port, path: HUB, headers: bearer(token) });
  await socket.shakeHands();
  return socket;
}

/** What each door says to a token: `accepted`, or the name of the reason. `other`: a good one of the same person. */
async function knock(port: number, token: string, other: string): Promise<Readonly<Record<string, string>>> {
  const verdictOn = ({ status, body }: Pick<PlainReply, "status" | "body">): string =>
    status < 300 ? "accepted" : (/"error":"([a-z_]+)/.exec(body)?.[1] ?? `${status}`);
  const negotiate = (who: string): Promise<PlainReply> =>
    ask(port, { method: "POST", path: `${HUB}/negotiate?negotiateVersion=1`, headers: bearer(who) });
  const newId = async (): Promise<string> =>
    (JSON.parse((await negotiate(other)).body) as { readonly connectionToken: string }).connectionToken;
  const upgraded = async (path: string): Promise<string> => {
    const outcome = await upgrade({ port, path, headers: bearer(token) });
    if (!outcome.isOpen) return verdictOn(outcome);
    outcome.webSocket.end();
    return "accepted";
  };

  const socketId = await newId();
  const socket = await openWebSocket({ port, path: `${HUB}?id=${socketId}`, headers: bearer(other) });
  await socket.shakeHands();
  const { error } = await socket.invoke("1", "hubward.reauthenticate", token);
  const pollId = await newId();
  await ask(port, { path: `${HUB}?id=${pollId}`, headers: bearer(other) });
  const hello = '{"protocol":"json","version":1}\x1e';
  const connection = new HubConnectionBuilder()
    .configureLogging(LogLevel.None)
    .withUrl(`http://127.0.0.1:${port}${HUB}`, {
      transport: HttpTransportType.WebSockets,
      accessTokenFactory: () => token,
    })
    .build();
  const started = await outcomeOf(connection.start());
  await connection.stop();
  const doors = {
    "a stock client": /session_revoked/.exec(started)?.[0] ?? (started === "undefined" ? "accepted" : started),
    negotiate: verdictOn(await negotiate(token)),
    "an upgrade without negotiate": await upgraded(HUB),
    "the upgrade of what another token negotiated": await upgraded(`${HUB}?id=${await newId()}`),
    "a first poll": verdictOn(await ask(port, { path: `${HUB}?id=${await newId()}`, headers: bearer(token) })),
    "a send": verdictOn(
      await ask(port, { method: "POST", path: `${HUB}?id=${pollId}`, headers: bearer(token), body: hello }),
    ),
    refresh: verdictOn(
      await ask(port, { method: "POST", path: `${HUB}/refresh?id=${socketId}`, headers: bearer(token) }),
    ),
    "a refresh in band": error === undefined ? "accepted" : String(error).replace(/;.*/, ""),
    "an ordinary route": (await ask(port, { path: "/", headers: bearer(token) })).body,
  };
  socket.end();
  return doors;
}

const everyDoor = (doors: Readonly<Record<string, string>>, verdict: string): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.keys(doors).map((door) => [door, verdict]));

describe("a process that is killed", () => {
  test.each(["acknowledged", "committed"] as const)("when a revocation was %s: no door opens again", async (moment) => {
    const path = await newLog();
    const first = await start(path);
    const token = await tokenOf("stolen");
    const live = await enter(first.port, token);
    const other = await tokenOf("her other one");
    const before = await knock(first.port, token, other);
    expect(before).toEqual(everyDoor(before, "accepted"));
    first.revoke("stolen", moment);
    expect(await first.ended).toBe("SIGKILL");
    await live.closed;
    expect(first.lines.items).toEqual(moment === "acknowledged" ? ["acknowledged stolen"] : []);
    // It was shut before anything was written, and whatever came of that: it heard no more.
    expect(JSON.stringify(live.messages.items)).not.toContain("behind the gate");

    const second = await start(path);
    const after = await knock(second.port, token, other);
    expect(after).toEqual(everyDoor(after, "session_revoked"));
  });

  test("when nothing was written yet: it has acknowledged nothing, and can be asked again", async () => {
    const path = await newLog();
    const first = await start(path);
    const token = await tokenOf("stolen");
    const other = await tokenOf("her other one");
    const live = await enter(first.port, token);
    first.revoke("stolen", "gated");
    expect(await first.ended).toBe("SIGKILL");
    await live.closed;
    expect(first.lines.items).toEqual([]);
    expect(JSON.stringify(live.messages.items)).not.toContain("behind the gate");

    const second = await start(path);
    const after = await knock(second.port, token, other);
    expect(after).toEqual(everyDoor(after, "accepted"));
    second.revoke("stolen");
    await second.lines.first((line) => line === "acknowledged stolen");
    const again = await knock(second.port, token, other);
    expect(again).toEqual(everyDoor(again, "session_revoked"));
  });

  test("at any moment: all doors say the same, and none opens to what was acknowledged", async () => {
    const path = await newLog();
    const other = await tokenOf("her other one");
    let process = await start(path);
    const refused: string[] = [];
    for (let round = 0; round < 3; round++) {
      const session = `stolen-${round}`;
      const token = await tokenOf(session);
      await enter(process.port, token);
      process.revoke(session);
      // Before it has read it, or in the middle, or long behind.
      for (let turns = 0; turns < 6 ** round; turns++) await new Promise((resolve) => setImmediate(resolve));
      process.kill();
      await process.ended;
      const wasAcknowledged = process.lines.items.includes(`acknowledged ${session}`);
      process = await start(path);
      const after = await knock(process.port, token, other);
      const verdict = after["negotiate"] ?? "";
      expect(after).toEqual(everyDoor(after, verdict));
      expect(wasAcknowledged ? ["session_revoked"] : ["session_revoked", "accepted"]).toContain(verdict);
      if (verdict === "session_revoked") refused.push(session);
    }
    // What an earlier round took back, no later crash gave again.
    for (const session of refused) {
      const headers = bearer(await tokenOf(session));
      expect((await ask(process.port, { path: "/", headers })).body).toBe("session_revoked");
    }
  });
});
