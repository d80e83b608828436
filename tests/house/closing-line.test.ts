/** The closing line counts whatever makes a run fail. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const reporter = join(root, "scripts/closing-line-reporter.ts");

/** Runs files of tests in one process, with the reporter alone. */
function run(sources: readonly string[]): { readonly lastLine: string | undefined; readonly code: number | null } {
  const folder = mkdtempSync(join(tmpdir(), "hubward-closing-line-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  sources.forEach((source, index) => writeFileSync(join(folder, `${index}.test.js`), source));
  const config = { test: { globals: true, isolate: false, maxWorkers: 1 } };
  writeFileSync(join(folder, "vitest.config.js"), `export default ${JSON.stringify(config)};`);
  const args = [vitest, "run", "--root", folder, "--reporter", reporter];
  const { stdout, status } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  return { lastLine: stdout.trim().split("\n").at(-1), code: status };
}

const planted = '{ throw new Error("planted"); }';

it("of a run that passes has none failed", () => {
  const passing = 'test("passes", () => undefined); test.skip("is skipped", () => undefined);';
  expect(run([passing])).toEqual({ lastLine: "1 passed, 0 failed, 1 skipped", code: 0 });
});

it("counts once each: a test, a file, a hook of a file, one before and one after a group, and nobody's promise", () => {
  const aTest = `test("fails", () => ${planted});`;
  const aFile = `test("is not even found", () => undefined); if (true) ${planted}`;
  const aFilesHook = `afterAll(() => ${planted}); test("passes", () => undefined);`;
  const before = `describe("a", () => describe("b", () => {
    beforeAll(() => ${planted});
    test("is skipped", () => undefined);
  }));`;
  const after = `describe("a", () => { afterAll(() => ${planted}); test("passes", () => undefined); });`;
  const aPromise = 'test("passes", () => void Promise.reject(new Error("planted")));';
  expect(run([aTest, aFile, aFilesHook, before, after, aPromise])).toEqual({
    lastLine: "3 passed, 6 failed, 1 skipped",
    code: 1,
  });
});
