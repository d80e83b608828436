/** What users install, installed: packed, in an empty project, under every Node that is promised. */

import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { findNode, type NodeBinary } from "../../scripts/node-binary.mjs";
import { publishedPackages } from "./support/published.js";
import { run } from "./support/run.js";
import { createUserProject, type UserProject } from "./support/user-project.js";

/** `engines` says >=20.19; the others are the lines with long-term support. */
const versions = ["20.19", "22", "24"];
const specifiers = publishedPackages().flatMap((one) => one.specifiers);
const peerSpecifiers = publishedPackages().flatMap((one) => one.peerSpecifiers);

let project: UserProject;
let binaries: ReadonlyMap<string, NodeBinary>;

beforeAll(async () => {
  const found = Promise.all(versions.map(async (version) => [version, await findNode(version)] as const));
  project = await createUserProject();
  binaries = new Map(await found);
  for (const [version, binary] of binaries) {
    if ("missing" in binary) console.warn(`SKIPPED: Node ${version}. ${binary.missing}`);
  }
}, 240_000);
afterAll(() => project?.remove());

/** The binary of a version, or the end of the test: skipped, and said so; with `CI=true` failed. */
function nodeOf(version: string, { skip }: Pick<TestContext, "skip">): string {
  const binary = binaries.get(version);
  if (binary !== undefined && "path" in binary) return binary.path;
  const why = binary?.missing ?? `Node ${version} was not asked for`;
  if (process.env["CI"] === "true") throw new Error(why);
  return skip(why);
}

describe("the installed packages", () => {
  test("are these, and bring no optional peer along", async () => {
    const installed = await readdir(join(project.folder, "node_modules"));
    expect(await readdir(join(project.folder, "node_modules/@hubward"))).toEqual(
      publishedPackages().map(({ name }) => name.slice("@hubward/".length)),
    );
    for (const peer of ["express", "fastify", "hono", "libsql"]) expect(installed).not.toContain(peer);
    expect(peerSpecifiers.length).toBeGreaterThan(0);
  });

  test.each([
    { module: "nodenext", moduleResolution: "nodenext", target: "es2023" },
    { module: "esnext", moduleResolution: "bundler", target: "es2023" },
  ])(
    "type-check a user's program and every import, strictly, with module $module and resolution $moduleResolution",
    { timeout: 120_000 }, // a compiler each time, on whatever else the machine does
    async (settings) => {
      const imports = specifiers
        .filter((specifier) => !peerSpecifiers.includes(specifier))
        .map((specifier, index) => `export * as p${index} from "${specifier}";\n`);
      await writeFile(join(project.folder, "all.ts"), imports.join(""));
      expect(await project.typeCheck("all.ts", settings)).toBe("");
      expect(await project.typeCheck("user-program.ts", settings)).toBe("");
      // The check itself can fail.
      await writeFile(
        join(project.folder, "wrong.ts"),
        'import "@hubward/server/nothing";\nexport const x: string = 1;\n',
      );
      await expect(project.typeCheck("wrong.ts", settings)).rejects.toThrow(/TS2322/);
    },
  );
});

describe.each(versions)("under Node %s", (version) => {
  for (const [way, program] of [
    ["import", "import-all.mjs"],
    ["require", "require-all.cjs"],
  ] as const) {
    test(`every package can be had by ${way}`, async (own) => {
      const node = nodeOf(version, own);
      const said = JSON.parse(await run(node, [program, ...specifiers], project.folder)) as {
        readonly version: string;
        readonly names: Readonly<Record<string, number>>;
      };
      expect(said.version).toMatch(new RegExp(`^v${version}\\.`));
      expect(Object.keys(said.names)).toEqual(specifiers);
    });
  }

  test("a database opens on Node's own engine, or names what to install", async (own) => {
    const node = nodeOf(version, own);
    const said: unknown = JSON.parse(await run(node, ["open-database.mjs"], project.folder));
    expect(said).toEqual(
      version.startsWith("20.")
        ? { message: expect.stringContaining("npm install libsql@0.5.29") as unknown }
        : { engine: "node:sqlite" },
    );
  });

  test("a server and a stock client talk", async (own) => {
    const node = nodeOf(version, own);
    const said: unknown = JSON.parse(await run(node, ["run.mjs"], project.folder));
    expect(said).toEqual({
      version: expect.stringMatching(`^v${version}\\.`) as unknown,
      answer: "hello",
      event: "anna",
    });
  });
});
