import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const snippets = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map(([, snippet = ""]) => snippet);

/** Runs each snippet of the README as a module and compares what it prints with the comments beside it. */
test.each(snippets)("a snippet of the README runs and prints what it says", async (snippet) => {
  const expected = [...snippet.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
  const directory = await mkdtemp(join(tmpdir(), "hubward-readme-"));
  const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
  onTestFinished(async () => {
    log.mockRestore();
    await rm(directory, { recursive: true });
  });
  const path = join(directory, "snippet.mjs");
  await writeFile(path, snippet);
  await import(/* @vite-ignore */ pathToFileURL(path).href);
  const printed = log.mock.calls.map((values) =>
    values.map((value: unknown) => (typeof value === "string" ? value : JSON.stringify(value))).join(" "),
  );
  expect(expected.length).toBeGreaterThan(1);
  expect(printed).toEqual(expected);
});

test("the README has a snippet for each protocol", () => {
  expect(snippets).toHaveLength(2);
});
