/** Chromium for a page that is printed with its address. */

import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";
import { onTestFinished } from "vitest";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Whatever it asks of localhost:3000 reaches this port. Ended with the test. */
export async function launchFor(port: number): Promise<Browser> {
  const executablePath = [process.env["CHROMIUM_PATH"] ?? places].flat().find((path) => existsSync(path));
  const browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    // The page's own address, whatever port is free here.
    args: ["--no-sandbox", "--disable-gpu", `--host-resolver-rules=MAP localhost:3000 127.0.0.1:${port}`],
  });
  onTestFinished(() => browser.close());
  return browser;
}
