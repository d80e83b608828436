/** What people do on the demo's page: sign in, watch wards, order, and hear clearly what they may not do. */

import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, type TestContext } from "vitest";
import { browserSuite, launchBrowser, openContext } from "./support/chromium.js";
import {
  card,
  connectionIs,
  element,
  heartRatesMove,
  logEntries,
  openClinic,
  openWard,
  order,
  orderIs,
  patientsShown,
  signIn,
  wardIs,
} from "./support/clinic-page.js";
import { startRelayedSite, startSite, type ClinicSite } from "./support/clinic-site.js";
import { schemes } from "./support/relay.js";
import { isRequestTo, isSocket, readings, sentMessages, type Sighting } from "./support/sightings.js";

const isVitals = (sighting: Sighting): boolean => readings(sighting).length > 0;

browserSuite(
  "the ward dashboard in Chromium",
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
    // Alone: one person after the other takes its time.
    test.sequential("each of the demo's people signs in and is named by the server", async (own) => {
      const people = {
        "doctor-icu": "doctor · ICU · general",
        "doctor-er": "doctor · ER · general",
        "nurse-icu": "nurse · ICU · general",
        "nurse-er": "nurse · ER · general",
        admin: "admin · general",
        "doctor-annex": "doctor · ICU · annex",
      };
      const { page } = await openClinic(await openContext(browser, own), site.origin);
      for (const [username, facts] of Object.entries(people)) {
        await signIn(page, username);
        await connectionIs(page, "live");
        const who = element(page, "who").filter({ hasText: facts });
        expect(await who.innerText()).toContain(username);
        await element(page, "sign-out").click();
        await element(page, "submit").waitFor();
      }
    });

    test("a wrong password is refused in words, and nobody is signed in", async (own) => {
      const { page } = await openClinic(await openContext(browser, own), site.origin);
      await element(page, "username").fill("doctor-icu");
      await element(page, "password").fill("not the password");
      await element(page, "submit").click();
      await element(page, "refusal").waitFor();
      expect(await element(page, "refusal").innerText()).toContain("The name or the password is not right.");
      expect(await page.context().cookies()).toEqual([]);
    });

    test("a doctor sees the own ward live: numbers change, lines are drawn, the countdown runs", async (own) => {
      const { page } = await openWard(await openContext(browser, own), site.origin, "doctor-icu", "icu");
      await connectionIs(page, "live");
      await card(page, "general-icu-6").waitFor();
      expect(await patientsShown(page)).toEqual([1, 2, 3, 4, 5, 6].map((bed) => `general-icu-${bed}`));
      expect(await element(page, "ward-icu").getAttribute("aria-pressed")).toBe("true");
      expect(await element(page, "ward-er").getAttribute("data-state")).toBe("off");

      const seconds = async (): Promise<number> =>
        Number(await element(page, "credential-countdown").getAttribute("data-seconds"));
      const secondsLeft = await seconds();
      expect(secondsLeft).toBeGreaterThan(200);
      expect(secondsLeft).toBeLessThanOrEqual(300);

      await heartRatesMove(page);
      await heartRatesMove(page);
      await eventually(own, seconds).toBeLessThan(secondsLeft);

      // The trace is a canvas: what was drawn has ink, and the next reading changes it.
      const canvas = `document.querySelector("[data-testid=patient-general-icu-1] .sparkline canvas")`;
      const ink = `${canvas}.getContext("2d").getImageData(0, 0, ${canvas}.width, ${canvas}.height).data.filter((_, i) => i % 4 === 3).filter(Boolean).length`;
      await eventually(own, () => page.evaluate<number>(ink)).toBeGreaterThan(100);
      const drawn = await page.evaluate<string>(`${canvas}.toDataURL()`);
      await eventually(own, () => page.evaluate<string>(`${canvas}.toDataURL()`)).not.toBe(drawn);
    });

    test("a doctor who asks for another ward is told why not, and none of its events arrive", async (own) => {
      const { page, seen } = await openWard(await openContext(browser, own), site.origin, "doctor-icu", "icu");
      await element(page, "ward-er").click();
      await wardIs(page, "er", "refused");
      const refusal = element(page, "refusal", { condition: "denied" });
      expect(await refusal.innerText()).toContain("Not allowed: Emergency");
      expect(await refusal.innerText()).toContain("This ward needs a matching department.");
      await logEntries(page, "this ward needs a matching department").waitFor();
      await connectionIs(page, "live");

      const before = seen.items.filter(isVitals).length;
      await seen.take(before + 3, isVitals);
      expect(new Set(seen.items.flatMap(readings).map(({ ward }) => ward))).toEqual(new Set(["icu"]));
      expect((await patientsShown(page)).filter((id) => !id.startsWith("general-icu-"))).toEqual([]);
    });

    test("an administrator watches both wards and may give one up", async (own) => {
      const { page, seen } = await openWard(await openContext(browser, own), site.origin, "admin", "icu");
      await wardIs(page, "er", "joined");
      await card(page, "general-er-6").waitFor();
      await seen.first((sighting) => readings(sighting).some(({ ward }) => ward === "icu"));
      await seen.first((sighting) => readings(sighting).some(({ ward }) => ward === "er"));

      await element(page, "ward-er").click();
      await wardIs(page, "er", "off");
      await card(page, "general-er-1").waitFor({ state: "detached" });
      expect(await card(page, "general-icu-1").count()).toBe(1);
    });

    test("two tenants with wards of the same name never see each other's patients", async (own) => {
      const [annex, general] = await Promise.all([
        openWard(await openContext(browser, own), site.origin, "doctor-annex", "icu"),
        openWard(await openContext(browser, own), site.origin, "admin", "icu"),
      ]);
      await card(annex.page, "annex-icu-1").waitFor();
      await card(general.page, "general-icu-1").waitFor();
      await Promise.all([heartRatesMove(annex.page), heartRatesMove(general.page)]);
      // Ids of both tenants begin with the tenant's name.
      const tenantsHeard = ({ seen }: typeof annex): readonly string[] => [
        ...new Set(seen.items.flatMap(readings).map(({ patientId }) => patientId.replace(/-.*/, ""))),
      ];
      expect(tenantsHeard(annex)).toEqual(["annex"]);
      expect(tenantsHeard(general)).toEqual(["general"]);
      expect(await patientsShown(annex.page)).toEqual(["annex-icu-1", "annex-icu-2", "annex-icu-3"]);
      expect(await annex.page.content()).not.toContain("general-");
      expect(await general.page.content()).not.toContain("annex-");
    });

    test("an order reaches a nurse of the ward in another browser", async (own) => {
      const doctor = await openWard(await openContext(browser, own), site.origin, "doctor-icu", "icu");
      const nurse = await openWard(await openContext(browser, own), site.origin, "nurse-icu", "icu");
      await order(doctor.page, "general-icu-2", "Heparin");
      await orderIs(doctor.page, "general-icu-2", "ordered");
      const [ordered, heard] = [doctor, nurse].map(({ page }) => ordersFor(page, "Benedikt Huber")) as [
        Locator,
        Locator,
      ];
      await heard.waitFor();
      expect(await heard.innerText()).toMatch(/^Heparin\s+for Benedikt Huber by doctor-icu/);
      await ordered.waitFor();
      expect(await ordered.getAttribute("data-order-id")).toBe(await heard.getAttribute("data-order-id"));
    });

    test("a nurse who orders is refused in the server's words, and nothing is ordered", async (own) => {
      const nurse = await openWard(await openContext(browser, own), site.origin, "nurse-icu", "icu");
      const doctor = await openWard(await openContext(browser, own), site.origin, "doctor-icu", "icu");
      await order(nurse.page, "general-icu-3", "Morphine");
      await orderIs(nurse.page, "general-icu-3", "refused");
      const refusal = element(nurse.page, "refusal", { condition: "denied" });
      expect(await refusal.innerText()).toContain("Only doctors may order medication.");
      expect(await refusal.innerText()).toContain("Not allowed: Morphine for Chiara Conti");
      await connectionIs(nurse.page, "live");

      // A later order marks the point by which the refused one would have arrived.
      await order(doctor.page, "general-icu-3", "Insulin");
      await ordersFor(nurse.page, "Chiara Conti").waitFor();
      expect(await ordersFor(nurse.page, "Chiara Conti").allInnerTexts()).toEqual([expect.stringContaining("Insulin")]);
    });

    test("an administrator sees the patients of a ward and is refused an order for one", async (own) => {
      const { page } = await openWard(await openContext(browser, own), site.origin, "admin", "er");
      await order(page, "general-er-1", "Paracetamol");
      await orderIs(page, "general-er-1", "refused");
      await connectionIs(page, "live");
    });

    test("an order whose answer is lost is sent again with its command id and takes effect once", async (own) => {
      const { origin, relay, demo, stop } = await startRelayedSite(scheme);
      own.onTestFinished(stop);
      const doctor = await openWard(await openContext(browser, own), origin, "doctor-icu", "icu");
      const nurse = await openWard(await openContext(browser, own), demo.origin, "nurse-icu", "icu");
      relay.swallowReplies();
      await order(doctor.page, "general-icu-1", "Furosemide");
      await element(nurse.page, "order-item").waitFor();
      expect(await element(card(doctor.page, "general-icu-1"), "order-status").getAttribute("data-status")).toBe(
        "pending",
      );
      relay.cut();
      await orderIs(doctor.page, "general-icu-1", "ordered");

      const sent = doctor.seen.items.flatMap(sentMessages).filter(({ target }) => target === "OrderMedication");
      expect(sent).toHaveLength(2);
      expect(sent[1]?.arguments).toEqual(sent[0]?.arguments);

      // A second order marks the point by which a repeated first one would have arrived.
      await order(doctor.page, "general-icu-1", "Salbutamol");
      await element(nurse.page, "order-item").filter({ hasText: "Salbutamol" }).waitFor();
      expect(await element(nurse.page, "order-item").allInnerTexts()).toEqual([
        expect.stringContaining("Salbutamol"),
        expect.stringContaining("Furosemide"),
      ]);
    });

    test("a visitor is told why there is no connection, and the page does not try again by itself", async (own) => {
      const context = await openContext(browser, own);
      await context.clock.install();
      const { page, seen } = await openClinic(context, site.origin);
      await signIn(page, "visitor");
      await connectionIs(page, "denied");
      const refusal = element(page, "refusal", { condition: "denied" });
      expect(await refusal.innerText()).toContain("Only clinical staff and administrators may connect.");
      const attempts = (): number => seen.items.filter(isRequestTo("/hubs/clinical/negotiate")).length;
      expect(attempts()).toBe(1);
      const sockets = seen.items.filter(isSocket).length;

      // Twenty minutes of the page's own time: credentials are renewed, the connection stays as it is.
      const renewals = seen.items.filter(isRequestTo("/auth/refresh")).length;
      for (let minute = 0; minute < 20; minute += 1) await context.clock.runFor("01:00");
      await seen.take(renewals + 2, isRequestTo("/auth/refresh"));
      expect(attempts()).toBe(1);
      expect(seen.items.filter(isSocket)).toHaveLength(sockets);
      expect(await element(page, "connection-badge").getAttribute("data-state")).toBe("denied");

      // It is the person's to ask again.
      await element(page, "reconnect").click();
      await seen.take(2, isRequestTo("/hubs/clinical/negotiate"));
    });

    test("a negotiate of the page's own origin without a token is a bare 401", async (own) => {
      const { page } = await openClinic(await openContext(browser, own), site.origin);
      const negotiate = (headers: Readonly<Record<string, string>>): Promise<{ status: number; body: string }> =>
        page.evaluate(
          `fetch("/hubs/clinical/negotiate?negotiateVersion=1", { method: "POST", headers: ${JSON.stringify(headers)} })
           .then(async (reply) => ({ status: reply.status, body: await reply.text() }))`,
        );
      expect(await negotiate({})).toEqual({ status: 401, body: "" });
      // Naming oneself as the stock client changes nothing where nothing was shown.
      expect((await negotiate({ "X-SignalR-User-Agent": "Microsoft SignalR/10.0" })).status).toBe(401);
      expect((await negotiate({ Authorization: "Bearer not.a.token" })).status).toBe(401);
    });
  },
  { concurrent: true, schemes },
);

/** An assertion that is asked again until it holds. The page's policy forbids Playwright's own polling inside the page. */
function eventually<T>({ expect: ownExpect }: TestContext, read: () => Promise<T>): ReturnType<typeof expect.poll<T>> {
  return ownExpect.poll(read, { timeout: 15_000, interval: 100 });
}

/** Orders on the screen for this patient. Other tests order for others. */
function ordersFor(page: Page, patient: string): Locator {
  return element(page, "order-item").filter({ hasText: `for ${patient}` });
}
