/** The notes page where credentials end after seconds: the rooms protocol renews them over its own connection. */

import { expect, test } from "vitest";
import { browserSuite, launchBrowser, openContext } from "./support/chromium.js";
import { openWard } from "./support/clinic-page.js";
import { startSite } from "./support/clinic-site.js";
import { note, openNotes, statusIs, write } from "./support/notes-page.js";
import type { Sighting } from "./support/sightings.js";

browserSuite("the notes page with short credentials", () => {
  test("a new credential is shown over the same connection, again and again", async (own) => {
    const browser = await launchBrowser();
    own.onTestFinished(() => browser.close());
    const site = await startSite("http", { accessTokenSeconds: 8 });
    own.onTestFinished(() => site.stop());
    const context = await openContext(browser, own);
    await openWard(context, site.origin, "nurse-icu", "icu");
    const { page, seen } = await openNotes(context, site.origin);
    const isAuth = (sighting: Sighting): boolean =>
      sighting.kind === "frame" && sighting.isSent && sighting.text.includes('"type":"auth"');
    await seen.take(3, isAuth);
    await statusIs(page, "live");
    await write(page, "still here");
    await note(page, "still here").waitFor();
    expect(seen.items.filter(({ kind }) => kind === "socket").length).toBe(1);
  });
});
