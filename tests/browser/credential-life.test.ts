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
import { isCloseBecause, isRequestTo, isSocket, readings, type Sighting } from "./support/sightings.js";

const isExpiry = isCloseBecause("token_expired;action=refresh");
const isRefresh = isRequestTo("/auth/refresh");
const isLogin = isRequestTo("/auth/login");
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

    test("a connection ends with its token and says so, one refresh brings it back to its ward, again and again", async (own) => {
      const context = await openContext(browser, own);
      const { page, seen } = await openWard(context, site.origin, "doctor-icu", "icu");
      await seen.take(3, isExpiry);
      await logEntries(page, "token_expired;action=refresh").nth(2).waitFor();
      const [first = -1, second = -1, third = -1] = seen.items.flatMap((item, index) =>
        isExpiry(item) ? [index] : [],
      );

      // Between one expiry and the next: a new credential, a new socket, readings on it.
      for (const cycle of [seen.items.slice(first, second), seen.items.slice(second, third)]) {
        expect(cycle.filter(isRefresh).length).toBeGreaterThan(0);
        expect(cycle.filter(isSocket)).toHaveLength(1);
        expect(cycle.filter(isVitals).length).toBeGreaterThan(0);
      }
      // One refresh for each, however many ask. A wait before reconnecting may let one more fall due.
      expect(seen.items.slice(first, third).filter(isRefresh).length).toBeLessThanOrEqual(3);
      expect(seen.items.filter(isLogin)).toHaveLength(1);

      const sockets = seen.items.filter(isSocket).length;
      await seen.take(sockets + 1, isSocket);
      await connectionIs(page, "live");
      await wardIs(page, "icu", "joined");
      await heartRatesMove(page);
      expect(await element(page, "credential-countdown").getAttribute("data-seconds")).toMatch(/^[0-5]$/);
    });

    test("no reading arrives between a token's end and the connection's", async (own) => {
      const context = await openContext(browser, own);
      const { seen } = await openWard(context, site.origin, "doctor-icu", "icu");
      await seen.take(2, isExpiry);
      const close = seen.items.findIndex(isExpiry);
      const next = seen.items.findIndex((item, index) => index > close && isSocket(item));
      expect(seen.items.slice(close + 1, next).filter(isVitals)).toEqual([]);
      // In the closing frame itself the Close is the last word.
      expect(seen.items[close]).toMatchObject({
        kind: "frame",
        text: expect.stringMatching(/"type":7[^\u001e]*\u001e$/),
      });
    });

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

      // Their tokens now end together. Two ends later both are still there.
      const tabs = [one, two].map((tab) => ({ ...tab, expiries: tab.seen.items.filter(isExpiry).length }));
      await Promise.all(tabs.map(({ seen, expiries }) => seen.take(expiries + 2, isExpiry)));
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
