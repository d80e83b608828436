/** What Hubward cannot do yet: scripts, runs and transports that are left out. Meant to become empty. */

import type { TransportName } from "./runner/transports.js";

/** Transports that runs are not repeated over. */
export const transportsNotYet: readonly TransportName[] = ["ServerSentEvents", "LongPolling"];

/** Whole scripts. */
export const scriptsNotYet: readonly string[] = [
  "cors",
  "streams",
  "uploads",
  "client-results",
  "transports",
  "stateful-reconnect",
];

/** Single runs: `script: run`, or a pattern of those. */
export const runsNotYet: readonly (string | RegExp)[] = [
  /over (server-sent events|long polling|ServerSentEvents|LongPolling)$/,
  /^negotiate: (server-sent events|long polling) only$/,
  // Options of a hub that Hubward has not: JSON only, a lowest negotiate version, closing on expiry.
  /^negotiate: (a hub that speaks JSON only|a version below what the hub wants|the version that the hub wants)$/,
  "handshake: a protocol that the hub does not speak",
  "close: a credential that expires",
  // Hooks at connect and disconnect.
  /^events: said in On(Connected|Disconnected)$/,
  /^close: OnConnected /,
  // Call.abort().
  /^close: the server aborts/,
];

export function isNotYet(script: string, run: string): boolean {
  const name = `${script}: ${run}`;
  return (
    scriptsNotYet.includes(script) ||
    runsNotYet.some((each) => (typeof each === "string" ? each === name : each.test(name)))
  );
}
