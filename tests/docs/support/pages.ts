/** The pages of documentation, and the fenced blocks in them. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export const root = join(import.meta.dirname, "../../..");

export interface Block {
  /** First word of the info string; empty where there is none. */
  readonly language: string;
  /** `file=server.mjs`: the block is this file. */
  readonly file: string | undefined;
  /** `output=nina`: what a program prints. */
  readonly output: string | undefined;
  readonly text: string;
  /** `docs/quick-start.md:41`, for messages. */
  readonly at: string;
}

export interface Page {
  /** From the root, such as `docs/quick-start.md`. */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

/** Every page of docs/ and every README; not what others installed, and not what was generated. */
export function readPages(): readonly Page[] {
  const paths = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !/(?:^|\/)(?:node_modules|dist|bin|obj|\.[\w-]+)\//.test(path))
    .filter((path) => path.startsWith("docs/") || path.endsWith("README.md") || path === "CONTRIBUTING.md");
  return paths.sort().map(readPage);
}

export function readPage(path: string): Page {
  const text = readFileSync(join(root, path), "utf8");
  return { path, text, blocks: readBlocks(path, text) };
}

function readBlocks(path: string, text: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { readonly fence: string; readonly info: string; readonly line: number } | undefined;
  let body: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^(`{3,})(.*)$/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { fence: fence[1] ?? "", info: (fence[2] ?? "").trim(), line: index + 1 };
    } else if (line.trim() === open.fence) {
      blocks.push(describeBlock(`${path}:${open.line}`, open.info, body));
      open = undefined;
      body = [];
    } else body.push(line);
  }
  if (open !== undefined) throw new Error(`${path}:${open.line}: a block without an end`);
  return blocks;
}

function describeBlock(at: string, info: string, body: readonly string[]): Block {
  const [language = "", ...words] = info.split(/\s+/);
  const marks = new Map(words.map((word) => word.split("=", 2) as [string, string]));
  for (const [mark, value] of marks) {
    if ((mark !== "file" && mark !== "output") || value === undefined) throw new Error(`${at}: ${mark} means nothing`);
  }
  return { language, file: marks.get("file"), output: marks.get("output"), text: `${body.join("\n")}\n`, at };
}

/** The text of headings as GitHub names them in addresses. */
export function anchorsOf({ text }: Page): ReadonlySet<string> {
  const withoutBlocks = text.replace(/^(`{3,}).*\n[\s\S]*?^\1$/gm, "");
  const headings = [...withoutBlocks.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .trim()
        .replace(/\s/g, "-"),
    ),
  );
}

/** A path written in a page, from the root. */
export function fromPage({ path }: Page, target: string): string {
  return join(dirname(path), target);
}
