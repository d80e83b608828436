/** From the blocks of a page to files: for the compiler as they are printed, and to run with the types taken out. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { transformWithOxc } from "vite";
import { root, type Block, type Page } from "./pages.js";
import { settings } from "./settings.js";

export interface SourceFile {
  /** Within the page's folder: `server.mjs`, `page.ts`. */
  readonly name: string;
  readonly text: string;
}

/**
 * The programs of a page: each block with a `file=` is that file; the others of one language, in order, are one
 * program, `page.ts` or `page.mjs`, with the page's setting in front. A page's scripts in HTML are files of their own.
 */
export function programsOf(page: Page): readonly SourceFile[] {
  const setting = settings[page.path] ?? {};
  const named = page.blocks.flatMap(({ file, text, language }) => {
    if (file === undefined) return [];
    return language === "html" ? scriptsOf(file, text) : [{ name: file, text }];
  });
  const joined = (["ts", "js"] as const).flatMap((language) => {
    const blocks = page.blocks.filter((block) => block.language === language && block.file === undefined);
    if (blocks.length === 0) return [];
    const extension = language === "ts" ? "ts" : "mjs";
    const groups: readonly (readonly Block[])[] = setting.eachAlone === true ? blocks.map((one) => [one]) : [blocks];
    return groups.map((group, index) => ({
      name: index === 0 ? `page.${extension}` : `page-${index + 1}.${extension}`,
      text: [setting[language] ?? "", ...group.map(({ text }) => text), "export {};\n"].join("\n"),
    }));
  });
  return [...named, ...joined];
}

/** Inline scripts; a page loads others itself. */
function scriptsOf(file: string, html: string): readonly SourceFile[] {
  return [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(([, text = ""], index) => ({
    name: `${file}.${index + 1}.js`,
    text,
  }));
}

export interface Folder {
  readonly path: string;
  write(name: string, text: string): void;
  remove(): void;
}

/** A folder outside of the repository, with what the repository has installed. */
export function makeFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "hubward-docs-"));
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"));
  const folder: Folder = {
    path,
    write(name, text) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), text);
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
  folder.write("package.json", JSON.stringify({ type: "module" }));
  return folder;
}

/** A page's files as a reader would have saved them; TypeScript with its types taken out. */
export async function writeRunnable(page: Page, folder: Folder): Promise<void> {
  for (const { name, text } of programsOf(page)) {
    if (!name.endsWith(".ts")) folder.write(name, text);
    else folder.write(name.replace(/\.ts$/, ".js"), (await transformWithOxc(text, name)).code);
  }
  for (const { language, file, text } of page.blocks) if (language === "html") folder.write(file ?? "page.html", text);
}
