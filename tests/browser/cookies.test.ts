/** Cookies in Chromium over https: a page that is signed in by one, pages that are not it, and a URL that leaked. */

import { request } from "node:https";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { certificate } from "../support/certificate.js";
import { holdsJwt, holdsTicket } from "../support/tokens.js";
import { browserSuite, launchBrowser, openContext } from "./support/chromium.js";
import { openHubPage, type HubPage } from "./support/hub-page.js";
import { createHubWorld, HUB_PATH, type HubWorld, type WorldOptions } from "./support/hub-world.js";

const NAME = "__Host-access";
const BINDING = "__Host-hubward-hubs.ward";
const transports = ["WebSockets", "ServerSentEvents", "LongPolling"] as const;

browserSuite("cookies in Chromium over https", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  const openBrowser = (own: TestContext): Promise<BrowserContext> =>
    openContext(browser, own, { ignoreHTTPSErrors: true });

  /** A page of the hub's own origin, without a token, signed in by its cookie. */
  async function signIn(world: HubWorld, context: BrowserContext, subject = "ada"): Promise<HubPage> {
    const page = await openHubPage(context, world, "own", { isNobody: true });
    expect(await page.page.evaluate(`fetch("/login/${subject}", { method: "POST" }).then(({ ok }) => ok)`)).toBe(true);
    return page;
  }

  async function openSignedIn(own: TestContext, options: WorldOptions = {}): Promise<[HubWorld, HubPage]> {
    const world = await createHubWorld({ cookie: NAME, ...options });
    return [world, await signIn(world, await openBrowser(own))];
  }

  /** Requests to the hub with which the sign-in went along. */
  const signedRequests = ({ requests }: HubWorld): readonly unknown[] =>
    requests.filter(({ headers }) => headers.cookie?.includes(`${NAME}=`) === true);

  describe.each(transports)("%s", (transport) => {
    test("connects, calls and hears by the cookie alone; no token and no ticket is in any URL", async (own) => {
      const [world, page] = await openSignedIn(own);
      expect(await page.start({ url: world.hubUrl, transport, reconnects: true })).toBe("started");
      expect(await page.invoke("WhoAmI")).toBe("ada");
      world.say("good morning");
      await page.told.first(({ text }) => text === "good morning");
      if (transport === "LongPolling") await world.polled();
      const comeBack = await world.goDown();
      await page.told.first(({ what }) => what === "reconnecting");
      await comeBack();
      await page.told.first(({ what }) => what === "reconnected");
      expect(await page.invoke("WhoAmI")).toBe("ada");
      await page.run("connection.stop");
      await world.telemetry.first((event) => event.event === "connection.closed" && event.reason === "normal");
      expect(signedRequests(world)).toEqual(world.requests);
      expect(world.requests.some(({ headers }) => headers.authorization !== undefined)).toBe(false);
      expect(page.urls.filter((url) => holdsJwt(url) || holdsTicket(url))).toEqual([]);
      expect(await page.page.evaluate("document.cookie")).toBe("");
    });

    test("is nobody's without the cookie", async (own) => {
      const world = await createHubWorld({ cookie: NAME });
      const page = await openHubPage(await openBrowser(own), world, "own", { isNobody: true });
      expect(await page.start({ url: world.hubUrl, transport })).toContain("Status code '401'");
    });

    test("by a bearer goes on beside others' cookies, and a bearer that is no good is refused", async (own) => {
      const [world, page] = await openSignedIn(own);
      const bob = await openHubPage(page.page.context(), world, "own", { subject: "bob" });
      expect(await bob.start({ url: world.hubUrl, transport })).toBe("started");
      expect(await bob.invoke("WhoAmI")).toBe("bob");
      const late = await openHubPage(page.page.context(), world, "own", { lifetime: -1 });
      expect(await late.start({ url: world.hubUrl, transport })).toContain("Status code '401'");
    });

    test("of two tabs at once are both bound to the browser, by one cookie", async (own) => {
      const world = await createHubWorld();
      const context = await openBrowser(own);
      const tabs = await Promise.all([0, 1, 2].map(() => openHubPage(context, world, "own")));
      const started = await Promise.all(tabs.map((tab) => tab.start({ url: world.hubUrl, transport })));
      expect(started).toEqual(["started", "started", "started"]);
      expect(await Promise.all(tabs.map((tab) => tab.invoke("WhoAmI")))).toEqual(["ada", "ada", "ada"]);
      const cookies = await context.cookies(world.hubUrl);
      expect(cookies).toEqual([
        expect.objectContaining({ name: BINDING, httpOnly: true, secure: true, sameSite: "Strict", path: "/" }),
      ]);
      const byTicket = world.requests.filter(({ url }) => url.includes("id="));
      expect(byTicket.length).toBeGreaterThanOrEqual(3);
      for (const { headers } of byTicket) expect(headers.cookie).toMatch(/^__Host-hubward-hubs\.ward=[\w.-]{66}$/);
    });
  });

  test("a page on another port of the same host gets nothing by the cookie, which goes along with all it asks", async (own) => {
    const [world, page] = await openSignedIn(own);
    const other = await openHubPage(page.page.context(), world, "denied", { isNobody: true });
    // To the browser it is the same site: not even SameSite=Strict keeps the cookie back.
    await other.page.goto(world.origins.denied.replace("localhost", "127.0.0.1"));
    const tries = await other.page.evaluate(`Promise.all([
      new Promise((resolve) => {
        const socket = new WebSocket("${world.hubUrl.replace("https:", "wss:")}");
        socket.onopen = () => resolve("open");
        socket.onclose = () => resolve("closed");
      }),
      new Promise((resolve) => {
        const source = new EventSource("${world.hubUrl}?id=x", { withCredentials: true });
        source.onopen = () => resolve("open");
        source.onerror = () => resolve("closed");
      }),
      fetch("${negotiateUrl(world)}", { method: "POST", credentials: "include" }).then(() => "read", () => "failed"),
      fetch("${negotiateUrl(world)}", { method: "POST", credentials: "include", mode: "no-cors" }).then(() => "opaque"),
    ])`);
    expect(tries).toEqual(["closed", "closed", "failed", "opaque"]);
    expect(world.requests.length).toBe(4);
    expectAllDenied(world);
  });

  test("a form on another site changes nothing, where the application lets the cookie go along", async (own) => {
    const [world, page] = await openSignedIn(own, { sameSite: "None" });
    const other = await openHubPage(page.page.context(), world, "denied", { isNobody: true });
    await Promise.all([
      other.page.waitForURL(negotiateUrl(world)),
      other.page.evaluate(`{
        const form = document.createElement("form");
        form.method = "POST";
        form.action = "${negotiateUrl(world)}";
        document.body.append(form);
        form.submit();
      }`),
    ]);
    expect(await other.page.evaluate("document.body.innerText")).toContain("origin_denied");
    expect(world.requests.map(({ headers }) => headers["sec-fetch-site"])).toEqual(["cross-site"]);
    expectAllDenied(world);
  });

  const negotiateUrl = ({ hubUrl }: HubWorld): string => `${hubUrl}/negotiate?negotiateVersion=1`;

  /** Each request came with the cookie, and got nothing. */
  function expectAllDenied(world: HubWorld): void {
    expect(signedRequests(world)).toEqual(world.requests);
    const reasons = world.telemetry.items.map((event) => ("reason" in event ? event.reason : event.event));
    expect(reasons).toEqual(Array.from(world.requests, () => "origin_denied"));
    expect(world.app.connectionCount).toBe(0);
  }

  /** As somebody who has read the URL in a log. */
  function steal(url: string, method: string): Promise<number> {
    const headers = { accept: "text/event-stream" };
    return new Promise((resolve, reject) => {
      request(url, { ca: certificate, method, headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on("error", reject)
        .end();
    });
  }

  test("the URL of a stream that leaked, ticket and all, is worth nothing; its owner notices nothing", async (own) => {
    const world = await createHubWorld();
    const page = await openHubPage(await openBrowser(own), world, "own");
    expect(await page.start({ url: world.hubUrl, transport: "ServerSentEvents" })).toBe("started");
    const url = page.urls.find(holdsTicket) ?? "";
    expect(url).toContain(`${HUB_PATH}?id=`);
    const outcomes: unknown[] = [];
    for (const method of ["GET", "POST", "DELETE"]) outcomes.push(await steal(url, method));
    // In a browser that has a cookie of its own, on a page of the hub's own origin.
    const thief = await openHubPage(await openBrowser(own), world, "own", { subject: "eve" });
    expect(await thief.start({ url: world.hubUrl, transport: "ServerSentEvents" })).toBe("started");
    for (const method of ["GET", "POST", "DELETE"]) {
      outcomes.push(await thief.page.evaluate(`fetch("${url}", { method: "${method}" }).then(({ status }) => status)`));
    }
    expect(outcomes).toEqual([404, 404, 404, 404, 404, 404]);
    expect(await page.invoke("WhoAmI")).toBe("ada");
    world.say("still here");
    await page.told.first(({ text }) => text === "still here");
    expect(page.told.items).toEqual([{ what: "said", text: "still here" }]);
  });
});
