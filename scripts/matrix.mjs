/**
 * Runs the tests under several versions of Node, one after the other, and says in one line each how it went:
 *
 *   node scripts/matrix.mjs                            20.19, 22, 24 and 26, everything
 *   node scripts/matrix.mjs 22 24 -- packages/server   these versions, these files
 *
 * What is tested is built once, by the Node that runs this script. Exits with 1 where a test failed or a version could
 * not be had.
 */

import { execFileSync, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { once } from "node:events";
import { findNode, plainEnvironment } from "./node-binary.mjs";

const root = join(import.meta.dirname, "..");
const args = process.argv.slice(2);
const end = args.indexOf("--");
const asked = end === -1 ? args : args.slice(0, end);
const files = end === -1 ? [] : args.slice(end + 1);
const versions = asked.length > 0 ? asked : ["20.19", "22", "24", "26"];
for (const version of versions) {
  if (!/^\d+(\.\d+){0,2}$/.test(version)) throw new TypeError(`matrix: ${version} is no version of Node`);
}

execFileSync("npm", ["run", "build"], { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
const folder = await mkdtemp(join(tmpdir(), "hubward-matrix-"));
let isGood = true;
for (const version of versions) {
  const binary = await findNode(version);
  const { line, passed } = "missing" in binary ? { line: binary.missing, passed: false } : await runTests(binary);
  console.log(line);
  if (!passed) isGood = false;
}
process.exitCode = isGood ? 0 : 1;
// What is left are the logs of those that failed.
if ((await readdir(folder)).length === 0) await rmdir(folder);

/** The line says version, counts and time; and where the run failed, where the whole output is. */
async function runTests({ path, version }) {
  const output = join(folder, `${version}.log`);
  const log = createWriteStream(output);
  await once(log, "open");
  // What tests start as `node` is the same version.
  const env = { ...plainEnvironment, PATH: `${dirname(path)}${delimiter}${process.env.PATH}`, NO_COLOR: "1" };
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const startedAt = performance.now();
  const child = spawn(path, [vitest, "run", ...files], { cwd: root, env, stdio: ["ignore", log, log] });
  const [code] = await once(child, "close");
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const text = await readFile(output, "utf8");
  const counts = /^\d+ passed, \d+ failed, \d+ skipped$/m.exec(text)?.[0] ?? `ended with ${code}, no test counted`;
  const failures = new Set(text.match(/^ *FAIL .*$/gm) ?? []);
  // The exit code decides, not the counts: a run may fail with no failed test.
  if (code === 0) {
    await rm(output);
    return { line: `${version}: ${counts}, ${seconds} s`, passed: true };
  }
  return { line: [`${version}: ${counts}, ${seconds} s, ${output}`, ...failures].join("\n"), passed: false };
}
