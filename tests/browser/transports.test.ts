/** The unmodified client in Chromium over https: every transport, from the hub's own page and from another origin's. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { holdsJwt } from "../support/tokens.js";
import { browserSuite, launchBrowser, openContext } from "./support/chromium.js";
import { openHubPage, type HubPage, type PagePerson, type StartOptions } from "./support/hub-page.js";
import { createHubWorld, type HubWorld, type PagePlace } from "./support/hub-world.js";

/** Text is all that server-sent events can carry. */
const dialects = [
  ["WebSockets", "JSON"],
  ["WebSockets", "MessagePack"],
  ["ServerSentEvents", "JSON"],
  ["LongPolling", "JSON"],
  ["LongPolling", "MessagePack"],
] as const;
const places = [
  ["of the hub's own origin", "own"],
  ["of another origin that is allowed", "allowed"],
] as const;

/** Far more than every buffer between the two together. */
const LONG_STREAM = 1_200;
const PREFIX = "Server returned an error on close: ";

browserSuite("the stock client in Chromium over https", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  async function open(own: TestContext, place: PagePlace, person: PagePerson = {}): Promise<[HubWorld, HubPage]> {
    const world = await createHubWorld();
    const context = await openContext(browser, own, { ignoreHTTPSErrors: true });
    return [world, await openHubPage(context, world, place, person)];
  }

  /** The token was there to be leaked, and is in no URL. */
  function expectNoJwtInUrls(world: HubWorld, { urls }: HubPage): void {
    expect(world.requests.some(({ headers }) => holdsJwt(headers.authorization ?? ""))).toBe(true);
    expect(urls.filter((url) => url.startsWith("http") && url.includes("/negotiate"))).not.toEqual([]);
    const all = [...urls, ...world.requests.flatMap(({ url, headers }) => [url, headers.referer ?? ""])];
    expect(all.filter(holdsJwt)).toEqual([]);
  }

  describe.each(places)("on a page %s", (_place, place) => {
    describe.each(dialects)("%s, %s", (transport, encoding) => {
      const start = (world: HubWorld, page: HubPage, options: Partial<StartOptions> = {}): Promise<string> =>
        page.start({ url: world.hubUrl, transport, encoding, ...options });

      test("connects, calls, hears events and those of its groups, and stops", async (own) => {
        const [world, page] = await open(own, place);
        expect(await start(world, page)).toBe("started");
        expect([await page.invoke("WhoAmI"), await page.invoke("Echo", "Ärzte\r\n\n🩺")]).toEqual([
          "ada",
          "Ärzte\r\n\n🩺",
        ]);
        world.tellWard("icu", "not for you yet");
        await page.invoke("Join", "icu");
        world.tellWard("icu", "for the ward");
        world.say("for everybody\nin two lines");
        // Whoever leaves before it came for them is not given them any more.
        await page.told.first(({ text }) => text.startsWith("for everybody"));
        expect(await page.invoke("Leave", "icu")).toBe(true);
        world.tellWard("icu", "not for you any more");
        world.say("the last");
        await page.told.first(({ text }) => text === "the last");
        expect(page.heard()).toEqual(["for the ward", "for everybody\nin two lines", "the last"]);

        await page.run("connection.stop");
        expect(page.told.items.at(-1)).toEqual({ what: "closed", text: "" });
        const ended = await world.telemetry.first(({ event }) => event === "connection.closed");
        expect(ended).toMatchObject({ reason: "normal", subject: "ada" });
        expectNoJwtInUrls(world, page);
      });

      test("reads a stream whose server waits for a page that is busy, and cancels another", async (own) => {
        const [world, page] = await open(own, place);
        await start(world, page);
        const read = await page.run("read", LONG_STREAM, 5);
        expect(read).toEqual({ count: LONG_STREAM, isInOrder: true });
        // While the page stood still, the rest of the stream was not made.
        const [standing = 0] = world.counted.atBusy;
        expect(standing).toBeGreaterThanOrEqual(5);
        expect(standing).toBeLessThan(LONG_STREAM);
        expect(await page.run("readFirst", "Endless", 1)).toEqual(["first"]);
        expect(await world.cancelled.first()).toBe("Endless");
        expect(await page.invoke("WhoAmI")).toBe("ada");
        expectNoJwtInUrls(world, page);
      });

      test("sends a stream along with a call", async (own) => {
        const [world, page] = await open(own, place);
        await start(world, page);
        const numbers = Array.from({ length: 100 }, (_, index) => index + 1);
        expect(await page.run("upload", "Sum", numbers)).toBe(5050);
        expect(await page.run("upload", "Sum", ["a word"])).toMatch(/^(?:An unexpected error|Failed to invoke)/);
        expectNoJwtInUrls(world, page);
      });

      test("is told why it was refused: a call, a connection, a missing token", async (own) => {
        const [world, page] = await open(own, place, { roles: ["nurse"] });
        await start(world, page);
        expect(await page.invoke("Order")).toBe("forbidden: doctors only");
        expect(await page.invoke("Fail", "not today")).toBe(
          "An unexpected error occurred invoking 'Fail' on the server. HubException: not today",
        );
        expect(await page.invoke("WhoAmI")).toBe("ada");
        const visitor = await openHubPage(page.page.context(), world, place, { roles: ["visitor"] });
        expect(await start(world, visitor)).toBe(`${PREFIX}forbidden: visitors may not connect`);
        expect(visitor.told.items).toEqual([]);
        const nobody = await openHubPage(page.page.context(), world, place, { isNobody: true });
        expect(await start(world, nobody)).toContain("Status code '401'");
        expectNoJwtInUrls(world, page);
      });

      test("is told why it was ended, and comes back with a new token", async (own) => {
        const [world, page] = await open(own, place, { lifetime: 20 });
        await start(world, page, { reconnects: true });
        if (transport === "LongPolling") await world.polled();
        world.clock.advance(19_999);
        expect(await page.invoke("WhoAmI")).toBe("ada");
        if (transport === "LongPolling") await world.polled();
        world.clock.advance(1);
        await page.told.first(({ what }) => what === "reconnected");
        expect(page.told.items).toEqual([
          { what: "reconnecting", text: `${PREFIX}token_expired;action=refresh` },
          { what: "reconnected", text: "" },
        ]);
        expect(await page.invoke("WhoAmI")).toBe("ada");
        expectNoJwtInUrls(world, page);
      });

      test("comes back by itself after the network was gone", async (own) => {
        const [world, page] = await open(own, place);
        await start(world, page, { reconnects: true });
        world.say("before");
        await page.told.first();
        if (transport === "LongPolling") await world.polled();
        const comeBack = await world.goDown();
        await page.told.first(({ what }) => what === "reconnecting");
        await comeBack();
        await page.told.first(({ what }) => what === "reconnected");
        world.say("after");
        await page.told.first(({ text }) => text === "after");
        expect(page.heard()).toEqual(["before", "after"]);
        expect(await page.invoke("WhoAmI")).toBe("ada");
        expectNoJwtInUrls(world, page);
      });
    });

    test.for(["JSON", "MessagePack"] as const)(
      "resumes its connection and misses nothing, %s",
      async (encoding, own) => {
        const [world, page] = await open(own, place);
        await page.start({ url: world.hubUrl, transport: "WebSockets", encoding, resumes: true, reconnects: true });
        const id = await page.page.evaluate<string>("connection.connectionId");
        for (const round of [1, 2]) {
          world.say(`${round} before`);
          await page.told.first(({ text }) => text === `${round} before`);
          world.cut();
          await world.telemetry.take(round, ({ event }) => event === "connection.detached");
          // No turn of the event loop has passed: the client is not back yet.
          world.say(`${round} while away`);
          await page.told.first(({ text }) => text === `${round} while away`);
        }
        expect(page.told.items.map(({ text }) => text)).toEqual([
          "1 before",
          "1 while away",
          "2 before",
          "2 while away",
        ]);
        expect(await page.page.evaluate("connection.connectionId")).toBe(id);
        // The same id and the same ticket each time, and no other negotiate.
        const upgrades = world.requests.filter(({ method }) => method === "upgrade");
        expect(upgrades).toHaveLength(3);
        expect(new Set(upgrades.map(({ url }) => url)).size).toBe(1);
        expect(page.urls.filter((url) => url.includes("/negotiate"))).toHaveLength(1);
        expectNoJwtInUrls(world, page);
      },
    );
  });
});
