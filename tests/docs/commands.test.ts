/** Every line of shell in the documentation is made of commands that exist: scripts, files, packages, programs. */

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readPage, readPages, root, type Block, type Page } from "./support/pages.js";
import { parseNodeCommand } from "./support/run.js";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly scripts?: Readonly<Record<string, string>>;
}

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest;
const scripts = manifestOf(".").scripts ?? {};
const ourPackages = readdirSync(join(root, "packages"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => manifestOf(join("packages", entry.name)));
/** What `npm pack` calls them. */
const tarballs = ourPackages.map(({ name, version }) => `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);

type Judge = (words: readonly string[], page: Page, command: string) => boolean;

/** Whether the rest of a command means something, by its program. */
const judges: Readonly<Record<string, Judge>> = {
  npm: ([verb, ...rest]) => {
    if (verb === "ci" || verb === "test") return rest.length === 0 && (verb === "ci" || scripts["test"] !== undefined);
    if (verb === "init") return rest.join() === "--yes";
    if (verb === "run") return rest.length === 1 && scripts[rest[0] ?? ""] !== undefined;
    if (verb === "install") return rest.length > 0 && rest.every(isInstallable);
    if (verb !== "pack") return false;
    const names = rest.filter((_word, at) => rest[at - 1] === "--workspace");
    const flags = rest.filter((word, at) => word.startsWith("--") || !rest[at - 1]?.startsWith("--"));
    return (
      names.every((name) => ourPackages.some((one) => one.name === name)) &&
      flags.every((flag) => flag === "--workspace" || flag === "--pack-destination")
    );
  },
  npx: ([binary, ...rest]) =>
    existsSync(join(root, "node_modules/.bin", binary ?? "")) &&
    rest.filter((word) => word.includes("/")).every((path) => existsSync(join(root, path))),
  node: (words, page, command) => {
    if (words[0] === "-e") return true; // quick-start.test.ts runs it
    const { file } = parseNodeCommand(command);
    // What a build makes is there after one: its source stands beside it.
    const source = file.replace("/dist/", "/").replace(/\.js$/, ".ts");
    return (
      blocksOf(page).some((block) => block.file === file) || [file, source].some((path) => existsSync(join(root, path)))
    );
  },
  // Where .NET is, conformance/reference.test.ts builds and starts these very projects.
  dotnet: (words) =>
    words
      .filter((word) => word.startsWith("conformance/"))
      .every((path) => existsSync(join(root, path.replace(/\/bin\/.*$/, "")))),
  python3: ([file], { blocks }) => blocks.some((block) => block.file === file),
  mkdir: (words) => words.length === 1,
  cd: (words) => words.length === 1,
  curl: (words) => words.some((word) => word.startsWith("http://127.0.0.1")),
};

/** What is in its reader's folder: some pages go on in that of another. */
function blocksOf({ text, blocks }: Page): readonly Block[] {
  const goesOn = text.includes("in the folder of the [quick start](quick-start.md)");
  return goesOn ? [...blocks, ...readPage("docs/quick-start.md").blocks] : blocks;
}

/** A package that this repository has, with the very name, or one of our own tarballs. */
function isInstallable(word: string): boolean {
  return tarballs.includes(word.replace("../", "")) || existsSync(join(root, "node_modules", word, "package.json"));
}

function faultsOf(block: Block, page: Page): readonly string[] {
  const lines = block.text.split("\n").map((line) => line.replace(/(?:^|\s)#.*$/, "").trim());
  // A command inside another one is a command, too.
  const commands = lines
    .flatMap((line) => [
      line.replace(/"\$\(.*?\)"/g, "TOKEN"),
      ...[...line.matchAll(/\$\((.*?)\)/g)].map((found) => found[1] ?? ""),
    ])
    .flatMap((line) => line.split(/\s*&&\s*/))
    .filter((command) => command !== "");
  return commands.filter((command) => !isKnown(command, page)).map((command) => `${block.at}: ${command}`);
}

function isKnown(command: string, page: Page): boolean {
  const words = command.split(/\s+/);
  const start = words.findIndex((word) => !/^[A-Z_]+=\S*$/.test(word));
  const judge = judges[words[start] ?? ""];
  return judge !== undefined && judge(words.slice(start + 1), page, command);
}

describe("the shell lines of the documentation", () => {
  const pages = readPages();
  const shells = pages.flatMap((page) =>
    page.blocks.filter(({ language }) => language === "bash" || language === "sh").map((block) => ({ page, block })),
  );

  test("are found", () => {
    expect(shells.map(({ page }) => page.path)).toEqual(expect.arrayContaining(["README.md", "docs/quick-start.md"]));
  });

  test("are made of commands that exist", () => {
    expect(shells.flatMap(({ page, block }) => faultsOf(block, page))).toEqual([]);
  });

  test("would be found if they were not", () => {
    const page: Page = { path: "docs/x.md", text: "", blocks: [] };
    const text =
      "npm run nothing\nnode nothing.mjs # why\nnpm install @hubward/none\nmake\nnpm ci && npm tset\nnpm ci\n";
    const block: Block = { language: "bash", file: undefined, output: undefined, text, at: "x" };
    expect(faultsOf(block, page)).toEqual([
      "x: npm run nothing",
      "x: node nothing.mjs",
      "x: npm install @hubward/none",
      "x: make",
      "x: npm tset",
    ]);
  });
});
