import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";

/** Runs the snippet of the README as a module and compares what it prints with the comments beside it. */
test("the snippet of the README runs and prints what it says", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const snippet = /```js\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
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
  expect(expected).toHaveLength(3);
  expect(printed).toEqual(expected);
});
