import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openKeys, refreshSecretFile, signingKeyFile } from "./key-files.js";
import { StartError } from "./start-error.js";

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "clinic-keys-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, "data");
}

describe("openKeys", () => {
  test("a second start finds the keys of the first", async () => {
    const folder = await newFolder();
    const first = await openKeys(folder);
    const second = await openKeys(folder);
    expect(second.signingKey.keyId).toBe(first.signingKey.keyId);
    expect(second.refreshKey.equals(first.refreshKey)).toBe(true);
  });

  test("nobody but the owner may read what it writes, and no draft stays behind", async () => {
    const folder = await newFolder();
    await openKeys(folder);
    expect((await readdir(folder)).sort()).toEqual([refreshSecretFile, signingKeyFile]);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    for (const name of [refreshSecretFile, signingKeyFile]) {
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    }
  });

  test("the signing key is a private JWK", async () => {
    const folder = await newFolder();
    const { signingKey } = await openKeys(folder);
    const jwk: unknown = JSON.parse(await readFile(join(folder, signingKeyFile), "utf8"));
    expect(jwk).toMatchObject({ kty: "EC", crv: "P-256", kid: signingKey.keyId, d: expect.any(String) });
  });

  test("starts at the same time agree on one pair of keys", async () => {
    const folder = await newFolder();
    const all = await Promise.all(Array.from({ length: 8 }, () => openKeys(folder)));
    expect(new Set(all.map(({ signingKey }) => signingKey.keyId)).size).toBe(1);
    expect(all.every(({ refreshKey }) => refreshKey.equals(all[0]!.refreshKey))).toBe(true);
    expect((await readdir(folder)).sort()).toEqual([refreshSecretFile, signingKeyFile]);
  });

  test("a file with loose permissions is tightened", async () => {
    const folder = await newFolder();
    await openKeys(folder);
    const path = join(folder, signingKeyFile);
    await writeFile(path, await readFile(path), { mode: 0o644 });
    await openKeys(folder);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test.each([
    [signingKeyFile, "not a key"],
    [signingKeyFile, '{"kty":"EC"}'],
    [refreshSecretFile, "dG9vIHNob3J0"],
  ])("a damaged %s is one line that names the file and does not show it", async (name, text) => {
    const folder = await newFolder();
    await openKeys(folder);
    await writeFile(join(folder, name), text);
    const error: unknown = await openKeys(folder).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StartError);
    const { message } = error as StartError;
    expect(message).toContain(`HUBWARD_DATA: ${join(folder, name)}: `);
    expect(message).not.toContain(text);
    expect(message).not.toContain("\n");
  });

  test("a folder that is a file is one line", async () => {
    const path = await newFolder();
    await openKeys(path);
    await expect(openKeys(join(path, signingKeyFile))).rejects.toThrow(/^HUBWARD_DATA: .*: (EEXIST|ENOTDIR)$/);
  });
});
