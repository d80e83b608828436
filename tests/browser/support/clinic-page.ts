/** The demo's page in the words of the tests: who signs in, what is on the screen. */

import type { BrowserContext, Locator, Page } from "playwright-core";
import { watch, type Sightings } from "./sightings.js";

export type Ward = "icu" | "er";

export interface ClinicPage {
  readonly page: Page;
  readonly seen: Sightings;
}

/** Opens a page of the demo and waits until it knows whether somebody is signed in. */
export async function openClinic(context: BrowserContext, origin: string): Promise<ClinicPage> {
  const page = await context.newPage();
  const seen = await watch(page);
  await page.goto(origin);
  await element(page, "submit").or(element(page, "sign-out")).waitFor();
  return { page, seen };
}

export async function signIn(page: Page, username: string): Promise<void> {
  await element(page, `demo-${username}`).click();
  await element(page, "submit").click();
  await element(page, "sign-out").waitFor();
}

/** Signs in and waits until this person's own ward is watched. */
export async function openWard(
  context: BrowserContext,
  origin: string,
  username: string,
  ward: Ward,
): Promise<ClinicPage> {
  const clinic = await openClinic(context, origin);
  await signIn(clinic.page, username);
  await wardIs(clinic.page, ward, "joined");
  return clinic;
}

/** An element by its `data-testid`, and by further `data-` attributes where given. */
export function element(within: Page | Locator, id: string, data: Readonly<Record<string, string>> = {}): Locator {
  const attributes = Object.entries(data).map(([name, value]) => `[data-${name}="${value}"]`);
  return within.locator(`[data-testid="${id}"]${attributes.join("")}`);
}

export async function connectionIs(page: Page, state: "live" | "denied" | "reconnecting"): Promise<void> {
  await element(page, "connection-badge", { state }).waitFor();
}

export async function wardIs(page: Page, ward: Ward, state: "off" | "joined" | "refused"): Promise<void> {
  await element(page, `ward-${ward}`, { state }).waitFor();
}

export function card(page: Page, patientId: string): Locator {
  return element(page, `patient-${patientId}`);
}

/** Ids of the patients on the screen. */
export async function patientsShown(page: Page): Promise<readonly string[]> {
  return await page.evaluate<string[]>(
    `[...document.querySelectorAll("article[data-testid^=patient-]")].map((card) => card.dataset.testid.slice(8))`,
  );
}

/** Resolves once the heart rate of any patient shown is another than now. */
export async function heartRatesMove(page: Page): Promise<void> {
  const cards = page.locator("article[data-heart-rate]");
  await cards.first().waitFor();
  const now = await page.evaluate<string[]>(
    `[...document.querySelectorAll("article[data-heart-rate]")].map((card) => "#" + card.id + ":not([data-heart-rate='" + card.dataset.heartRate + "'])")`,
  );
  await page.locator(now.join(", ")).first().waitFor();
}

/** Entries of the page's log that contain this, in the order of the page. */
export function logEntries(page: Page, text: string): Locator {
  return element(page, "server-log").locator("li", { hasText: text });
}

/** Orders a drug in a patient's card. */
export async function order(page: Page, patientId: string, drugName: string): Promise<void> {
  await element(card(page, patientId), "order-drug").selectOption(drugName);
  await element(card(page, patientId), "order-submit").click();
}

export async function orderIs(page: Page, patientId: string, status: "ordered" | "refused" | "waiting"): Promise<void> {
  await element(card(page, patientId), "order-status", { status }).waitFor();
}
