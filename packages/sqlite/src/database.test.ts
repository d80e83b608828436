import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { engines, newPath, open, start } from "../test/fixture.js";
import { DatabaseError } from "./database-error.js";
import { openDatabase } from "./database.js";
import type { SqlValue } from "./engine-port.js";
import { loadEngine } from "./engine.js";

function failing(failure: string): unknown {
  return expect.objectContaining({ name: "HubwardError", reason: "auth_unavailable", failure });
}

describe.each(engines)("a database on %s", (engine) => {
  it("keeps what was written, through a restart, with every commit flushed", async () => {
    const path = newPath();
    const first = await open({ path, engine });
    expect(first.engine).toBe(engine);
    expect(first.prepare("pragma journal_mode").get()).toEqual({ journal_mode: "wal" });
    expect(first.prepare("pragma synchronous").get()).toEqual({ synchronous: 2 });
    expect(first.prepare("pragma foreign_keys").get()).toEqual({ foreign_keys: 1 });
    first.exec("create table notes (text text, number real, bytes blob)");
    const insert = first.prepare("insert into notes values (?, ?, ?)");
    expect(insert.run("Zoë \u{1F3E5}", 2 ** 53 - 1, new Uint8Array([0, 255]))).toEqual({ changes: 1 });
    expect(insert.run(null, 0.5, null)).toEqual({ changes: 1 });
    first.close();

    const second = await open({ path, engine });
    const select = second.prepare("select * from notes where number > ?");
    const rows = select.all(0.4);
    expect(rows.map((row) => ({ ...row }))).toEqual([
      { text: "Zoë \u{1F3E5}", number: 2 ** 53 - 1, bytes: expect.anything() },
      { text: null, number: 0.5, bytes: null },
    ]);
    expect(rows[0]?.["bytes"]).toEqual(new Uint8Array([0, 255]));
    expect(select.get(2 ** 53)).toBeUndefined();
  });

  it("a statement forgets the values and rows of the last time, however it was used", async () => {
    const database = await open({ path: newPath(), engine });
    const select = database.prepare("select ? as a, ? as b");
    const uses = [
      (a: SqlValue, b: SqlValue) => ({ ...select.get(a, b) }),
      (a: SqlValue, b: SqlValue) => ({ ...select.all(a, b)[0] }),
    ];
    for (const before of [...uses, (a: SqlValue, b: SqlValue) => select.run(a, b)]) {
      for (const use of uses) {
        before(1, 2);
        expect(use("x", null)).toEqual({ a: "x", b: null });
        expect(use(null, 3)).toEqual({ a: null, b: 3 });
      }
    }
    const blob = database.prepare("select ? as bytes");
    expect(blob.get(new Uint8Array([9, 0, 255, 9]).subarray(1, 3))?.["bytes"]).toEqual(new Uint8Array([0, 255]));
    expect(blob.get(null)).toMatchObject({ bytes: null });
  });

  it("a value that SQLite cannot hold, or one too few, is a mistake and not the end of the process", async () => {
    const database = await open({ path: newPath(), engine });
    const select = database.prepare("select ? as a, ? as b");
    select.get(1, 2);
    for (const value of [true, undefined, 1n, Number.NaN, {}, new Date(0), [], Symbol("x"), "a\0b", "\uD800"]) {
      expect(() => select.get(value as SqlValue, 1)).toThrow(TypeError);
    }
    expect(() => select.get(3)).toThrow(TypeError);
    expect(() => select.all(3, 4, 5)).toThrow(TypeError);
    expect(() => database.prepare("selec")).toThrow(/syntax error/);
    expect(() => database.exec("drop table nobody")).toThrow(/no such table/);
    expect(select.get(3, 4)).toMatchObject({ a: 3, b: 4 });
  });

  it("gives no right to group and others, on files that are made and files that were there", async () => {
    const path = newPath();
    writeFileSync(path, "");
    chmodSync(path, 0o664);
    const database = await open({ path, engine });
    database.exec("create table notes (text text)");
    const files = readdirSync(dirname(path)).toSorted();
    expect(files).toEqual(["hubward.db", "hubward.db-lock", "hubward.db-shm", "hubward.db-wal"]);
    for (const file of files) expect(statSync(join(dirname(path), file)).mode & 0o777).toBe(0o600);
  });

  it("a transaction is all or nothing", async () => {
    const database = await open({ path: newPath(), engine });
    database.exec("create table notes (text text unique)");
    const insert = database.prepare("insert into notes values (?)");
    const count = (): unknown => database.prepare("select count(*) as n from notes").get()?.["n"];
    expect(database.transaction(() => insert.run("a").changes + insert.run("b").changes)).toBe(2);
    const mistake = new Error("on purpose");
    expect(() =>
      database.transaction(() => {
        insert.run("c");
        throw mistake;
      }),
    ).toThrow(mistake);
    expect(count()).toBe(2);
    expect(() =>
      database.transaction((transaction) => transaction.prepare("insert into notes values ('a')").run()),
    ).toThrow(/UNIQUE/);
    expect(() => database.transaction(() => database.transaction(() => insert.run("d")))).toThrow(TypeError);
    expect(() =>
      database.transaction(async () => {
        insert.run("e");
      }),
    ).toThrow(TypeError);
    expect(count()).toBe(2);
    expect(database.transaction(() => insert.run("f").changes)).toBe(1);
  });

  it("after a fault inside a transaction nothing more of it happens, even if its work goes on", async () => {
    const database = await open({ path: newPath(), engine });
    database.exec("create table notes (text text)");
    const pages = database.prepare("pragma page_count").get()?.["page_count"];
    database.exec(`pragma max_page_count = ${String(pages)}`);
    const insert = database.prepare("insert into notes values (?)");
    expect(() =>
      database.transaction(() => {
        insert.run("small");
        expect(() => insert.run("x".repeat(100_000))).toThrow(DatabaseError);
        expect(() => insert.run("small, too")).toThrow(DatabaseError);
      }),
    ).toThrow(failing("full"));
    expect(database.prepare("select * from notes").all()).toEqual([]);
    insert.run("there is room for this");
  });

  it("has one owner: a second process is refused at once, and a killed one leaves no lock", async () => {
    const path = newPath();
    const owner = start("hold.mjs", engine, path);
    expect(await owner.line()).toBe("open");
    for (const other of engines) expect(await start("hold.mjs", other, path).line()).toBe("in-use");
    await expect(openDatabase({ path, engine, busyTimeoutMs: 10_000 })).rejects.toEqual(failing("in-use"));
    await owner.kill();
    const next = start("hold.mjs", engine, path);
    expect(await next.line()).toBe("open");
    await next.kill();
    await open({ path, engine });
  });

  it("what was committed before the process was killed is there", async () => {
    const path = newPath();
    const before = await open({ path, engine });
    before.exec("create table notes (text text)");
    before.close();
    const child = start("hold.mjs", engine, path);
    expect(await child.line()).toBe("open");
    child.say("write");
    child.say("write");
    child.say("tell");
    expect(await child.line()).toBe("written 2");
    await child.kill();
    const after = await open({ path, engine });
    expect(after.prepare("select count(*) as n from notes").get()).toEqual({ n: 2 });
  });

  it("cannot be opened twice within a process, also by another name; once closed it can", async () => {
    const path = newPath();
    const alias = join(dirname(path), "alias.db");
    const database = await open({ path, engine });
    symlinkSync(path, alias);
    await expect(openDatabase({ path, engine })).rejects.toEqual(failing("in-use"));
    for (const other of engines) {
      await expect(openDatabase({ path: alias, engine: other })).rejects.toEqual(failing("in-use"));
    }
    database.close();
    await open({ path: alias, engine });
  });

  it("once closed, it says so to whoever still holds it", async () => {
    const database = await open({ path: newPath(), engine });
    database.exec("create table notes (text text)");
    const insert = database.prepare("insert into notes values (?)");
    database.close();
    database.close();
    expect(() => insert.run("late")).toThrow(failing("closed"));
    expect(() => database.prepare("select 1")).toThrow(failing("closed"));
    expect(() => database.transaction(() => 1)).toThrow(failing("closed"));
  });

  it("a file of a newer version is refused and left as it was", async () => {
    const path = newPath();
    const newer = await open({ path, engine });
    newer.exec("pragma user_version = 1000");
    newer.close();
    await expect(openDatabase({ path, engine })).rejects.toEqual(failing("newer-schema"));
    const raw = (await loadEngine(engine)).connect(path);
    expect(raw.prepare("pragma user_version").get()).toEqual({ user_version: 1000 });
    raw.close();
  });

  it("a file of an earlier version gets the tables it lacks, and keeps what it has", async () => {
    const path = newPath();
    const earlier = await open({ path, engine });
    const tables = (database = earlier): unknown[] =>
      database
        .prepare("select name from sqlite_schema where type = 'table' order by name")
        .all()
        .map(({ name }) => name);
    const all = tables();
    earlier.exec("create table notes (text text); insert into notes values ('kept')");
    for (const table of all.filter((name) => name !== "hubward_sessions")) earlier.exec(`drop table ${String(table)}`);
    earlier.exec("pragma user_version = 1");
    earlier.close();
    const later = await open({ path, engine });
    expect(tables(later)).toEqual([...all, "notes"]);
    expect(later.prepare("select * from notes").all()).toHaveLength(1);
  });

  it("a file of another application is refused, an application's tables without a version are not", async () => {
    const library = await loadEngine(engine);
    for (const [pragma, isForeign] of [
      ["application_id = 7", true],
      ["user_version = 3", true],
      ["user_version = 0", false],
    ] as const) {
      const path = newPath();
      const raw = library.connect(path);
      raw.exec(`create table theirs (text text); pragma ${pragma}`);
      raw.close();
      const opening = open({ path, engine });
      if (isForeign) await expect(opening).rejects.toEqual(failing("foreign"));
      else await expect(opening).resolves.toBeDefined();
    }
  });

  it("no file, no folder, no database: each is told apart", async () => {
    const path = newPath();
    await expect(openDatabase({ path: join(path, "nowhere", "x.db"), engine })).rejects.toEqual(failing("cannot-open"));
    const folder = join(dirname(path), "folder.db");
    mkdirSync(folder);
    await expect(openDatabase({ path: folder, engine })).rejects.toBeInstanceOf(DatabaseError);
    writeFileSync(path, "This is a letter to the editor, and no database at all. ".repeat(100));
    await expect(openDatabase({ path, engine })).rejects.toEqual(failing("corrupt"));
  });
});

describe("opening a database", () => {
  it.each<[string, object]>([
    ["no path", { path: "" }],
    ["memory", { path: ":memory:" }],
    ["an address", { path: "file:x.db?mode=memory" }],
    ["an unknown engine", { path: "x.db", engine: "sqlite3" }],
    ["a wait without end", { path: "x.db", busyTimeoutMs: Number.POSITIVE_INFINITY }],
    ["a negative wait", { path: "x.db", busyTimeoutMs: -1 }],
  ])("%s is refused as a mistake", async (_name, options) => {
    await expect(openDatabase(options as { path: string })).rejects.toThrow(/^(path|engine|busyTimeoutMs): /);
  });

  it.runIf(engines.length === 1)("where Node has no SQLite, the error names what to install", async () => {
    await expect(openDatabase({ path: newPath(), engine: "node:sqlite" })).rejects.toThrow(/Node 22\.13/);
  });

  it.runIf(engines.length === 2)("what one engine wrote, the other reads, both ways", async () => {
    const path = newPath();
    for (const [index, engine] of [...engines, ...engines].entries()) {
      const database = await open({ path, engine });
      database.exec("create table if not exists notes (text text); insert into notes values ('x')");
      expect(database.prepare("select count(*) as n from notes").get()).toEqual({ n: index + 1 });
      database.close();
    }
  });
});
