/** Chromium for the suites: where it is, how it starts, and what happens where there is none. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions } from "playwright-core";
import { describe, test, type TestContext } from "vitest";
import type { Scheme } from "./relay.js";

const usualPlaces = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** `CHROMIUM_PATH` decides where it is set, also when nothing is there. */
const chromiumPath = [process.env["CHROMIUM_PATH"] ?? usualPlaces].flat().find((path) => existsSync(path));

/** Starts what `CHROMIUM` names, without what it would load for nobody. */
const starter = fileURLToPath(new URL("chromium.sh", import.meta.url));

const launchArguments = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser with a profile of its own, which is gone with it. */
export async function launchBrowser(): Promise<Browser> {
  if (chromiumPath === undefined) throw new TypeError("launchBrowser: only inside a browserSuite");
  const env = { ...process.env, CHROMIUM: chromiumPath };
  return await chromium.launch({ executablePath: starter, args: launchArguments, env });
}

/** A person's own browser, with cookies and storage of its own, until the test is over. Takes any certificate. */
export async function openContext(
  browser: Browser,
  { onTestFinished, task }: Pick<TestContext, "onTestFinished" | "task">,
  options: BrowserContextOptions = {},
): Promise<BrowserContext> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  onTestFinished(async () => {
    if (task.result?.state === "fail") await showPages(context, task.name);
    await context.close();
  });
  return context;
}

/** What a person would have seen when the test failed, connection state and log of the page included. */
async function showPages(context: BrowserContext, name: string): Promise<void> {
  for (const page of context.pages()) {
    const text = await page.evaluate<string>("document.body.innerText").catch(String);
    console.warn(`${name}: ${page.url()} showed:\n${text}`);
  }
}

/** Tests wait for a second's readings and for credentials to end, and a busy machine makes all of that longer. */
const testTimeoutMs = 60_000;

export interface BrowserSuiteOptions {
  /** Tests run side by side: for those who mostly wait for time to pass. Default false. */
  readonly concurrent?: boolean | undefined;
  /** Runs it once for each, and its name says which. Default http only. */
  readonly schemes?: readonly Scheme[] | undefined;
}

/** A suite that needs Chromium: without it skipped, and said so; with `CI=true` failed. */
export function browserSuite(
  name: string,
  body: (scheme: Scheme) => void,
  { concurrent = false, schemes }: BrowserSuiteOptions = {},
): void {
  if (chromiumPath !== undefined) {
    for (const scheme of schemes ?? ["http"]) {
      const full = schemes === undefined ? name : `${name}, over ${scheme}`;
      describe(full, { concurrent, timeout: testTimeoutMs }, () => body(scheme));
    }
    return;
  }
  if (process.env["CI"] === "true") {
    describe(name, () => {
      test("Chromium is installed, because CI runs every suite", () => {
        throw new Error("Chromium is missing: `npm run setup` installs it (or set CHROMIUM_PATH)");
      });
    });
    return;
  }
  console.warn(`SKIPPED: ${name}. Chromium is missing: \`npm run setup\` installs it (or set CHROMIUM_PATH).`);
  describe.skipIf(true)(name, () => body("http"));
}
