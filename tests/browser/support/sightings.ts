/** What can be seen of a page from outside: its requests and sockets, what it logs, what its policy forbids. */

import type { Page } from "playwright-core";
import { Recorder } from "../../support/recorder.js";

export type Sighting =
  | { readonly kind: "request"; readonly method: string; readonly url: string; readonly referrer: string }
  | { readonly kind: "response"; readonly status: number; readonly url: string }
  | { readonly kind: "socket"; readonly url: string }
  | { readonly kind: "frame"; readonly isSent: boolean; readonly text: string }
  | { readonly kind: "console"; readonly level: string; readonly text: string; readonly url: string };

export type Sightings = Recorder<Sighting>;

/** Watches a page, from before it is opened. One DevTools session, so the order is the browser's. */
export async function watch(page: Page): Promise<Sightings> {
  const seen = new Recorder<Sighting>();
  const session = await page.context().newCDPSession(page);
  const requests = new Map<string, Promise<string>>();
  const tell = new Map<string, (url: string) => void>();
  /** The URL of a request: its answer may be told of before it is. */
  function urlOf(requestId: string): Promise<string> {
    const known = requests.get(requestId) ?? new Promise<string>((resolve) => tell.set(requestId, resolve));
    requests.set(requestId, known);
    return known;
  }
  session.on("Network.requestWillBeSent", ({ requestId, request: { method, url, headers } }) => {
    const referrer = Object.entries(headers).find(([name]) => name.toLowerCase() === "referer")?.[1] ?? "";
    seen.push({ kind: "request", method, url, referrer });
    void urlOf(requestId);
    tell.get(requestId)?.(url);
  });
  // Unlike the response itself this is told also where the page may not see it.
  session.on("Network.responseReceivedExtraInfo", ({ requestId, statusCode }) => {
    void urlOf(requestId).then((url) => seen.push({ kind: "response", status: statusCode, url }));
  });
  session.on("Network.webSocketCreated", ({ url }) => seen.push({ kind: "socket", url }));
  session.on("Network.webSocketFrameReceived", ({ response }) =>
    seen.push({ kind: "frame", isSent: false, text: response.payloadData }),
  );
  session.on("Network.webSocketFrameSent", ({ response }) =>
    seen.push({ kind: "frame", isSent: true, text: response.payloadData }),
  );
  // Also what the browser itself says: failed requests, violations of the policy.
  page.on("console", (message) =>
    seen.push({ kind: "console", level: message.type(), text: message.text(), url: message.location().url }),
  );
  page.on("pageerror", (error) =>
    seen.push({ kind: "console", level: "error", text: `${error.message}\n${error.stack ?? ""}`, url: "" }),
  );
  await session.send("Network.enable");
  return seen;
}

export function isRequestTo(path: string): (sighting: Sighting) => boolean {
  return (sighting) => sighting.kind === "request" && new URL(sighting.url).pathname === path;
}

export function isResponseOf(path: string): (sighting: Sighting) => sighting is Sighting & { kind: "response" } {
  return (sighting): sighting is Sighting & { kind: "response" } =>
    sighting.kind === "response" && new URL(sighting.url).pathname === path;
}

export function isSocket(sighting: Sighting): sighting is Sighting & { kind: "socket" } {
  return sighting.kind === "socket";
}

/** What a person would see as an error in the console. */
export function consoleErrors(seen: Sightings): readonly (Sighting & { kind: "console" })[] {
  return seen.items.filter((sighting) => sighting.kind === "console" && sighting.level === "error") as (Sighting & {
    kind: "console";
  })[];
}

interface HubMessage {
  readonly type?: number;
  readonly target?: string;
  readonly arguments?: readonly unknown[];
  readonly error?: string;
}

/** The hub messages a frame brought. */
export function hubMessages(sighting: Sighting): readonly HubMessage[] {
  return sighting.kind === "frame" && !sighting.isSent ? parseFrame(sighting.text) : [];
}

export function sentMessages(sighting: Sighting): readonly HubMessage[] {
  return sighting.kind === "frame" && sighting.isSent ? parseFrame(sighting.text) : [];
}

/** SignalR ends each message with 0x1E. */
function parseFrame(frame: string): readonly HubMessage[] {
  return frame
    .split("\u001e")
    .filter((text) => text !== "")
    .map((text) => JSON.parse(text) as HubMessage);
}

export interface Reading {
  readonly patientId: string;
  readonly ward: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export function readings(sighting: Sighting): readonly Reading[] {
  return hubMessages(sighting)
    .filter(({ target }) => target === "Vitals")
    .map((message) => message.arguments?.[0] as Reading);
}

/** A hub's Close that says this. */
export function isCloseBecause(reason: string): (sighting: Sighting) => boolean {
  return (sighting) => hubMessages(sighting).some(({ type, error }) => type === 7 && error === reason);
}
