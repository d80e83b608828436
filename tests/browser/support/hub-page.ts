/** A page with the unmodified client in Chromium, in the words of the tests, and what the browser asked for. */

import type { BrowserContext, Page } from "playwright-core";
import { Recorder } from "../../support/recorder.js";
import type { TokenOptions } from "../../support/tokens.js";
import type { HubWorld, PagePlace } from "./hub-world.js";

export interface StartOptions {
  readonly url: string;
  readonly transport: "WebSockets" | "ServerSentEvents" | "LongPolling";
  readonly encoding?: "JSON" | "MessagePack" | undefined;
  /** Tries again every 20 ms. Default false. */
  readonly reconnects?: boolean | undefined;
  /** Stateful reconnect. Default false. */
  readonly resumes?: boolean | undefined;
  readonly skipNegotiation?: boolean | undefined;
}

export interface Told {
  readonly what: "said" | "reconnecting" | "reconnected" | "closed";
  /** What was said; for the others the error's message, or nothing. */
  readonly text: string;
}

export interface HubPage {
  readonly page: Page;
  readonly told: Recorder<Told>;
  /** Every URL that the browser asked for, sockets included. */
  readonly urls: readonly string[];
  /** What stands in its console. */
  readonly console: Recorder<string>;
  /** `started`, or how it failed. */
  start(options: StartOptions): Promise<string>;
  /** The result, or how it failed. */
  invoke(method: string, ...args: readonly unknown[]): Promise<unknown>;
  /** Calls a function of hub-page.html. */
  run<Result>(name: string, ...args: readonly unknown[]): Promise<Result>;
  /** What was said so far. */
  heard(): readonly string[];
}

export interface PagePerson extends TokenOptions {
  /** Undefined for somebody who has no token. Default `ada`. */
  readonly subject?: string | undefined;
  readonly isNobody?: boolean | undefined;
}

export async function openHubPage(
  context: BrowserContext,
  world: HubWorld,
  place: PagePlace,
  { subject = "ada", isNobody = false, ...options }: PagePerson = {},
): Promise<HubPage> {
  const page = await context.newPage();
  const told = new Recorder<Told>();
  const console = new Recorder<string>();
  const urls: string[] = [];
  page.on("request", (request) => void urls.push(request.url()));
  page.on("websocket", (socket) => void urls.push(socket.url()));
  page.on("console", (message) => console.push(message.text()));
  await page.exposeFunction("tell", (what: Told["what"], text: string) => told.push({ what, text }));
  await page.exposeFunction("token", () => (isNobody ? "" : world.issuer.token(subject, options)));
  await page.goto(world.origins[place]);

  const run = <Result>(name: string, ...args: readonly unknown[]): Promise<Result> =>
    page.evaluate<Result>(`${name}(${args.map((arg) => JSON.stringify(arg)).join(", ")})`);
  return {
    page,
    told,
    urls,
    console,
    run,
    start: (startOptions) => run("start", startOptions),
    invoke: (method, ...args) => run("invoke", method, ...args),
    heard: () => told.items.filter(({ what }) => what === "said").map(({ text }) => text),
  };
}
