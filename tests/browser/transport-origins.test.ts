/** What Chromium says of a page's origin with each request of each transport, and what a denied page can see. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { holdsJwt, holdsTicket } from "../support/tokens.js";
import { browserSuite, launchBrowser, openContext } from "./support/chromium.js";
import { openHubPage, type HubPage } from "./support/hub-page.js";
import { createHubWorld, HUB_PATH, type HubWorld, type PagePlace } from "./support/hub-world.js";

const transports = ["WebSockets", "ServerSentEvents", "LongPolling"] as const;

browserSuite("origins of pages in Chromium over https", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  async function open(own: TestContext, place: PagePlace): Promise<[HubWorld, HubPage]> {
    const world = await createHubWorld();
    const context = await openContext(browser, own, { ignoreHTTPSErrors: true });
    return [world, await openHubPage(context, world, place)];
  }

  /** Each kind of request once: `POST negotiate: <origin>, <Sec-Fetch-Site>`. */
  function originsSent({ requests, origins }: HubWorld): readonly string[] {
    const nameOf = (origin: string | undefined): string =>
      Object.entries(origins).find(([, value]) => value === origin)?.[0] ?? String(origin);
    const lines = requests.map(({ method, url, headers }) => {
      const what = url.startsWith(`${HUB_PATH}/negotiate`) ? `${method} negotiate` : method;
      return `${what}: ${nameOf(headers.origin)}, ${String(headers["sec-fetch-site"])}`;
    });
    return [...new Set(lines)].toSorted();
  }

  async function useAndStop(world: HubWorld, page: HubPage, transport: (typeof transports)[number]): Promise<void> {
    expect(await page.start({ url: world.hubUrl, transport })).toBe("started");
    expect(await page.invoke("WhoAmI")).toBe("ada");
    world.say("good morning");
    await page.told.first();
    await page.run("connection.stop");
    await world.telemetry.first(({ event }) => event === "connection.closed");
  }

  // As sent by Chromium 150: it names no origin when it only reads from its own.
  const ofOwn = {
    WebSockets: ["POST negotiate: own, same-origin", "upgrade: own, undefined"],
    ServerSentEvents: ["GET: undefined, same-origin", "POST negotiate: own, same-origin", "POST: own, same-origin"],
    LongPolling: [
      "DELETE: own, same-origin",
      "GET: undefined, same-origin",
      "POST negotiate: own, same-origin",
      "POST: own, same-origin",
    ],
  };
  const ofAllowed = {
    WebSockets: [
      "OPTIONS negotiate: allowed, cross-site",
      "POST negotiate: allowed, cross-site",
      "upgrade: allowed, undefined",
    ],
    ServerSentEvents: [
      "GET: allowed, cross-site",
      "OPTIONS negotiate: allowed, cross-site",
      "OPTIONS: allowed, cross-site",
      "POST negotiate: allowed, cross-site",
      "POST: allowed, cross-site",
    ],
    LongPolling: [
      "DELETE: allowed, cross-site",
      "GET: allowed, cross-site",
      "OPTIONS negotiate: allowed, cross-site",
      "OPTIONS: allowed, cross-site",
      "POST negotiate: allowed, cross-site",
      "POST: allowed, cross-site",
    ],
  };

  describe.each(transports)("%s", (transport) => {
    test("a page of the hub's own origin works without naming it where it reads", async (own) => {
      const [world, page] = await open(own, "own");
      await useAndStop(world, page, transport);
      expect(originsSent(world)).toEqual(ofOwn[transport]);
    });

    test("a page of an allowed origin works, with credentials, after a preflight", async (own) => {
      const [world, page] = await open(own, "allowed");
      await useAndStop(world, page, transport);
      expect(originsSent(world)).toEqual(ofAllowed[transport]);
    });

    test("a page of another origin gets no further than the preflight, and sees no reason", async (own) => {
      const [world, page] = await open(own, "denied");
      expect(await page.start({ url: world.hubUrl, transport })).toMatch(
        /^Failed to complete negotiation with the server: TypeError: Failed to fetch/,
      );
      expect(originsSent(world)).toEqual(["OPTIONS negotiate: denied, cross-site"]);
      await page.console.first((text) => text.includes("blocked by CORS policy"));
      const refused = await world.telemetry.first(({ event }) => event === "connection.refused");
      expect(refused).toMatchObject({ reason: "origin_denied" });
      expect(page.urls.filter(holdsJwt)).toEqual([]);
    });
  });

  test("a page of another origin gets no socket, no event and no poll with another's id and ticket", async (own) => {
    const [world, page] = await open(own, "own");
    const denied = await openHubPage(page.page.context(), world, "denied");
    const { connectionToken, accessToken } = await page.page.evaluate<Record<string, string>>(
      `token().then((jwt) => fetch("${HUB_PATH}/negotiate?negotiateVersion=1", { method: "POST", headers: { Authorization: "Bearer " + jwt } }))
         .then((reply) => reply.json())`,
    );
    const url = `${world.hubUrl}?id=${encodeURIComponent(connectionToken ?? "")}&access_token=${accessToken}`;
    expect(holdsTicket(url)).toBe(true);
    const tries = await denied.page.evaluate(`Promise.all([
      new Promise((resolve) => {
        const socket = new WebSocket(${JSON.stringify(url.replace("https:", "wss:"))});
        socket.onopen = () => resolve("open");
        socket.onclose = ({ code, reason }) => resolve("socket " + code + reason);
      }),
      new Promise((resolve) => {
        const source = new EventSource(${JSON.stringify(url)}, { withCredentials: true });
        source.onopen = () => resolve("open");
        source.onerror = () => resolve("source " + source.readyState);
      }),
      fetch(${JSON.stringify(url)}).then(() => "open", (error) => error.message),
      fetch(${JSON.stringify(url)}, { mode: "no-cors" }).then((reply) => "opaque " + reply.status, (error) => error.message),
    ])`);
    // The last one did reach the server, and was refused there: an opaque answer tells a page nothing.
    expect(tries).toEqual(["socket 1006", "source 2", "Failed to fetch", "opaque 0"]);
    expect(world.telemetry.items.map((event) => ("reason" in event ? event.reason : event.event))).toEqual(
      Array.from(tries as string[], () => "origin_denied"),
    );
    expect(world.app.connectionCount).toBe(0);
  });
});
