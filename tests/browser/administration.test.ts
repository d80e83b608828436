/** Two browsers: what an administrator does in one of them, the person in the other sees at once. */

import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, type TestContext } from "vitest";
import { browserSuite, launchBrowser, openContext } from "./support/chromium.js";
import {
  connectionIs,
  element,
  heartRatesMove,
  openClinic,
  openWard,
  signIn,
  wardIs,
  type ClinicPage,
  type Ward,
} from "./support/clinic-page.js";
import { startSite, type ClinicSite } from "./support/clinic-site.js";
import { schemes } from "./support/relay.js";
import { hubMessages, isRequestTo, isSocket, readings, type Sighting } from "./support/sightings.js";

/** Screenshots for people; git ignores them. */
const outputFolder = fileURLToPath(new URL("./output/", import.meta.url));
const isNegotiate = isRequestTo("/hubs/clinical/negotiate");
const isVitals = (sighting: Sighting): boolean => readings(sighting).length > 0;

browserSuite(
  "administration in Chromium",
  (scheme) => {
    let browser: Browser;
    let site: ClinicSite;

    beforeAll(async () => {
      browser = await launchBrowser();
      site = await startSite(scheme);
      await mkdir(outputFolder, { recursive: true });
    });
    afterAll(async () => {
      await browser?.close();
      await site?.stop();
    });

    /** An administrator at one browser, and somebody who watches a ward at another. */
    async function open(own: TestContext, username: string, ward: Ward): Promise<{ admin: Page; other: ClinicPage }> {
      const { page: admin } = await openClinic(await openContext(browser, own), site.origin);
      await signIn(admin, "admin");
      await element(admin, "admin-panel").waitFor();
      const other = await openWard(await openContext(browser, own), site.origin, username, ward);
      await heartRatesMove(other.page);
      await connection(admin, username).waitFor();
      return { admin, other };
    }

    const person = (admin: Page, username: string): Locator => element(admin, `admin-person-${username}`);
    const connection = (admin: Page, username: string): Locator =>
      element(admin, "admin-connection", { subject: username });

    test("the panel lists who is connected, with standing, countdown and groups; others have no panel", async (own) => {
      const { admin, other } = await open(own, "nurse-icu", "icu");
      const row = connection(admin, "nurse-icu");
      await row.filter({ hasText: "ward/icu" }).waitFor();
      expect(await row.getAttribute("data-standing")).toBe("active");
      expect(await row.innerText()).toMatch(/active\s+[45]:\d\d/);
      expect(await element(other.page, "admin-panel").count()).toBe(0);
      // Of the other hospital there is nobody.
      expect(await person(admin, "doctor-annex").count()).toBe(0);
    });

    test("an ended session: the page says so and asks to sign in, and nothing goes on behind it", async (own) => {
      const { admin, other } = await open(own, "doctor-icu", "icu");
      await element(connection(admin, "doctor-icu"), "admin-end-session").click();
      await element(other.page, "submit").waitFor();
      await other.page.getByText("This session has been ended.").first().waitFor();
      await connection(admin, "doctor-icu").waitFor({ state: "detached" });
      expect(reasonsOf(other)).toEqual(["session_revoked;action=relogin"]);
      await staysQuiet(admin, other);
      await other.page.reload();
      await element(other.page, "submit").waitFor();
    });

    test("a suspended person is told, and comes back when it is lifted", async (own) => {
      const { admin, other } = await open(own, "nurse-er", "er");
      await element(person(admin, "nurse-er"), "admin-suspend").click();
      await connectionIs(other.page, "denied");
      await other.page.getByRole("alert").getByText("This account has been disabled.").waitFor();
      expect(reasonsOf(other)).toEqual(["account_disabled"]);
      await element(admin, "admin-person-nurse-er", { suspended: "true" }).waitFor();
      await staysQuiet(admin, other);
      await element(other.page, "reconnect").click();
      await connectionIs(other.page, "denied");

      await element(person(admin, "nurse-er"), "admin-suspend").click();
      await element(admin, "admin-person-nurse-er", { suspended: "false" }).waitFor();
      await element(other.page, "reconnect").click();
      await wardIs(other.page, "er", "joined");
      await heartRatesMove(other.page);
    });

    test("a role that is taken away is felt at once, and given back after a new sign-in too", async (own) => {
      const { admin, other } = await open(own, "doctor-er", "er");
      await element(person(admin, "doctor-er"), "admin-roles").click();
      await connectionIs(other.page, "denied");
      expect(reasonsOf(other).join()).toMatch(/^forbidden/);
      await element(admin, "admin-person-doctor-er", { roles: "" }).waitFor();
      await staysQuiet(admin, other);

      await element(person(admin, "doctor-er"), "admin-roles").click();
      await element(admin, "admin-person-doctor-er", { roles: "doctor" }).waitFor();
      await element(other.page, "sign-out").click();
      await element(other.page, "submit").waitFor();
      await signIn(other.page, "doctor-er");
      await wardIs(other.page, "er", "joined");
      await heartRatesMove(other.page);
    });

    test("the panel fits any screen, dark and light", async (own) => {
      const { admin } = await open(own, "nurse-icu", "icu");
      for (const colorScheme of ["dark", "light"] as const) {
        await admin.emulateMedia({ colorScheme });
        for (const width of [320, 820, 1280]) {
          await admin.setViewportSize({ width, height: 800 });
          expect(
            await admin.evaluate<boolean>(
              "document.documentElement.scrollWidth <= document.documentElement.clientWidth",
            ),
          ).toBe(true);
          await admin.screenshot({
            path: `${outputFolder}admin-${scheme}-${width}-${colorScheme}.png`,
            fullPage: true,
          });
        }
      }
    });

    // Last: of this hospital nobody comes in any more.
    test("a suspended hospital: everybody of it is out, the administrator too, others are not", async (own) => {
      const { admin, other } = await open(own, "nurse-icu", "icu");
      const foreign = await openWard(await openContext(browser, own), site.origin, "doctor-annex", "icu");
      await element(admin, "admin-suspend-tenant").click();
      await element(admin, "admin-suspend-tenant").click();
      await connectionIs(other.page, "denied");
      await connectionIs(admin, "denied");
      await other.page.getByRole("alert").getByText("Your clinic's access is suspended.").waitFor();
      expect(reasonsOf(other)).toEqual(["tenant_suspended"]);
      await heartRatesMove(foreign.page);
      await connectionIs(foreign.page, "live");
    });
  },
  { schemes },
);

/** What the server gave as reasons for the ends of connections. */
function reasonsOf({ seen }: ClinicPage): readonly string[] {
  return seen.items
    .flatMap((sighting) => hubMessages(sighting))
    .flatMap(({ type, error }) => (type === 7 ? [error ?? ""] : []));
}

/** Two looks of the panel at it later, nothing was asked or heard since its connection has ended. */
async function staysQuiet(admin: Page, { seen }: ClinicPage): Promise<void> {
  const end = seen.items.findLastIndex((sighting) => hubMessages(sighting).some(({ type }) => type === 7));
  expect(end).toBeGreaterThan(-1);
  for (let looks = 0; looks < 2; looks += 1) {
    await admin.waitForResponse((response) => new URL(response.url()).pathname === "/api/admin/connections");
  }
  const since = seen.items.slice(end + 1);
  expect(since.filter(isVitals)).toEqual([]);
  expect(since.filter(isNegotiate)).toEqual([]);
  expect(since.filter(isSocket)).toEqual([]);
}
