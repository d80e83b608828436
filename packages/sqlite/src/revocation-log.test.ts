import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  createRevocation,
  type NewRevocation,
  type RevocationKind,
  type RevocationLog,
  type RevocationTarget,
} from "@hubward/server/ports";
import { createFakeClock, revocationLogSuite, type OpenRevocationLog } from "@hubward/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { engines, newPath, open, start } from "../test/fixture.js";
import type { Database } from "./database.js";
import type { EngineName } from "./engine-port.js";
import { loadEngine } from "./engine.js";
import { createSqliteRevocationLog } from "./revocation-log.js";

const issuer = "https://issuer.example";
const clock = createFakeClock();

function entryOf(target: RevocationTarget, kind: RevocationKind = "end"): NewRevocation {
  return createRevocation({ kind, target }, { now: clock.now(), maxTokenAgeMs: 3_600_000 });
}

function sessionEnd(sessionId: string): NewRevocation {
  return entryOf({ type: "session", tenant: undefined, issuer, sessionId });
}

async function sessionsIn(log: RevocationLog): Promise<string[]> {
  const { entries, upTo, head } = await log.read(0);
  expect(upTo).toBe(head);
  return entries.flatMap(({ target }) => (target.type === "session" ? [target.sessionId] : []));
}

/** A small disk of its own, where this process may mount one. */
function mountDisk(): string | undefined {
  const folder = dirname(newPath());
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync("umount", ["--lazy", folder]));
  return folder;
}

const notDurable: unknown = expect.objectContaining({ name: "HubwardError", reason: "not_durable" });
const unbelievable = "the revocation log cannot be believed";

describe.each(engines)("the log of revocations on %s", (engine) => {
  const openAt = async (path: string): Promise<{ readonly database: Database; readonly log: RevocationLog }> => {
    const database = await open({ path, engine, busyTimeoutMs: 50 });
    return { database, log: createSqliteRevocationLog({ database, clock }) };
  };

  /** A log with three entries, closed, and the file as anybody can open it. */
  async function threeEntries(): Promise<{ readonly path: string; readonly exec: (sql: string) => Promise<void> }> {
    const path = newPath();
    const { database, log } = await openAt(path);
    for (const name of ["a", "b", "c"]) await log.append(sessionEnd(name));
    await log.close();
    database.close();
    const exec = async (sql: string): Promise<void> => {
      const raw = (await loadEngine(engine)).connect(path);
      raw.exec(sql);
      raw.close();
    };
    return { path, exec };
  }

  it.each(revocationLogSuite)("$name", async (each) => {
    const places = new Map<string, { readonly path: string; database?: Database }>();
    const openLog: OpenRevocationLog = async (settings) => {
      const place = places.get(settings.place) ?? { path: newPath() };
      places.set(settings.place, place);
      // A process that starts anew opens the file anew.
      place.database?.close();
      place.database = await open({ path: place.path, engine });
      return createSqliteRevocationLog({ database: place.database, clock: settings.clock });
    };
    await each.run(openLog);
  });

  it("what was acknowledged the moment before the process was killed is there", async () => {
    const path = newPath();
    const acknowledged: string[] = [];
    for (let life = 0; life < 4; life++) {
      const child = start("revoke.mjs", engine, path);
      expect(await child.line()).toBe("open");
      // More are under way when the first of them is told.
      for (let index = 0; index < 8; index++) child.say(`s-${life}-${index}`);
      for (let index = 0; index <= life; index++) acknowledged.push(await child.line());
      await child.kill();
    }
    const { log } = await openAt(path);
    const { entries } = await log.read(0);
    const kept = entries.map(({ target, number }) => `${target.type === "session" && target.sessionId} ${number}`);
    expect(acknowledged).toHaveLength(10);
    expect(kept).toEqual(expect.arrayContaining(acknowledged));
  });

  it.runIf(process.platform === "linux" && process.getuid?.() === 0)(
    "a disk that is full is told as not durable, and nothing acknowledged is lost by it",
    async ({ skip }) => {
      const folder = mountDisk();
      if (folder === undefined) return skip("this process may not mount a disk");
      const { database, log } = await openAt(join(folder, "hubward.db"));
      await log.append(sessionEnd("before"));
      const ballast = join(folder, "ballast");
      let files = 0;
      for (let size = 65_536; size >= 512; size /= 2) {
        try {
          for (;;) writeFileSync(`${ballast}-${files++}`, new Uint8Array(size));
        } catch {
          // No room for another of this size; what was written of it goes, for a smaller one.
          rmSync(`${ballast}-${files - 1}`, { force: true });
        }
      }
      // What SQLite has reserved in its log already may take a few.
      let outcome: PromiseSettledResult<unknown> | undefined;
      const kept: string[] = ["before"];
      for (let index = 0; index < 500 && outcome?.status !== "rejected"; index++) {
        [outcome] = await Promise.allSettled([log.append(sessionEnd(`s-${index}`))]);
        if (outcome?.status === "fulfilled") kept.push(`s-${index}`);
      }
      expect(outcome).toMatchObject({ status: "rejected", reason: notDurable });
      expect(outcome).toMatchObject({ reason: { cause: { failure: "full" } } });
      expect(await sessionsIn(log)).toEqual(kept);
      execFileSync("find", [folder, "-name", "ballast-*", "-delete"]);
      await log.append(sessionEnd("after"));
      await log.close();
      database.close();
      const again = await openAt(join(folder, "hubward.db"));
      expect(await sessionsIn(again.log)).toEqual([...kept, "after"]);
      again.database.close();
    },
  );

  it("a database that may not grow is told as not durable, and takes entries again when it may", async () => {
    const { database, log } = await openAt(newPath());
    await log.append(sessionEnd("before"));
    const pages = Number(database.prepare("pragma page_count").get()?.["page_count"]);
    database.exec(`pragma max_page_count = ${pages}`);
    const listener = { entry: () => expect.unreachable(), interrupted: () => expect.unreachable() };
    const end = log.subscribe(listener);
    const appends = Array.from({ length: 400 }, (_, index) => log.append(sessionEnd(`s-${index}`)));
    for (const outcome of await Promise.allSettled(appends)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: notDurable });
    }
    end();
    expect(await sessionsIn(log)).toEqual(["before"]);
    database.exec(`pragma max_page_count = ${pages + 1_000}`);
    expect((await log.append(sessionEnd("after"))).number).toBe(2);
  });

  it("a database that another program has locked is told as not durable", async () => {
    const path = newPath();
    const { log } = await openAt(path);
    const other = (await loadEngine(engine)).connect(path);
    onTestFinished(() => other.close());
    other.exec("begin immediate");
    await expect(log.append(sessionEnd("locked"))).rejects.toEqual(notDurable);
    other.exec("rollback");
    expect((await log.append(sessionEnd("free"))).number).toBe(1);
    expect(await sessionsIn(log)).toEqual(["free"]);
  });

  it("a database that was closed under it is told as not durable, and as unreadable", async () => {
    const { database, log } = await openAt(newPath());
    const append = log.append(sessionEnd("late"));
    database.close();
    await expect(append).rejects.toEqual(notDurable);
    await expect(log.read(0)).rejects.toMatchObject({ reason: "auth_unavailable" });
  });

  it.each<[string, string]>([
    ["a name in a record was changed", `update hubward_revocations set record = replace(record, '"b"', '"x"')`],
    ["a record is no record", `update hubward_revocations set record = '{}' where number = 2`],
    ["a record is longer than any", `update hubward_revocations set record = hex(zeroblob(20000)) where number = 2`],
    ["an entry would be forgotten sooner", `update hubward_revocations set keep_until = keep_until - 1`],
    ["an entry has another's number", `update hubward_revocations set number = 7 where number = 3`],
    [
      "an entry has another number that was given",
      `update hubward_revocation_log set head = 9; update hubward_revocations set number = 7 where number = 3`,
    ],
    ["the kind was changed", `update hubward_revocations set kind = 'lift' where number = 2`],
    ["the target was changed", `update hubward_revocations set target = x'00' where number = 2`],
    ["the seal is gone", `update hubward_revocations set seal = x'' where number = 2`],
    ["an entry is gone", `delete from hubward_revocations where number = 2`],
    ["all entries are gone", `delete from hubward_revocations`],
    ["the last number was taken back", `update hubward_revocation_log set head = 2`],
    ["the log has another name", `update hubward_revocation_log set log_id = 'x'`],
    ["the log has no name", `delete from hubward_revocation_log`],
  ])("is not opened when %s", async (_, damage) => {
    const { path, exec } = await threeEntries();
    await exec(damage);
    const database = await open({ path, engine });
    let thrown: unknown;
    try {
      createSqliteRevocationLog({ database, clock });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ name: "Error" });
    expect((thrown as Error).cause).toBeInstanceOf(Error);
  });

  it("fails closed when entries are changed while it is open", async () => {
    const { database, log } = await openAt(newPath());
    await log.append(sessionEnd("a"));
    database.exec(`update hubward_revocations set record = replace(record, '"a"', '"x"')`);
    await expect(log.read(0)).rejects.toThrow(unbelievable);
    database.exec("delete from hubward_revocation_log");
    await expect(log.append(sessionEnd("b"))).rejects.toEqual(notDurable);
  });

  it("throws away what need not be remembered, so that the file does not grow", async () => {
    const path = newPath();
    const { database, log } = await openAt(path);
    const rows = (): unknown => database.prepare("select count(*) as n from hubward_revocations").get()?.["n"];
    const person = { type: "identity", tenant: undefined, issuer, subject: "nurse-7" } as const;
    for (let round = 0; round < 5; round++) {
      for (let index = 0; index < 20; index++) await log.append(sessionEnd(`s-${round}-${index}`));
      await log.append(entryOf(person, "suspension"));
      await log.append(entryOf(person, "lift"));
      expect(rows()).toBe(21);
      clock.advance(3_660_000);
    }
    await log.append(sessionEnd("last"));
    expect(rows()).toBe(1);
    await log.close();
    expect((await createSqliteRevocationLog({ database, clock }).read(0)).head).toBe(111);
  });

  it("commits what is asked for at once in one transaction", async () => {
    const { database, log } = await openAt(newPath());
    let commits = 0;
    const { transaction } = database;
    Object.defineProperty(database, "transaction", {
      value: (work: () => unknown) => (commits++, transaction.call(database, work)),
    });
    await Promise.all(Array.from({ length: 100 }, (_, index) => log.append(sessionEnd(`s-${index}`))));
    expect(commits).toBe(1);
    for (let index = 0; index < 3; index++) await log.append(sessionEnd(`t-${index}`));
    expect(commits).toBe(4);
  });

  it("is open once: a second one would not hear of its entries", async () => {
    const { database, log } = await openAt(newPath());
    expect(() => createSqliteRevocationLog({ database, clock })).toThrow(TypeError);
    await log.close();
    await createSqliteRevocationLog({ database, clock }).append(sessionEnd("a"));
  });
});

it("what one engine wrote, the other reads", async ({ skip }) => {
  if (engines.length < 2) return skip("this Node has one engine only");
  const path = newPath();
  for (const [index, engine] of ([...engines, ...engines] satisfies EngineName[]).entries()) {
    const database = await open({ path, engine });
    const log = createSqliteRevocationLog({ database, clock });
    await log.append(sessionEnd(`s-${index}`));
    expect(await sessionsIn(log)).toHaveLength(index + 1);
    database.close();
  }
});
