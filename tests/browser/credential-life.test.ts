/** The life of the credential as a browser sees it: with tokens of five seconds it ends every few seconds. */

import type { Browser, Cookie } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browserSuite, launchBrowser, openContext } from "./support/chromium.js";
import {
  connectionIs,
  element,
  heartRatesMove,
  logEntries,
  openClinic,
  openWard,
  wardIs,
  type ClinicPage,
} from "./support/clinic-page.js";
import { startSite, type ClinicSite } from "./support/clinic-site.js";
import { schemes } from "./support/relay.js";
import {
  hubMessages,
  isCloseBecause,
  isRequestTo,
  isSocket,
  readings,
  sentMessages,
  type Sighting,
} from "./support/sightings.js";

const isExpiry = isCloseBecause("token_expired;action=refresh");
const isRefresh = isRequestTo("/auth/refresh");
const isLogin = isRequestTo("/auth/login");
const isNegotiate = isRequestTo("/hubs/clinical/negotiate");
/** The page shows the hub a newer token, over the connection itself. */
const isRenewal = (sighting: Sighting): boolean =>
  sentMessages(sighting).some(({ target }) => target === "hubward.reauthenticate");
const isLapse = (sighting: Sighting): boolean =>
  hubMessages(sighting).some(
    ({ target, arguments: args }) => target === "hubward.notice" && JSON.stringify(args).includes('"kind":"expired"'),
  );
const isVitals = (sighting: Sighting): boolean => readings(sighting).length > 0;

browserSuite(
  "the life of a credential in Chromium",
  (scheme) => {
    let browser: Browser;
    let site: ClinicSite;

    beforeAll(async () => {
      browser = await launchBrowser();
      site = await startSite(scheme, { accessTokenSeconds: 5 });
    });
    afterAll(async () => {
      await browser?.close();
      await site?.stop();
    });

    test("the countdown starts over in place, again and again: one negotiate, one socket, readings throughout", async (own) => {
      const context = await openContext(browser, own);
      const { page, seen } = await openWard(context, site.origin, "doctor-icu", "icu");
      await seen.take(3, isRenewal);
      await element(page, "credential-countdown", { phase: "renewed" }).waitFor();
      await logEntries(page, "took the new credential").nth(2).waitFor();
      const [first = -1, second = -1, third = -1] = seen.items.flatMap((item, index) =>
        isRenewal(item) ? [index] : [],
      );
      // Between one renewal and the next: a new credential, and readings on the socket of before.
      for (const cycle of [seen.items.slice(first, second), seen.items.slice(second, third)]) {
        expect(cycle.filter(isRefresh).length).toBeGreaterThan(0);
        expect(cycle.filter(isVitals).length).toBeGreaterThan(0);
      }
      expect(seen.items.filter(isSocket)).toHaveLength(1);
      expect(seen.items.filter(isNegotiate)).toHaveLength(1);
      expect(seen.items.filter(isLogin)).toHaveLength(1);
      expect(seen.items.filter((sighting) => isExpiry(sighting) || isLapse(sighting))).toEqual([]);
      await connectionIs(page, "live");
      await heartRatesMove(page);
      expect(await element(page, "credential-countdown").getAttribute("data-seconds")).toMatch(/^[0-6]$/);
    });

    test("while nobody can refresh, it is told apart, readings stop at the token's end, and all comes back by itself", async (own) => {
      const context = await openContext(browser, own);
      const { page, seen } = await openWard(context, site.origin, "doctor-icu", "icu");
      const body = JSON.stringify({ error: "auth_unavailable;action=retry-after;retry_after=1" });
      await context.route("**/auth/refresh", (route) => route.fulfill({ status: 503, body }));
      await logEntries(page, "could not be renewed for now").first().waitFor();
      await seen.first(isLapse);
      await element(page, "connection-badge", { state: "refreshing" }).waitFor();
      const strip = element(page, "status-strip");
      await strip.waitFor();
      expect(await strip.innerText()).toContain("You stay signed in");
      await seen.take(3, isRefresh);
      expect(await element(page, "submit").count()).toBe(0);
      await context.unroute("**/auth/refresh");

      const lapse = seen.items.findIndex(isLapse);
      const isBack = (sighting: Sighting, index: number): boolean =>
        index > lapse && (isRenewal(sighting) || isSocket(sighting));
      await seen.first((sighting) => isBack(sighting, seen.items.indexOf(sighting)));
      await isLiveAgain({ page, seen });
      await heartRatesMove(page);
      const back = seen.items.findIndex(isBack);
      expect(seen.items.slice(lapse + 1, back).filter(isVitals)).toEqual([]);
      expect(seen.items.filter(isLogin)).toHaveLength(1);
    }, 60_000);

    for (const [name, offsetMs] of [
      ["ahead", 3_600_000],
      ["behind", -3_600_000],
    ] as const) {
      test(`a computer whose clock is an hour ${name} keeps its session and its socket`, async (own) => {
        const context = await openContext(browser, own);
        await context.addInitScript(`{
          const Real = Date, offset = ${offsetMs};
          globalThis.Date = class extends Real {
            constructor(...args) { super(...(args.length === 0 ? [Real.now() + offset] : args)); }
            static now() { return Real.now() + offset; }
          };
        }`);
        const { page, seen } = await openWard(context, site.origin, "doctor-icu", "icu");
        const skewMs = (await page.evaluate<number>("Date.now()")) - Date.now();
        expect(Math.abs(skewMs - offsetMs)).toBeLessThan(600_000);
        const before = seen.items.filter(isRefresh).length;
        await seen.take(2, isRenewal);
        await connectionIs(page, "live");
        await heartRatesMove(page);
        expect(seen.items.filter(isSocket)).toHaveLength(1);
        expect(seen.items.filter(isLogin)).toHaveLength(1);
        // Neither a refresh for nothing nor one too few.
        expect(seen.items.filter(isRefresh).length - before).toBeLessThanOrEqual(
          seen.items.filter(isRenewal).length + 1,
        );
        expect(await element(page, "credential-countdown").getAttribute("data-seconds")).toMatch(/^[0-6]$/);
      });
    }

    test("the cookie keeps a person signed in across a reload, and signing out ends the session for good", async (own) => {
      const context = await openContext(browser, own);
      const { page, seen } = await openWard(context, site.origin, "doctor-icu", "icu");
      await page.reload();
      await wardIs(page, "icu", "joined");
      await heartRatesMove(page);
      expect(await element(page, "who").innerText()).toContain("doctor-icu");
      expect(seen.items.filter(isLogin)).toHaveLength(1);

      const cookies = await context.cookies(`${site.origin}/auth/refresh`);
      expect(cookies).toEqual([expect.objectContaining({ httpOnly: true, secure: scheme === "https" })]);
      await element(page, "sign-out").click();
      await element(page, "submit").waitFor();
      await seen.first((sighting) => sighting.kind === "response" && sighting.url.endsWith("/auth/logout"));
      expect(await context.cookies(`${site.origin}/auth/refresh`)).toEqual([]);

      const refresh = (): Promise<number> =>
        page.evaluate(`fetch("/auth/refresh", { method: "POST" }).then((reply) => reply.status)`);
      expect(await refresh()).toBe(401);
      // Whoever kept a copy of the cookie has nothing either.
      await context.addCookies(cookies.map(asGiven));
      expect(await refresh()).toBe(401);
      await page.reload();
      await element(page, "submit").waitFor();
    });

    test("two tabs of one session refresh at the same moment and both stay signed in", async (own) => {
      const context = await openContext(browser, own);
      const one = await openWard(context, site.origin, "doctor-icu", "icu");
      const two = await openClinic(context, site.origin);
      await wardIs(two.page, "icu", "joined");

      // Both ask with the same cookie: neither request leaves before the other is ready.
      const gate = createGate(2);
      await context.route(
        "**/auth/refresh",
        async (route) => {
          await gate();
          await route.continue();
        },
        { times: 2 },
      );
      await Promise.all([one.page.reload(), two.page.reload()]);
      await Promise.all([wardIs(one.page, "icu", "joined"), wardIs(two.page, "icu", "joined")]);

      // Their tokens now end together. Two renewals later both are still there.
      const tabs = [one, two].map((tab) => ({ ...tab, renewals: tab.seen.items.filter(isRenewal).length }));
      await Promise.all(tabs.map(({ seen, renewals }) => seen.take(renewals + 2, isRenewal)));
      await Promise.all(tabs.map((tab) => isLiveAgain(tab)));
      expect(one.seen.items.filter(isLogin)).toHaveLength(1);
      expect(two.seen.items.filter(isLogin)).toHaveLength(0);
      const refused = tabs.flatMap(({ seen }) => seen.items.filter(isRefusedRefresh));
      expect(refused).toEqual([]);
      expect(site.demo.output()).not.toContain("reuse");
    });
  },
  { concurrent: true, schemes },
);

async function isLiveAgain({ page, seen }: ClinicPage): Promise<void> {
  const before = seen.items.filter(isVitals).length;
  await seen.take(before + 2, isVitals);
  await connectionIs(page, "live");
  await wardIs(page, "icu", "joined");
}

/** Nobody was signed in when the very first page opened: that refresh is refused before any login. */
function isRefusedRefresh(sighting: Sighting, index: number, all: readonly Sighting[]): boolean {
  const isAfterLogin = all.slice(0, index).some(isLogin);
  return (
    isAfterLogin && sighting.kind === "response" && sighting.url.endsWith("/auth/refresh") && sighting.status === 401
  );
}

/** Lets nobody through before so many have come. */
function createGate(count: number): () => Promise<void> {
  let open: () => void = () => undefined;
  const isOpen = new Promise<void>((resolve) => (open = resolve));
  let waiting = 0;
  return () => {
    waiting += 1;
    if (waiting === count) open();
    return isOpen;
  };
}

function asGiven({
  name,
  value,
  domain,
  path,
  expires,
  httpOnly,
  secure,
  sameSite,
}: Cookie): Omit<Cookie, "partitionKey"> {
  return { name, value, domain, path, expires, httpOnly, secure, sameSite };
}
