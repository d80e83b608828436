/** The walls between the floors hold: each planted violation is found, and the same file without it is not. */

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "hubward-walls-"));
  for (const file of [
    ".oxlintrc.json",
    "tsconfig.base.json",
    "tsconfig.library.json",
    "packages/platform.d.ts",
    "packages/server/package.json",
  ]) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
  for (const project of [
    "packages/wire",
    "packages/server/src/core",
    "packages/server/src/signalr",
    "packages/server/src/rooms",
  ]) {
    mkdirSync(join(copy, project), { recursive: true });
    cpSync(join(root, project, "tsconfig.json"), join(copy, project, "tsconfig.json"));
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Plants files, runs lint once over all of them, and tells which rules each broke. */
function lint(files: Readonly<Record<string, string>>): (file: string) => readonly string[] {
  for (const [file, source] of Object.entries(files)) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    writeFileSync(join(copy, file), source);
  }
  try {
    const { stdout } = spawnSync(
      join(root, "node_modules/.bin/oxlint"),
      ["-c", ".oxlintrc.json", "--format", "json", ...Object.keys(files)],
      { cwd: copy, encoding: "utf8" },
    );
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly { code: string; filename: string }[] };
    return (file) => diagnostics.filter(({ filename }) => filename.endsWith(file)).map(({ code }) => code);
  } finally {
    for (const file of Object.keys(files)) rmSync(join(copy, file));
  }
}

const importing = (specifier: string): string => `import { x } from "${specifier}";\nexport const y: unknown = x;\n`;

it("an import that goes up or sideways is refused by lint, and one that goes down is not", () => {
  const refused: readonly (readonly [folder: string, specifier: string])[] = [
    ["packages/wire/src", "@hubward/server"],
    ["packages/wire/src/signalr", "node:crypto"],
    ["packages/wire/src/signalr", "../rooms/codecs.js"],
    ["packages/wire/src/rooms", "../signalr/messages.js"],
    ["packages/wire/src/rooms", "node:crypto"],
    ["packages/wire/src/encoding", "../signalr/messages.js"],
    ["packages/wire/src/encoding", "../rooms/messages.js"],
    ["packages/wire/src/websocket", "../rooms/messages.js"],
    ["packages/server/src/core", "../signalr/handler.js"],
    ["packages/server/src/core/auth", "../../app/index.js"],
    ["packages/server/src/core", "node:timers"],
    ["packages/server/src/core", "ws"],
    ["packages/server/src/core", "@hubward/sessions"],
    ["packages/server/src/signalr", "../memory/idempotency-store.js"],
    ["packages/server/src/signalr", "../rooms/handler.js"],
    ["packages/server/src/rooms", "../signalr/handler.js"],
    ["packages/server/src/rooms", "ws"],
    ["packages/server/src/memory", "../app/index.js"],
    ["packages/server/src/app", "../adapters/node/attach.js"],
    ["packages/server/src/app", "node:http"],
    ["packages/server/src/adapters/node", "../jose/index.js"],
    ["packages/sessions/src", "@hubward/server"],
    ["packages/sqlite/src", "../../sessions/src/family.js"],
    ["packages/sqlite/src", "libsql"],
    ["packages/testing/src", "../../server/src/core/clock.js"],
    ["apps/clinic/server", "../../../packages/server/src/core/clock.js"],
  ];
  const allowed: readonly (readonly [folder: string, specifier: string])[] = [
    ["packages/wire/src/signalr", "../reasons.js"],
    ["packages/wire/src/signalr", "../encoding/utf8.js"],
    ["packages/wire/src/rooms", "../encoding/utf8.js"],
    ["packages/wire/src/encoding", "../websocket/frame.js"],
    ["packages/server/src/core", "@hubward/wire"],
    ["packages/server/src/signalr", "../core/clock.js"],
    ["packages/server/src/app", "../signalr/endpoint.js"],
    ["packages/server/src/app", "../rooms/endpoint.js"],
    ["packages/server/src/adapters/node", "ws"],
    ["packages/server/src/adapters/jose", "../../core/clock.js"],
    ["packages/sqlite/src", "@hubward/sessions"],
    ["apps/clinic/server", "@hubward/server"],
  ];
  const files: Record<string, string> = {};
  for (const [index, [folder, specifier]] of refused.entries()) files[`${folder}/no${index}.ts`] = importing(specifier);
  for (const [index, [folder, specifier]] of allowed.entries())
    files[`${folder}/yes${index}.ts`] = importing(specifier);
  files["packages/server/src/core/type-only.ts"] = `import type { X } from "../app/index.js";\nexport type Y = X;\n`;
  const broken = lint(files);
  const isRefused = (file: string): boolean => broken(file).some((code) => code.includes("no-restricted-imports"));

  expect(refused.filter(([folder], index) => !isRefused(`${folder}/no${index}.ts`))).toEqual([]);
  expect(allowed.filter(([folder], index) => isRefused(`${folder}/yes${index}.ts`))).toEqual([]);
  expect(isRefused("packages/server/src/core/type-only.ts"), "an import of a type is an import").toBe(true);
});

it("the pure floors know neither time nor chance", () => {
  const expressions = ["Date.now()", "Math.random()", "setTimeout(() => undefined, 1)"];
  const files = Object.fromEntries(
    expressions.map((expression, index) => [
      `packages/server/src/core/e${index}.ts`,
      `export const x: unknown = ${expression};\n`,
    ]),
  );
  const broken = lint({ ...files, "packages/server/src/platform/e0.ts": "export const x: unknown = Date.now();\n" });
  for (const file of Object.keys(files)) expect(broken(file).join()).toMatch(/no-restricted-(globals|properties)/);
  expect(broken("packages/server/src/platform/e0.ts")).toEqual([]);
});

it("two files that import each other are refused by lint, types included", () => {
  const broken = lint({
    "packages/server/src/core/one.ts": `import type { Two } from "./two.js";\nexport interface One { two: Two }\n`,
    "packages/server/src/core/two.ts": `import type { One } from "./one.js";\nexport interface Two { one: One }\n`,
  });
  expect(broken("core/one.ts").join()).toContain("no-cycle");
});

it("the compiler itself keeps I/O out of the pure floors", () => {
  const project = join(copy, "packages/server/src/core");
  const expressions = [
    "setTimeout(() => undefined, 1)",
    "process.env",
    "Buffer.alloc(1)",
    'fetch("x")',
    "console.log(1)",
  ];
  for (const [index, expression] of expressions.entries()) {
    writeFileSync(join(project, `p${index}.ts`), `export const x: unknown = ${expression};\n`);
  }
  writeFileSync(join(project, "clean.ts"), `export const x: unknown = new TextEncoder().encode("x");\n`);
  const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", "packages/server/src/core"], {
    cwd: copy,
    encoding: "utf8",
  });
  for (const index of expressions.keys()) expect(stdout).toMatch(new RegExp(`p${index}\\.ts.*Cannot find name`));
  expect(stdout).not.toContain("clean.ts");
});
