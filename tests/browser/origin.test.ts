/** A page of another origin, opened in the same browser, gets nowhere near the clinic. */

import { createServer, type Server } from "node:http";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listen, shut } from "../support/server.js";
import { browserSuite, launchBrowser } from "./support/chromium.js";
import { openWard, type ClinicPage } from "./support/clinic-page.js";
import { startDemo, type Demo } from "./support/demo.js";
import { isResponseOf, watch } from "./support/sightings.js";

const hubPath = "/hubs/clinical";

interface Negotiated {
  readonly connectionToken: string;
  readonly accessToken: string;
}

browserSuite("a page of another origin in Chromium", () => {
  let browser: Browser;
  let demo: Demo;
  let elsewhere: Server;
  let clinic: ClinicPage;
  let stranger: ClinicPage;
  /** A good token, as if it had been stolen. */
  let token: string;

  beforeAll(async () => {
    elsewhere = createServer((_request, response) => {
      response.setHeader("content-type", "text/html");
      response.end("<!doctype html><title>elsewhere</title>");
    });
    const port = await listen(elsewhere);
    browser = await launchBrowser();
    demo = await startDemo();
    const context = await browser.newContext();
    // Another port of the same host is another origin, and the same site: cookies go along.
    clinic = await openWard(context, demo.origin, "doctor-icu", "icu");
    const page = await context.newPage();
    stranger = { page, seen: await watch(page) };
    await page.goto(`http://127.0.0.1:${port}/`);
    token = await clinic.page.evaluate(
      `fetch("/auth/refresh", { method: "POST" }).then((reply) => reply.json()).then((grant) => grant.access_token)`,
    );
  });
  afterAll(async () => {
    await browser?.close();
    await demo?.stop();
    await shut(elsewhere);
  });

  /** The status of what the page asks for, whether it may see it or not. */
  async function statusOf({ page, seen }: ClinicPage, path: string, init: string): Promise<number | undefined> {
    const before = seen.items.filter(isResponseOf(path)).length;
    await page.evaluate(`void fetch("${demo.origin}${path}", ${init}).catch(() => undefined)`);
    return (await seen.take(before + 1, isResponseOf(path))).filter(isResponseOf(path)).at(-1)?.status;
  }

  /** Opens a WebSocket from the page: `open`, or what the browser says of its failure. */
  async function openSocket({ page, seen }: ClinicPage, { connectionToken, accessToken }: Negotiated): Promise<string> {
    const { href } = Object.assign(new URL(hubPath, demo.origin.replace("http:", "ws:")), {
      search: new URLSearchParams({ id: connectionToken, access_token: accessToken }).toString(),
    });
    const isOpen = await page.evaluate<boolean>(
      `new Promise((resolve) => {
         const socket = new WebSocket(${JSON.stringify(href)});
         socket.onopen = () => resolve(true);
         socket.onclose = () => resolve(false);
       })`,
    );
    if (isOpen) return "open";
    const failure = await seen.first((sighting) => sighting.kind === "console" && sighting.text.includes(href));
    return failure.kind === "console" ? failure.text : "";
  }

  async function negotiate(): Promise<Negotiated> {
    return await clinic.page.evaluate(
      `fetch("${hubPath}/negotiate?negotiateVersion=1", { method: "POST", headers: { Authorization: "Bearer ${token}" } })
         .then((reply) => reply.json())`,
    );
  }

  test("cannot negotiate, with or without a credential", async () => {
    const path = `${hubPath}/negotiate`;
    expect(await statusOf(stranger, path, `{ method: "POST", mode: "no-cors" }`)).toBe(403);
    const readable = await stranger.page.evaluate(
      `fetch("${demo.origin}${path}?negotiateVersion=1", { method: "POST", headers: { Authorization: "Bearer ${token}" } })
         .then(() => "readable", () => "blocked")`,
    );
    expect(readable).toBe("blocked");
  });

  test("cannot open a WebSocket with a ticket that the clinic's own page can use", async () => {
    const negotiated = await negotiate();
    expect(negotiated.accessToken).toMatch(/^hwt_/);
    expect(await openSocket(stranger, negotiated)).toMatch(/Unexpected response code: 403$/);
    // The refused upgrade did not use the ticket up: only the Origin was wrong.
    expect(await openSocket(clinic, negotiated)).toBe("open");
  });

  test("cannot use the session's cookie, although the browser sends it along", async () => {
    for (const path of ["/auth/refresh", "/auth/logout"]) {
      expect(await statusOf(stranger, path, `{ method: "POST", mode: "no-cors", credentials: "include" }`)).toBe(403);
    }
    expect(await statusOf(clinic, "/auth/refresh", `{ method: "POST" }`)).toBe(200);
  });

  test("cannot read the patients", async () => {
    expect(await statusOf(stranger, "/api/patients", "{}")).toBe(403);
  });
});
