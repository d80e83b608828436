/** Links and file names in the documentation lead somewhere. */

import { existsSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { anchorsOf, fromPage, readPage, readPages, root, type Page } from "./support/pages.js";

const pages = readPages();
const LINK = /\[[^\]]*\]\(([^()\s]+)\)/g;
/** Folders of the repository: a text in backticks that begins with one is a path in it. */
const PATH =
  /^(?:apps|bench|conformance|docs|examples|packages|scripts|test-d|tests)\/[\w./-]+$|^[\w-]+(?:\/[\w.-]+)*\/[\w-]+\.md$/;

function linksOf({ text }: Page): readonly string[] {
  const prose = text.replace(/^(`{3,}).*\n[\s\S]*?^\1$/gm, "");
  return [...prose.matchAll(LINK)].map(([, target = ""]) => target);
}

function pathsOf({ text }: Page): readonly string[] {
  const prose = text.replace(/^(`{3,}).*\n[\s\S]*?^\1$/gm, "");
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code).filter((code) => PATH.test(code));
}

/** What is wrong with a link, or undefined. */
function faultOf(page: Page, target: string): string | undefined {
  if (/^https:\/\/[\w.-]+\.[a-z]+(?:\/|$)/.test(target)) return undefined;
  if (/^[a-z]+:/.test(target)) return "neither https nor a path";
  const [path = "", anchor] = target.split("#", 2);
  const file = path === "" ? page.path : fromPage(page, path);
  if (relative(".", file).startsWith("..") || !existsSync(join(root, file))) return "no such file";
  if (anchor === undefined) return undefined;
  if (!file.endsWith(".md")) return "an anchor in no page";
  return anchorsOf(readPage(file)).has(anchor) ? undefined : "no such heading";
}

function faultsOf(page: Page): readonly string[] {
  const links = linksOf(page).map((target) => [target, faultOf(page, target)] as const);
  const paths = pathsOf(page).map((path) => [path, existsSync(join(root, path)) ? undefined : "no such file"] as const);
  return [...links, ...paths].flatMap(([what, fault]) =>
    fault === undefined ? [] : [`${page.path}: ${what}: ${fault}`],
  );
}

describe("the links of the documentation", () => {
  test.each(pages.map((page) => [page.path, page] as const))("%s", (_path, page) => {
    expect(faultsOf(page)).toEqual([]);
  });

  test("would be found if they led nowhere", () => {
    const text = "# One\n[a](nothing.md) [b](#two) [c](#one) [d](http://x) `packages/none/x.ts` `docs/README.md`\n";
    expect(faultsOf({ path: "docs/made-up.md", text, blocks: [] })).toEqual([
      "docs/made-up.md: nothing.md: no such file",
      "docs/made-up.md: #two: no such file",
      "docs/made-up.md: #one: no such file",
      "docs/made-up.md: http://x: neither https nor a path",
      "docs/made-up.md: packages/none/x.ts: no such file",
    ]);
    expect(faultOf(readPage("docs/concepts.md"), "#no-such-heading")).toBe("no such heading");
    expect(faultOf(readPage("docs/concepts.md"), "signalr.md#tickets")).toBeUndefined();
  });

  test("the table of contents names every page, and the front page names the table", () => {
    const contents = readPage("docs/README.md");
    const targets = linksOf(contents).map((target) => fromPage(contents, target.split("#")[0] ?? ""));
    const inDocs = pages.map(({ path }) => path).filter((path) => path.startsWith("docs/") && path !== contents.path);
    expect(inDocs.filter((path) => !targets.includes(path))).toEqual([]);
    expect(linksOf(readPage("README.md"))).toContain("docs/README.md");
    expect(statSync(join(root, "docs")).isDirectory()).toBe(true);
  });
});
