import { expect, test } from "vitest";
import { createDirectory, demoPeople } from "./directory.js";
import { createPasswords, type PasswordHash, type Passwords } from "./passwords.js";

const accounts = demoPeople.map((person) => ({ person, password: `password of ${person.username}` }));
const directory = await createDirectory(accounts, createPasswords());

test("a person is found by tenant and name, and in no other tenant", () => {
  expect(directory.find("general", "doctor-icu")).toMatchObject({ roles: ["doctor"], department: "icu" });
  expect(directory.find("annex", "doctor-annex")).toMatchObject({ roles: ["doctor"], department: "icu" });
  expect(directory.find("annex", "doctor-icu")).toBeUndefined();
  expect(directory.find("general", "doctor-annex")).toBeUndefined();
  expect(directory.find(undefined, "doctor-icu")).toBeUndefined();
  expect(directory.find("general", "nobody")).toBeUndefined();
});

test("names are compared exactly", () => {
  expect(directory.find("general", "Doctor-ICU")).toBeUndefined();
  expect(directory.find("general", "__proto__")).toBeUndefined();
});

test("only one's own password signs in", async () => {
  expect(await directory.signIn("admin", "password of admin")).toMatchObject({ username: "admin" });
  expect(await directory.signIn("admin", "password of visitor")).toBeUndefined();
  expect(await directory.signIn("nobody", "password of admin")).toBeUndefined();
});

test("an unknown name costs the same one comparison as a wrong password", async () => {
  const real = createPasswords();
  const asked: (PasswordHash | undefined)[] = [];
  const counting: Passwords = {
    hash: (password) => real.hash(password),
    verify(password, hash) {
      asked.push(hash);
      return real.verify(password, hash);
    },
  };
  const counted = await createDirectory(accounts, counting);
  await counted.signIn("admin", "wrong");
  await counted.signIn("nobody", "wrong");
  expect(asked).toEqual([expect.anything(), undefined]);
});

test("roles that were changed before are held from the start, and what is usual stays what it was", async () => {
  const changed: (readonly [string, readonly string[]])[][] = [];
  const later = await createDirectory(accounts, createPasswords(), {
    held: new Map([
      ["nurse-er", []],
      ["somebody-gone", ["nurse"]],
    ]),
    keep: (held) => Promise.resolve(void changed.push([...held])),
  });
  expect(later.find("general", "nurse-er")).toMatchObject({ roles: [] });
  const nurse = later.inTenant("general").find(({ person }) => person.username === "nurse-er");
  expect(nurse?.usualRoles).toEqual(["nurse"]);
  expect(await later.setRoles("general", "doctor-er", ["nurse"])).toBe(true);
  expect(await later.setRoles("annex", "doctor-er", ["admin"])).toBe(false);
  expect(changed).toEqual([
    [
      ["nurse-er", []],
      ["somebody-gone", ["nurse"]],
      ["doctor-er", ["nurse"]],
    ],
  ]);
});

test("a role holds before the disk has it, and also where the disk is full", async () => {
  const full = await createDirectory(accounts, createPasswords(), {
    held: new Map(),
    keep: () => Promise.reject(new Error("full")),
  });
  const kept = full.setRoles("general", "nurse-er", []);
  expect(full.find("general", "nurse-er")).toMatchObject({ roles: [] });
  await expect(kept).rejects.toThrow("full");
  expect(full.find("general", "nurse-er")).toMatchObject({ roles: [] });
});

test("the visitor has no role, and one person belongs to the other tenant", () => {
  expect(directory.find("general", "visitor")).toMatchObject({ roles: [], department: null });
  expect(demoPeople.filter(({ tenant }) => tenant === "annex").map(({ username }) => username)).toEqual([
    "doctor-annex",
  ]);
});
