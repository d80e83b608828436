/** What goes wrong around the file: nothing is half done, everything is refused, the process lives, and it passes. */

import { chmodSync, closeSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { StoredSession } from "@hubward/sessions";
import type { CommandStart, IdempotencyStore } from "@hubward/server/ports";
import { describe, expect, it } from "vitest";
import { engines, newPath, open, start } from "../test/fixture.js";
import { mountSmallDisk } from "../test/small-disk.js";
import type { Database } from "./database.js";
import { openDatabase } from "./database.js";
import { createSqliteIdempotencyStore } from "./idempotency-store.js";
import { createSqliteSessionStore } from "./session-store.js";

const T = Date.now();

function session(sessionId: string): StoredSession {
  const family = { generation: 0, spentAt: [], startedAt: T, expiresAt: T + 3_600_000 };
  const claims = { roles: ["nurse"], note: "x".repeat(500) };
  return { sessionId, subject: "nurse-7", clientId: "c", claims, revision: 0, family };
}

function failing(failure: string): unknown {
  return expect.objectContaining({ name: "HubwardError", reason: "auth_unavailable", failure });
}

function begin(store: IdempotencyStore, key: string): Extract<CommandStart, { state: "started" }> {
  const begun = store.start(key, "digest", "owner");
  if (begun instanceof Promise || begun.state !== "started") throw new TypeError("not started");
  return begun;
}

function integrity(database: Database): unknown {
  return database.prepare("pragma integrity_check").get()?.["integrity_check"];
}

/** Takes all the room that a database of its own would need: what is allowed to it, or what the disk has. */
const ways = [
  {
    name: "the database's own limit",
    prepare: () => {
      const path = newPath();
      return {
        path,
        fill(database: Database) {
          const pages = Number(database.prepare("pragma page_count").get()?.["page_count"]);
          database.exec(`pragma max_page_count = ${pages}`);
        },
        empty: (database: Database) => database.exec("pragma max_page_count = 1000000"),
      };
    },
  },
  {
    name: "a small disk",
    prepare: () => {
      const disk = mountSmallDisk(512);
      if (disk === undefined) return undefined;
      const filler = join(disk.folder, "filler");
      return {
        path: join(disk.folder, "hubward.db"),
        fill() {
          const file = openSync(filler, "w");
          try {
            for (const size of [4096, 1]) for (;;) if (writeSync(file, Buffer.alloc(size)) < size) break;
          } catch {
            // The disk is full.
          } finally {
            closeSync(file);
          }
        },
        empty: () => rmSync(filler),
      };
    },
  },
] as const;

describe.each(engines)("on %s,", (engine) => {
  describe.each(ways)("where there is no room left, because of $name,", ({ prepare }) => {
    it("logins and commands are refused whole, what is known stays, and all goes on when there is room again", async ({
      skip,
    }) => {
      const place = prepare() ?? skip("no disk of its own without root on Linux");
      const database = await open({ path: place.path, engine });
      database.exec("create table orders (text text not null)");
      const order = database.prepare("insert into orders values (?)");
      const sessions = createSqliteSessionStore({ database });
      const commands = createSqliteIdempotencyStore({ database });
      await sessions.create(session("before"));
      await begin(commands, "before").finish({ kind: "hidden" });
      const [running, committing] = [begin(commands, "running"), begin(commands, "committing")];
      place.fill(database);

      const created: string[] = [];
      const createUntilFull = async (): Promise<void> => {
        for (let index = 0; index < 1_000; index++) {
          await sessions.create(session(`more-${index}`));
          created.push(`more-${index}`);
        }
      };
      await expect(createUntilFull()).rejects.toEqual(failing("full"));
      expect(await sessions.read(`more-${created.length}`)).toBeUndefined();
      for (const sessionId of ["before", ...created])
        expect(await sessions.read(sessionId)).toEqual(session(sessionId));

      // A result that does not fit: the command's end is owed, and until it is paid nothing new begins.
      const result = { kind: "value", value: "y".repeat(60_000) } as const;
      expect(() => committing.commit?.(() => [order.run("aspirin"), result.value])).toThrow(failing("full"));
      expect(() => running.finish(result)).toThrow(failing("full"));
      expect(() => commands.start("next", "digest", "owner")).toThrow(failing("full"));
      expect(() => commands.start("before", "digest", "owner")).toThrow(failing("full"));

      place.empty(database);
      expect(commands.start("running", "digest", "owner")).toEqual({ state: "known", outcome: result });
      expect(database.prepare("select * from orders").all()).toEqual([]);
      expect(committing.commit?.(() => order.run("aspirin"))).toEqual({ changes: 1 });
      await sessions.create(session(`more-${created.length}`));
      expect(integrity(database)).toBe("ok");
      database.close();
      const again = createSqliteIdempotencyStore({ database: await open({ path: place.path, engine }) });
      expect(again.start("running", "digest", "owner")).toEqual({ state: "known", outcome: result });
    });
  });

  it("while another program writes, everything that writes is refused after a bounded wait, and then goes on", async () => {
    const path = newPath();
    const database = await open({ path, engine, busyTimeoutMs: 20 });
    const sessions = createSqliteSessionStore({ database });
    const commands = createSqliteIdempotencyStore({ database });
    await sessions.create(session("a"));
    const running = begin(commands, "running");
    const other = start("lock.mjs", engine, path);
    expect(await other.line()).toBe("locked");

    await expect(sessions.create(session("b"))).rejects.toEqual(failing("busy"));
    await expect(sessions.compareAndSet(0, { ...session("a"), revision: 1 })).rejects.toEqual(failing("busy"));
    expect(await sessions.read("a")).toEqual(session("a"));
    expect(() => running.finish({ kind: "hidden" })).toThrow(failing("busy"));
    expect(() => commands.start("next", "digest", "owner")).toThrow(failing("busy"));

    other.say("go on");
    expect(await other.line()).toBe("released");
    await other.ended;
    expect(commands.start("running", "digest", "owner")).toEqual({ state: "known", outcome: { kind: "hidden" } });
    expect(await sessions.compareAndSet(0, { ...session("a"), revision: 1 })).toBe(true);
    expect(await sessions.read("b")).toBeUndefined();
  });

  it("a database that cannot be written is refused when it is opened", async ({ skip }) => {
    const disk = mountSmallDisk(512);
    if (disk === undefined && process.getuid?.() === 0) skip("root writes everything, and there is no disk of its own");
    const path = disk === undefined ? newPath() : join(disk.folder, "hubward.db");
    // Another process, because libsql lets go of a file only when its statements are collected.
    const earlier = start("hold.mjs", engine, path);
    expect(await earlier.line()).toBe("open");
    await earlier.kill();
    if (disk === undefined) {
      chmodSync(path, 0o400);
      chmodSync(dirname(path), 0o500);
    } else {
      disk.makeReadOnly();
    }
    const before = statSync(path).mtimeMs;
    await expect(openDatabase({ path, engine })).rejects.toEqual(failing("read-only"));
    expect(statSync(path).mtimeMs).toBe(before);
    await expect(openDatabase({ path: join(dirname(path), "new.db"), engine })).rejects.toEqual(failing("read-only"));
    if (disk === undefined) chmodSync(dirname(path), 0o700);
  });

  it("a damaged page is told as such, never as a session that is not there or another one", async () => {
    const path = newPath();
    const first = await open({ path, engine });
    const before = createSqliteSessionStore({ database: first });
    const names = Array.from({ length: 200 }, (_, index) => `session-${index}`);
    for (const name of names) await before.create(session(name));
    first.close();
    const { size } = statSync(path);
    const file = openSync(path, "r+");
    const from = Math.floor(size / 2 / 4096) * 4096;
    writeSync(file, Buffer.alloc(size - from, 0xa5), 0, size - from, from);
    closeSync(file);

    const database = await open({ path, engine });
    const outcomes = await Promise.allSettled(
      // Even the count at the start may stand on a damaged page.
      names.map(async (name) => [name, await createSqliteSessionStore({ database }).read(name)]),
    );
    const failed = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
    expect(failed.length).toBeGreaterThan(0);
    for (const failure of failed) expect(failure).toEqual(failing("corrupt"));
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") expect(outcome.value[1]).toEqual(session(String(outcome.value[0])));
    }
  });
});
