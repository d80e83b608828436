/** Negotiates and upgrades by hand, for what no stock client does. */

import type { OutgoingHttpHeaders } from "node:http";
import {
  openWebSocket,
  upgrade,
  type RawWebSocket,
  type UpgradeOptions,
  type UpgradeOutcome,
} from "../../tests/support/raw-web-socket.js";
import { ask, bearer, type PlainReply } from "../../tests/support/server.js";
import { HUB_PATH, type World } from "./world.js";

export const STOCK_AGENT = "Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.20.2)";

export interface Negotiated {
  readonly negotiateVersion: number;
  readonly connectionId: string;
  readonly connectionToken?: string;
  readonly availableTransports: readonly unknown[];
  readonly accessToken?: string;
}

export type Where = Pick<World, "port">;

export function postNegotiate(
  { port }: Where,
  headers: OutgoingHttpHeaders = {},
  { query = "negotiateVersion=1", path = HUB_PATH }: { readonly query?: string; readonly path?: string } = {},
): Promise<PlainReply> {
  return ask(port, { method: "POST", path: `${path}/negotiate?${query}`, headers });
}

/** A negotiate that must succeed. */
export async function negotiate(
  where: Where,
  token: string,
  headers: OutgoingHttpHeaders = {},
  query?: string,
): Promise<Negotiated> {
  const reply = await postNegotiate(where, { ...bearer(token), ...headers }, query === undefined ? {} : { query });
  if (reply.status !== 200) throw new Error(`negotiate was refused: ${reply.status} ${reply.body}`);
  return JSON.parse(reply.body) as Negotiated;
}

/** A negotiate whose reply holds a ticket and a connection token. */
export async function negotiateTicket(
  where: Where,
  token: string,
): Promise<{ readonly ticket: string; readonly id: string }> {
  const { accessToken, connectionToken } = await negotiate(where, token);
  if (accessToken === undefined || connectionToken === undefined) throw new Error("no ticket was given");
  return { ticket: accessToken, id: connectionToken };
}

export function tryUpgrade(
  { port }: Where,
  id: string,
  credential: string,
  headers: NonNullable<UpgradeOptions["headers"]> = {},
): Promise<UpgradeOutcome> {
  return upgrade({ port, path: `${HUB_PATH}?id=${id}`, headers: { ...bearer(credential), ...headers } });
}

/** An upgrade that must succeed. */
export function enter({ port }: Where, id: string, credential: string): Promise<RawWebSocket> {
  return openWebSocket({ port, path: `${HUB_PATH}?id=${id}`, headers: bearer(credential) });
}

/** What a refused upgrade said: status and body. */
export function told(outcome: UpgradeOutcome): string {
  return outcome.isOpen ? "open" : `${outcome.status} ${outcome.body}`;
}
