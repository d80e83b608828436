/** The page on any screen: nothing sticks out, everything has a name, the keyboard is enough, the console is quiet. */

import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browserSuite, launchBrowser, openContext } from "./support/chromium.js";
import { card, element, heartRatesMove, openClinic, openWard, signIn, wardIs } from "./support/clinic-page.js";
import { startDemo, type Demo } from "./support/demo.js";
import { consoleErrors } from "./support/sightings.js";

/** Screenshots for people; git ignores them. */
const outputFolder = fileURLToPath(new URL("./output/", import.meta.url));
const widths = [320, 360, 820, 1440, 2560];
const photographedWidths = new Set([360, 820, 1440]);
const schemes = ["dark", "light"] as const;

browserSuite(
  "the page's layout in Chromium",
  () => {
    let browser: Browser;
    let demo: Demo;

    beforeAll(async () => {
      browser = await launchBrowser();
      demo = await startDemo();
      await mkdir(outputFolder, { recursive: true });
    });
    afterAll(async () => {
      await browser?.close();
      await demo?.stop();
    });

    test("nothing sticks out sideways, on narrow and wide screens, dark and light, signed out and in", async (own) => {
      const context = await openContext(browser, own);
      const { page, seen } = await openClinic(context, demo.origin);
      await forEachScreen(page, async () => expect(await sticksOut(page)).toEqual([]));

      await signIn(page, "admin");
      await wardIs(page, "er", "joined");
      await card(page, "general-er-6").waitFor();
      await heartRatesMove(page);
      const backgrounds = new Set<string>();
      await forEachScreen(page, async (width, scheme) => {
        expect(await sticksOut(page)).toEqual([]);
        backgrounds.add(await page.evaluate<string>("getComputedStyle(document.documentElement).backgroundColor"));
        if (photographedWidths.has(width)) {
          await page.screenshot({ path: `${outputFolder}dashboard-${width}-${scheme}.png`, fullPage: true });
        }
      });
      expect(backgrounds.size).toBe(2);

      // The one line a console may show: whoever opens the page is asked for a session once, and has none.
      expect(consoleErrors(seen).filter(({ url }) => url !== `${demo.origin}/auth/refresh`)).toEqual([]);
      expect(consoleErrors(seen).map(({ text }) => text)).toEqual([expect.stringContaining("401")]);
    });

    test("a refusal and a denial fit on the narrowest screen", async (own) => {
      const context = await openContext(browser, own);
      const { page } = await openWard(context, demo.origin, "doctor-icu", "icu");
      await page.setViewportSize({ width: 320, height: 640 });
      await element(page, "ward-er").click();
      await wardIs(page, "er", "refused");
      expect(await sticksOut(page)).toEqual([]);
      await element(page, "sign-out").click();
      await element(page, "submit").waitFor();
      await signIn(page, "visitor");
      await element(page, "refusal").waitFor();
      expect(await sticksOut(page)).toEqual([]);
    });

    test("the keyboard alone signs in, and gives a ward up and takes it again, with the focus to be seen", async (own) => {
      const context = await openContext(browser, own);
      const { page } = await openClinic(context, demo.origin);
      await tabTo(page, "username");
      await page.keyboard.type("admin");
      await tabTo(page, "password");
      await page.keyboard.type("demo");
      await page.keyboard.press("Enter");
      await wardIs(page, "er", "joined");

      await tabTo(page, "ward-er");
      expect(await page.evaluate<string>("getComputedStyle(document.activeElement).outlineStyle")).not.toBe("none");
      await page.keyboard.press("Space");
      await wardIs(page, "er", "off");
      await page.keyboard.press("Enter");
      await wardIs(page, "er", "joined");
      await tabTo(page, "order-drug");
      await page.keyboard.type("Hep");
      await tabTo(page, "order-submit");
      await page.keyboard.press("Enter");
      await element(page, "order-status", { status: "refused" }).waitFor();
    });

    test("a screen reader finds landmarks, headings, and a name on everything that can be used", async (own) => {
      const context = await openContext(browser, own);
      const { page } = await openClinic(context, demo.origin);
      await page.getByRole("main").waitFor();
      await page.getByRole("heading", { level: 1, name: "Hubward Clinic" }).waitFor();
      await page.getByRole("textbox", { name: "Name" }).waitFor();
      await page.getByLabel("Password").waitFor();
      await page.getByRole("button", { name: "Sign in" }).waitFor();
      expect(await namelessControls(page)).toEqual([]);

      await signIn(page, "doctor-icu");
      await card(page, "general-icu-1").waitFor();
      await page.getByRole("banner").waitFor();
      await page.getByRole("main").waitFor();
      await page.getByRole("complementary", { name: "Orders and server log" }).waitFor();
      await page.getByRole("heading", { level: 1, name: "Ward dashboard" }).waitFor();
      await page.getByRole("region", { name: "Intensive care" }).waitFor();
      await page.getByRole("article", { name: "Amara Okafor" }).waitFor();
      await page.getByRole("group", { name: "Wards to watch" }).waitFor();
      await page.getByRole("button", { name: /^Intensive care/, pressed: true }).waitFor();
      await page.getByRole("button", { name: /^Emergency/, pressed: false }).waitFor();
      await page.getByRole("status").filter({ hasText: "Connection: Live" }).waitFor();
      await page.getByRole("timer").waitFor();
      await page.getByRole("log", { name: "Server log" }).waitFor();
      await page.getByRole("combobox", { name: "Drug for Amara Okafor" }).waitFor();
      expect(await namelessControls(page)).toEqual([]);
      // On narrow screens some labels give way to icons; the names stay.
      await page.setViewportSize({ width: 320, height: 640 });
      expect(await namelessControls(page)).toEqual([]);
      await page.getByRole("button", { name: "Sign out" }).waitFor();
      expect(await page.evaluate<string>("document.documentElement.lang")).toBe("en");
    });

    test("the theme a person chooses outlives a reload", async (own) => {
      const context = await openContext(browser, own);
      const { page } = await openClinic(context, demo.origin);
      await page.emulateMedia({ colorScheme: "light" });
      const background = (): Promise<string> =>
        page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
      const light = await background();
      await page.getByRole("button", { name: "Use dark colours" }).click();
      const dark = await background();
      expect(dark).not.toBe(light);
      await page.reload();
      await page.getByRole("button", { name: "Use light colours" }).waitFor();
      expect(await background()).toBe(dark);
    });
  },
  { concurrent: true },
);

async function forEachScreen(
  page: Page,
  look: (width: number, scheme: (typeof schemes)[number]) => Promise<void>,
): Promise<void> {
  for (const scheme of schemes) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const width of widths) {
      await page.setViewportSize({ width, height: width > 1000 ? 900 : 740 });
      await look(width, scheme);
    }
  }
}

/** What reaches over the right edge: the page itself when it scrolls sideways, and who makes it. */
async function sticksOut(page: Page): Promise<readonly string[]> {
  return await page.evaluate(`(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth && document.body.scrollWidth <= clientWidth) return [];
    const wide = [...document.body.querySelectorAll("*")].filter((one) => one.getBoundingClientRect().right > clientWidth + 1);
    return [scrollWidth + " > " + clientWidth, ...wide.map((one) => one.tagName + "." + one.className)];
  })()`);
}

/** Presses Tab until the element of this test id has the focus. */
async function tabTo(page: Page, id: string): Promise<void> {
  const focused = (): Promise<string | undefined> => page.evaluate("document.activeElement?.dataset.testid");
  for (let presses = 0; (await focused()) !== id; presses += 1) {
    expect(presses, `Tab leads to ${id}`).toBeLessThan(40);
    await page.keyboard.press("Tab");
  }
}

/** Controls of the accessibility tree that a screen reader could only call by their role. */
async function namelessControls(page: Page): Promise<readonly string[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  const controls = new Set(["button", "combobox", "link", "textbox", "checkbox", "searchbox", "listbox"]);
  const found = nodes.filter(({ role }) => controls.has(String(role?.value)));
  expect(found.length).toBeGreaterThan(2);
  return found.filter(({ name }) => String(name?.value ?? "") === "").map(({ role }) => String(role?.value));
}
