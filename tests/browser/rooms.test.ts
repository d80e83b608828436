/** Rooms by the browser's own WebSocket, which sends no header and shows its page no HTTP status. */

import { createServer, type Server } from "node:http";
import type { App, Principal } from "@hubward/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, type TestContext } from "vitest";
import { runApp, type RunningApp } from "../support/running-app.js";
import { text, word } from "../support/schemas.js";
import { listen, shut } from "../support/server.js";
import { holdsJwt } from "../support/tokens.js";
import { browserSuite, launchBrowser, openContext } from "./support/chromium.js";

/** What a socket of the page came to. */
interface Visit {
  readonly isOpen: boolean;
  readonly frames: readonly Readonly<Record<string, unknown>>[];
  readonly code: number;
  readonly reason: string;
}

/** Opens a socket, says `first` once it is open and `then` once it is ready, and ends when the socket does. */
const VISIT = `
  window.visit = ({ url, first, then = [], until }) => new Promise((resolve) => {
    const socket = new WebSocket(url, "hubward.rooms.v1");
    const frames = [];
    let isOpen = false;
    const say = (frame) => socket.send(JSON.stringify(frame));
    socket.onopen = () => { isOpen = true; if (first) say(first); };
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      frames.push(frame);
      if (frame.type === "ready") then.forEach(say);
      if (frame.id !== undefined && frame.id === until) socket.close();
    };
    socket.onclose = ({ code, reason }) => resolve({ isOpen, frames, code, reason });
  });
  window.ticket = (url, token) =>
    fetch(url, { method: "POST", headers: { authorization: "Bearer " + token } })
      .then(async (answer) => [answer.status, await answer.json()]);
`;

interface VisitOptions {
  readonly path?: string;
  readonly first?: unknown;
  readonly then?: readonly unknown[];
  readonly until?: unknown;
}

function declare(app: App<Principal>): void {
  const staff = app.policy("Staff", ({ principal }) => !principal.hasRole("visitor"), { message: "staff only" });
  app
    .group("ward/{ward}", { ward: word })
    .allow(staff)
    .room((room) => room.publish("note", text, (draft) => draft.members()).presence((draft) => draft.members()));
  app.rooms().allow(staff);
}

browserSuite("rooms in Chromium", () => {
  let browser: Browser;
  let sites: readonly Server[];
  let origins: readonly string[];

  beforeAll(async () => {
    browser = await launchBrowser();
    sites = [0, 1].map(() =>
      createServer((_request, response) => {
        response.setHeader("content-type", "text/html");
        response.end("<!doctype html><title>a page</title>");
      }),
    );
    origins = (await Promise.all(sites.map((site) => listen(site)))).map((port) => `http://127.0.0.1:${port}`);
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all(sites.map((site) => shut(site)));
  });

  interface World extends RunningApp<Principal> {
    readonly page: Page;
    readonly urls: readonly string[];
    visit(options: VisitOptions): Promise<Visit>;
    ticket(token: string): Promise<readonly [number, Readonly<Record<string, unknown>>]>;
  }

  /** A page of the allowed origin, or of the other one. */
  async function start(own: TestContext, site: 0 | 1 = 0): Promise<World> {
    const running = await runApp(({ claims }) => ({ roles: claims["roles"] as string[] }), declare, {
      allowedOrigins: origins.slice(0, 1),
    });
    const context = await openContext(browser, own);
    const page = await context.newPage();
    const urls: string[] = [];
    page.on("request", (request) => urls.push(request.url()));
    page.on("websocket", (socket) => urls.push(socket.url()));
    await page.goto(origins[site] ?? "");
    await page.evaluate(VISIT);
    const host = `127.0.0.1:${running.port}`;
    const call = <T>(name: string, ...args: readonly unknown[]): Promise<T> =>
      page.evaluate<T>(`${name}(${args.map((arg) => JSON.stringify(arg)).join(", ")})`);
    return {
      ...running,
      page,
      urls,
      visit: ({ path = "/rooms", ...options }) => call<Visit>("visit", { url: `ws://${host}${path}`, ...options }),
      ticket: (token) => call("ticket", `http://${host}/rooms/ticket`, token),
    };
  }

  const then = [
    { type: "join", id: 1, room: "ward/icu" },
    { type: "publish", id: 2, room: "ward/icu", event: "note", payload: "from a page" },
    { type: "who", id: 3, room: "ward/icu" },
  ];
  const said = [
    { type: "joined", id: 1, room: "ward/icu" },
    { type: "message", room: "ward/icu", event: "note", payload: "from a page" },
    { type: "ack", id: 2 },
    { type: "present", id: 3, room: "ward/icu", members: [{ subject: "amara" }] },
  ];

  test("a page comes in by its first frame, joins, speaks and hears", async (own) => {
    const { issuer, urls, visit } = await start(own);
    const first = { type: "auth", id: 0, token: await issuer.token("amara") };
    const { frames, code } = await visit({ first, then, until: 3 });
    expect(frames[0]).toMatchObject({ type: "ready", id: 0 });
    expect([frames.slice(1), code]).toEqual([said, 1000]);
    expect(urls.filter(holdsJwt)).toEqual([]);
  });

  test("a page comes in by a ticket, once; afterwards it is told in the socket that the ticket is used up", async (own) => {
    const { issuer, ticket, urls, visit } = await start(own);
    const [status, answer] = await ticket(await issuer.token("amara"));
    expect([status, answer]).toEqual([200, { ticket: expect.stringMatching(/^hwt_/), expires_in: 30 }]);
    const path = `/rooms?ticket=${String(answer["ticket"])}`;
    const { frames } = await visit({ path, then, until: 3 });
    expect(frames[0]).toMatchObject({ type: "ready" });
    expect(frames.slice(1)).toEqual(said);
    expect(await visit({ path })).toEqual({
      isOpen: true,
      frames: [{ type: "closing", code: 4415, reason: "ticket_invalid", action: "reconnect" }],
      code: 4415,
      reason: "ticket_invalid;action=reconnect",
    });
    expect(urls.filter(holdsJwt)).toEqual([]);
  });

  test.for([
    ["a token that has ended", { lifetime: -300, age: 600 }, 4401, "token_expired", "refresh"],
    ["somebody who may not come", { roles: ["visitor"] }, 4403, "forbidden", undefined],
  ] as const)("%s: the page is told why in the socket, and of a ticket by a status", async (row, own) => {
    const [, options, code, reason, action] = row;
    const { issuer, ticket, visit } = await start(own);
    const token = await issuer.token("amara", options);
    const visited = await visit({ first: { type: "auth", token } });
    expect(visited).toEqual({
      isOpen: true,
      frames: [{ type: "closing", code, reason, action }],
      code,
      reason: action === undefined ? reason : `${reason};action=${action}`,
    });
    const [status, answer] = await ticket(token);
    expect([status, String(answer["error"]).split(/[;:]/)[0]]).toEqual([code === 4401 ? 401 : 403, reason]);
  });

  test("a page of another origin gets no socket, no ticket, and no word why", async (own) => {
    const { issuer, ticket, visit } = await start(own, 1);
    const token = await issuer.token("amara");
    expect(await visit({ first: { type: "auth", token } })).toEqual({
      isOpen: false,
      frames: [],
      code: 1006,
      reason: "",
    });
    await expect(ticket(token)).rejects.toThrow(/Failed to fetch/);
  });

  test("a page is told that its session was revoked, and closed", async (own) => {
    const { app, issuer, telemetry, visit } = await start(own);
    const token = await issuer.token("amara", { claims: { sid: "s1" } });
    const visited = visit({ first: { type: "auth", token } });
    await telemetry.first(({ event }) => event === "connection.opened");
    await app.revoke({ session: "s1" });
    expect(await visited).toMatchObject({ code: 4410, reason: "session_revoked;action=relogin" });
    expect((await visited).frames.at(-1)).toEqual({
      type: "closing",
      code: 4410,
      reason: "session_revoked",
      action: "relogin",
    });
  });
});
