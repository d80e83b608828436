import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Role } from "./directory.js";
import { openRoleFile } from "./role-file.js";
import { newFolder, removeFolders } from "./test/running-clinic.js";

afterAll(removeFolders);

const held = (...pairs: [string, readonly Role[]][]): ReadonlyMap<string, readonly Role[]> => new Map(pairs);

async function newPath(): Promise<string> {
  return join(await newFolder(), "clinic.db.roles.json");
}

describe("changed roles", () => {
  test("are there again when the file is opened again, and their owner's alone", async () => {
    const path = await newPath();
    const file = await openRoleFile(path);
    expect(file.held).toEqual(held());
    await file.keep(held(["nurse-er", []], ["somebody-gone", ["doctor", "admin"]]));
    expect((await openRoleFile(path)).held).toEqual(held(["nurse-er", []], ["somebody-gone", ["doctor", "admin"]]));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("are the last ones asked for, of many at once, and no draft is left beside them", async () => {
    const path = await newPath();
    const file = await openRoleFile(path);
    await Promise.all(Array.from({ length: 20 }, (_, index) => file.keep(held([`person-${index}`, ["nurse"]]))));
    expect((await openRoleFile(path)).held).toEqual(held(["person-19", ["nurse"]]));
    expect(await readdir(join(path, ".."))).toEqual(["clinic.db.roles.json"]);
  });

  test("that the disk does not take are refused, what was kept stays, and the next are taken", async () => {
    const path = await newPath();
    const file = await openRoleFile(path);
    // Nothing can be renamed over a folder that is not empty.
    await mkdir(join(path, "in the way"), { recursive: true });
    await expect(file.keep(held(["nurse-er", []]))).rejects.toThrow();
    expect(await readdir(join(path, ".."))).toEqual(["clinic.db.roles.json"]);
    expect(await readdir(path)).toEqual(["in the way"]);

    await rm(path, { recursive: true });
    await file.keep(held(["nurse-er", ["doctor"]]));
    expect(await readFile(path, "utf8")).toBe('{"nurse-er":["doctor"]}');
  });

  test.each(["", "{", "[]", '{"nurse-er":["emperor"]}', '{"nurse-er":"doctor"}'])(
    "are not made up from a file that says %j",
    async (text) => {
      const path = await newPath();
      await writeFile(path, text);
      await expect(openRoleFile(path)).rejects.toThrow();
    },
  );
});
