/** Promise 1 in a browser: no JWT in any URL, whatever the connection goes through, nor anywhere else it would stay. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browserSuite, launchBrowser, openContext } from "./support/chromium.js";
import { element, openWard, order, orderIs, wardIs } from "./support/clinic-page.js";
import { startRelayedSite, type RelayedSite } from "./support/clinic-site.js";
import type { Demo } from "./support/demo.js";
import { schemes, type Relay, type RequestHead } from "./support/relay.js";
import { isSocket, readings, type Sighting, type Sightings } from "./support/sightings.js";

const jwtPattern = /eyJ[\w-]*\.[\w-]*\.[\w-]*/;
const ticketPattern = /hwt_[\w-]+/;
const hubPath = "/hubs/clinical";

browserSuite(
  "no token in any URL, seen from Chromium and from the wire",
  (scheme) => {
    let browser: Browser;
    let site: RelayedSite;
    let relay: Relay;
    let demo: Demo;

    beforeAll(async () => {
      browser = await launchBrowser();
      site = await startRelayedSite(scheme, { accessTokenSeconds: 8 });
      ({ relay, demo } = site);
    });
    afterAll(async () => {
      await browser?.close();
      await site?.stop();
    });

    test("connect, work, a cut network, a dropped upgrade, a renewal and a reload show no JWT outside its header", async (own) => {
      const context = await openContext(browser, own);
      const { page, seen } = await openWard(context, relay.origin, "doctor-icu", "icu");
      await order(page, "general-icu-1", "Heparin");
      await orderIs(page, "general-icu-1", "ordered");

      const sockets = seen.items.filter(isSocket).length;
      relay.cut();
      await seen.take(sockets + 1, isSocket);
      await holds(seen);

      // The browser writes the URL of a socket that fails to open to the console: the usual place to find tokens.
      relay.dropUpgrades(1);
      relay.cut();
      await seen.first((sighting) => sighting.kind === "console" && sighting.text.includes("WebSocket connection to"));

      await wardIs(page, "icu", "joined");
      await element(page, "credential-countdown", { phase: "renewed" }).waitFor();
      await page.reload();
      await wardIs(page, "icu", "joined");

      // The credentials were there to be leaked: the token in its header, the ticket in the socket's URL.
      const negotiates = relay.heads.filter(
        ({ method, target }) => method === "POST" && target.startsWith(`${hubPath}/negotiate`),
      );
      expect(negotiates.length).toBeGreaterThanOrEqual(4);
      expect(negotiates.some(({ headers }) => jwtPattern.test(headers.get("authorization") ?? ""))).toBe(true);
      const upgrades = relay.heads.filter(({ headers }) => headers.has("upgrade"));
      expect(upgrades.length).toBeGreaterThanOrEqual(4);
      for (const { target } of upgrades)
        expect(new URL(target, relay.origin).searchParams.get("access_token")).toMatch(/^hwt_/);

      expect(relay.heads.flatMap(urlsOf).filter(holdsJwt)).toEqual([]);
      expect(seen.items.flatMap(textsOf).filter(holdsJwt)).toEqual([]);
      expect(demo.output().split("\n").filter(holdsJwt)).toEqual([]);

      // A ticket is in the URL of a socket, or of the stream that takes the place of one that failed, and in what the
      // browser itself says of that failure. Nowhere else.
      const isUpgradeTarget = (url: string): boolean => url.startsWith(`${hubPath}?`);
      expect(relay.heads.flatMap(urlsOf).filter((url) => ticketPattern.test(url) && !isUpgradeTarget(url))).toEqual([]);
      const isTransportUrl = (text: string): boolean =>
        text.startsWith(relay.origin.replace("http", "ws")) || text.startsWith(`${relay.origin}${hubPath}?id=`);
      const withoutFailedSocket = (text: string): string => text.replace(/WebSocket connection to '[^']*' failed/, "");
      expect(
        seen.items
          .flatMap(textsOf)
          .filter((text) => ticketPattern.test(withoutFailedSocket(text)) && !isTransportUrl(text)),
      ).toEqual([]);
      expect(demo.output()).not.toMatch(ticketPattern);
    });

    test("nothing a script can read or the browser keeps holds a token", async (own) => {
      const context = await openContext(browser, own);
      const { page } = await openWard(context, relay.origin, "doctor-icu", "icu");
      const kept = await page.evaluate<string>(`(async () => JSON.stringify([
      Object.entries(localStorage), Object.entries(sessionStorage), document.cookie, window.name, history.state,
      location.href, document.referrer, document.documentElement.outerHTML,
      await indexedDB.databases(), await caches.keys(),
      performance.getEntriesByType("resource").map(({ name }) => name),
      performance.getEntriesByType("navigation").map(({ name }) => name),
    ]))()`);
      expect(kept).toContain(`${relay.origin}${hubPath}/negotiate`);
      expect(kept).not.toMatch(jwtPattern);
      expect(kept).not.toMatch(ticketPattern);
      expect(await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")).toEqual([0, 0, ""]);

      const cookies = await context.cookies([relay.origin, `${relay.origin}/auth/refresh`]);
      expect(cookies).toEqual([
        expect.objectContaining({ httpOnly: true, sameSite: "Strict", path: "/auth", secure: scheme === "https" }),
      ]);
      const refreshToken = cookies[0]?.value ?? "";
      expect(refreshToken.length).toBeGreaterThan(20);
      expect(refreshToken).not.toMatch(jwtPattern);
      expect(kept).not.toContain(refreshToken);
      expect(demo.output()).not.toContain(refreshToken);
    });
  },
  { concurrent: true, schemes },
);

/** Resolves once one connection has brought three readings a second apart: the page then counts it as up. */
async function holds(seen: Sightings): Promise<void> {
  for (;;) {
    const sockets = seen.items.filter(isSocket).length;
    const isReading = (sighting: Sighting): boolean => readings(sighting).length > 0;
    const before = seen.items.filter(isReading).length;
    const next = (await seen.take(before + 1, isReading)).flatMap(readings).at(-1)?.at ?? 0;
    await seen.first((sighting) => readings(sighting).some(({ at }) => at > next + 1_500));
    // An expiry in between starts a new connection.
    if (seen.items.filter(isSocket).length === sockets) return;
  }
}

function holdsJwt(text: string): boolean {
  return jwtPattern.test(text) || jwtPattern.test(decoded(text));
}

/** Percent-encoding undone where it can be. */
function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) =>
    Buffer.from(bytes.replaceAll("%", ""), "hex").toString("latin1"),
  );
}

/** Every place of a request that a server's or proxy's log writes down by default. */
function urlsOf({ target, headers }: RequestHead): readonly string[] {
  return [target, headers.get("referer") ?? "", headers.get("origin") ?? ""];
}

/** Every URL and console text; what went over a socket is not one. */
function textsOf(sighting: Sighting): readonly string[] {
  switch (sighting.kind) {
    case "request":
      return [sighting.url, sighting.referrer];
    case "response":
    case "socket":
      return [sighting.url];
    case "console":
      return [sighting.text, sighting.url];
    case "frame":
      return [];
  }
}
