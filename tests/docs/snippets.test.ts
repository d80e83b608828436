/** Every fenced block of the documentation is something a machine has looked at. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { join } from "node:path";
import { run } from "../packages/support/run.js";
import { readPages, root } from "./support/pages.js";
import { makeFolder, programsOf, type Folder } from "./support/programs.js";
import { settings } from "./support/settings.js";

const pages = readPages();
const blocks = pages.flatMap((page) => page.blocks);

/** What looks at a block of a language. `text` is a drawing, or with `output=` what a program prints. */
const handled: Readonly<Record<string, string>> = {
  ts: "the compiler, here",
  js: "the compiler, here",
  html: "the compiler, here, and Chromium in quick-start.test.ts",
  sh: "commands.test.ts",
  bash: "commands.test.ts",
  json: "JSON.parse, here, line by line where there are several; the codecs, in @hubward/wire",
  text: "nobody; with output= the test of its page",
  python: "rooms.test.ts",
  cs: "migrating-from-aspnet-core.test.ts",
};

/** The compiler's settings for one kind of file, beside `strict` and the sources behind `@hubward/*`. */
const kinds = {
  ts: { include: "**/*.ts", options: {} },
  mjs: { include: "**/*.mjs", options: { allowJs: true, checkJs: true, noImplicitAny: false } },
  html: {
    include: "**/*.html.*.js",
    options: {
      allowJs: true,
      checkJs: true,
      strict: false,
      exactOptionalPropertyTypes: false,
      lib: ["ES2023", "DOM", "DOM.Iterable"],
    },
  },
} as const;

let folder: Folder;

beforeAll(() => {
  folder = makeFolder();
  for (const page of pages) {
    for (const { name, text } of programsOf(page)) folder.write(join(slugOf(page.path), name), text);
  }
  folder.write("signalr.d.ts", 'declare const signalR: typeof import("@microsoft/signalr");\n');
});
afterAll(() => folder?.remove());

function slugOf(path: string): string {
  return path.replace(/\.md$/, "").replaceAll("/", "-");
}

/** What the compiler says, with the folder's own name left out. */
async function compile(kind: keyof typeof kinds): Promise<string> {
  const { include, options } = kinds[kind];
  const lenient = { noUnusedLocals: false, noUnusedParameters: false, noPropertyAccessFromIndexSignature: false };
  const config = {
    extends: join(root, "tsconfig.tests.json"),
    compilerOptions: { ...lenient, noImplicitReturns: false, ...options },
    include: kind === "html" ? [include, "signalr.d.ts"] : [include],
    exclude: ["node_modules"],
  };
  folder.write(`tsconfig.${kind}.json`, JSON.stringify(config));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  return await run(process.execPath, [compiler, "-p", `tsconfig.${kind}.json`], folder.path).catch(
    (error: unknown) => (error as Error).message,
  );
}

// A compiler each time, on whatever else the machine does.
describe("the blocks of the documentation", { timeout: 120_000 }, () => {
  test("are found", () => {
    expect(pages.map(({ path }) => path)).toContain("docs/quick-start.md");
    expect(blocks.length).toBeGreaterThan(20);
    for (const path of Object.keys(settings)) expect(pages.map((page) => page.path)).toContain(path);
  });

  test("all say what they are, in a language that a test reads", () => {
    const strangers = blocks.filter(({ language }) => !Object.hasOwn(handled, language));
    expect(strangers.map(({ at, language }) => `${at}: ${language || "no language"}`)).toEqual([]);
  });

  test("of JSON are JSON", () => {
    for (const { language, text } of blocks) {
      if (language !== "json") continue;
      for (const line of text.trim().split(/\n(?=\{)/)) JSON.parse(line);
    }
  });

  test.each(Object.keys(kinds) as (keyof typeof kinds)[])("compile: %s", async (kind) => {
    expect(await compile(kind)).toBe("");
  });

  test("would not compile if they were wrong", async () => {
    folder.write("wrong/page.ts", 'import { hubward } from "@hubward/server";\nhubward({ nothing: true });\n');
    expect(await compile("ts")).toMatch(/wrong\/page\.ts\(2,11\): error TS2353/);
  });
});
