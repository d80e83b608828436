/** The notes page in the words of the tests. */

import type { BrowserContext, Locator, Page } from "playwright-core";
import { element } from "./clinic-page.js";
import { watch, type Sightings } from "./sightings.js";

/** Opens the notes beside a dashboard that is signed in, and waits until they are live. */
export async function openNotes(context: BrowserContext, origin: string): Promise<{ page: Page; seen: Sightings }> {
  const page = await context.newPage();
  const seen = await watch(page);
  await page.goto(`${origin}/notes`);
  await statusIs(page, "live");
  return { page, seen };
}

export async function statusIs(page: Page, state: "live" | "ended"): Promise<void> {
  await page.locator(`#status[data-state="${state}"]`).waitFor();
}

export async function write(page: Page, text: string): Promise<void> {
  await element(page, "text").fill(text);
  await element(page, "send").click();
}

export function note(page: Page, text: string): Locator {
  return element(page, "notes").locator("li", { hasText: text });
}
