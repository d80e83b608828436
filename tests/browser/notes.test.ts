/** The notes page: the rooms protocol with the browser's own WebSocket, beside the dashboard and its hub. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browserSuite, launchBrowser, openContext } from "./support/chromium.js";
import { element, logEntries, openWard, wardIs } from "./support/clinic-page.js";
import { startSite, type ClinicSite } from "./support/clinic-site.js";
import { note, openNotes, statusIs, write } from "./support/notes-page.js";

browserSuite(
  "the notes page in Chromium",
  (scheme) => {
    let browser: Browser;
    let site: ClinicSite;

    beforeAll(async () => {
      browser = await launchBrowser();
      site = await startSite(scheme);
    });
    afterAll(async () => {
      await browser?.close();
      await site?.stop();
    });

    test("a note reaches the other notes page and the dashboard of the ward, and is there after a reload", async (own) => {
      const nurse = await openContext(browser, own);
      const doctor = await openContext(browser, own);
      await openWard(nurse, site.origin, "nurse-icu", "icu");
      const dashboard = await openWard(doctor, site.origin, "doctor-icu", "icu");
      const writing = await openNotes(nurse, site.origin);
      const reading = await openNotes(doctor, site.origin);
      await write(writing.page, "bed 4 <b>is</b> free");
      await note(reading.page, "bed 4 <b>is</b> free").waitFor();
      await logEntries(dashboard.page, "nurse-icu: bed 4 <b>is</b> free").waitFor();
      await reading.page.reload();
      await note(reading.page, "bed 4 <b>is</b> free").waitFor();
      expect(await note(reading.page, "bed 4").count()).toBe(1);
      await element(reading.page, "people").filter({ hasText: "Here: doctor-icu, nurse-icu" }).waitFor();
    });

    test("another ward's notes are refused in words, and the own ones are back on return", async (own) => {
      const context = await openContext(browser, own);
      await openWard(context, site.origin, "doctor-er", "er");
      const { page } = await openNotes(context, site.origin);
      await element(page, "refusal").filter({ hasText: "this ward needs a matching department" }).waitFor();
      await element(page, "ward").selectOption("er");
      await write(page, "quiet night");
      await note(page, "quiet night").waitFor();
      expect(await element(page, "refusal").isHidden()).toBe(true);
    });

    test("an administrator reads and is refused a note", async (own) => {
      const context = await openContext(browser, own);
      const { page: dashboard } = await openWard(context, site.origin, "admin", "icu");
      await wardIs(dashboard, "icu", "joined");
      const { page } = await openNotes(context, site.origin);
      await write(page, "from above");
      await element(page, "refusal").filter({ hasText: "only clinical staff may write notes" }).waitFor();
      expect(await note(page, "from above").count()).toBe(0);
    });

    test("signing out on the dashboard ends the notes at once, and says so", async (own) => {
      const context = await openContext(browser, own);
      const dashboard = await openWard(context, site.origin, "nurse-er", "er");
      const { page, seen } = await openNotes(context, site.origin);
      await element(dashboard.page, "sign-out").click();
      await statusIs(page, "ended");
      expect(await page.locator("#status").innerText()).toContain("session_revoked");
      expect(JSON.stringify(seen.items.filter(({ kind }) => kind !== "frame"))).not.toMatch(
        /[?&](?:token|access_token|ticket)=/,
      );
    });

    test("nobody is signed in: the page says where to do it", async (own) => {
      const context = await openContext(browser, own);
      const page = await context.newPage();
      await page.goto(`${site.origin}/notes`);
      await statusIs(page, "ended");
      expect(await page.locator("#status").innerText()).toContain("sign in on the dashboard");
    });
  },
  { schemes: ["http"] },
);
