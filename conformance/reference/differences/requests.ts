/** Negotiate, CORS, and the requests of the transports. */

import type { Difference } from "../compare.js";
import { ALL, STOPPED } from "./making.js";

const ORIGIN_DENIED = '< 403 application/json; charset=utf-8 {"error":"origin_denied;action=fix-request"}';
const UNKNOWN = "< 404 text/plain No Connection with that ID";

const negotiating: readonly Difference[] = [
  {
    script: "negotiate",
    runs: ["a version below what the hub wants"],
    reference: /^< .*but the server does not support this version\."\}$/,
    hubward:
      '< 200 application/json {"availableTransports":[{"transferFormats":["Text","Binary"],"transport":"WebSockets"},{"transferFormats":["Text"],"transport":"ServerSentEvents"},{"transferFormats":["Text","Binary"],"transport":"LongPolling"}],"connectionId":"<connection id 1>","negotiateVersion":0}',
    why: "lowestVersion",
  },
  {
    script: /^(?:negotiate|cors|transports)$/,
    runs: ALL,
    reference: /^< 200 application\/json \{"availableTransports"(.*"connectionId":"<connection id (\d+)>")/,
    hubward: '< 200 application/json {"accessToken":"<ticket $2>","availableTransports"$1',
    why: "ticket",
  },
  {
    script: "negotiate",
    runs: ["nobody"],
    nth: 2,
    reference: "< 401",
    hubward: "< 405 text/plain",
    why: "methodFirst",
  },
  {
    script: "negotiate",
    runs: ALL,
    reference: /^< 405 text\/plain$/,
    hubward: "< 405 text/plain | allow: POST",
    why: "allow",
  },
];

const sharing: readonly Difference[] = [
  {
    script: "cors",
    runs: ALL,
    reference: /^< 204 .*$/,
    hubward:
      "< 204 | vary: Origin | access-control-allow-credentials: true | access-control-allow-headers: authorization, content-type, x-requested-with, x-signalr-user-agent | access-control-allow-methods: GET, POST, DELETE | access-control-allow-origin: https://app.example | access-control-max-age: 600",
    why: "preflight",
  },
  { script: "cors", runs: ALL, after: /other\.example/, reference: /^< 20.*$/, hubward: ORIGIN_DENIED, why: "origins" },
];

const requesting: readonly Difference[] = [
  { script: "transports", runs: ["no id"], nth: 2, reference: "< 101", hubward: UNKNOWN, why: "emptyId" },
  { script: "transports", runs: ["an id of another hub"], reference: /^< 200.*$/, hubward: UNKNOWN, why: "owner" },
  {
    script: "transports",
    runs: /^a connection of somebody else, in use$/,
    after: /^> DELETE/,
    reference: /^< 202 .*$/,
    hubward: [UNKNOWN, "> GET /hubs/main?id=<connection token 1>", "< (nothing came)", STOPPED],
    isLast: true,
    why: "owner",
  },
  {
    script: /^(?:transports|stateful-reconnect)$/,
    runs: /somebody else/,
    after: /as bob/,
    reference: /^< (?:20|101).*$/,
    hubward: UNKNOWN,
    why: "owner",
  },
  {
    script: "transports",
    runs: ["nobody"],
    nth: 4,
    reference: "< 401",
    hubward: "< 405 text/plain",
    why: "methodFirst",
  },
  {
    script: "transports",
    runs: ["sends before anything else", ...["web-sockets", "server-sent-events", "long-polling"].map(switchedOff)],
    after: /^> POST/,
    reference: "< 200 text/plain",
    hubward: "< 400 text/plain The connection has no transport yet.",
    why: "earlySend",
  },
  {
    script: "transports",
    runs: ["long polling"],
    reference: /^< 200 application\/octet-stream \{"allowReconnect":true,"type":7\}␞/,
    hubward: "< 204 text/plain",
    why: "pollEnd",
  },
  {
    script: "transports",
    runs: ["a poll that nothing comes to"],
    reference: /^< 200 text\/plain \| .*$/,
    hubward: ["< (nothing came)", STOPPED],
    why: "pollTime",
  },
  {
    script: /^(?:transports|stateful-reconnect)$/,
    runs: ALL,
    reference: "< 404 No Connection with that ID",
    hubward: UNKNOWN,
    why: "refusalType",
  },
  {
    script: /^(?:transports|stateful-reconnect)$/,
    runs: ALL,
    after: /^> upgrade/,
    reference: "< 409 text/plain",
    hubward: "< 409 text/plain Connection already has a transport",
    why: "conflictText",
  },
  {
    script: "transports",
    runs: ALL,
    reference: /^< 405 text\/plain( POST.*)?$/,
    hubward: "< 405 text/plain$1 | allow: GET, POST, DELETE",
    why: "allow",
  },
  {
    script: "transports",
    runs: ["a WebSocket's connection is nobody else's"],
    reference: /allow: GET, POST, DELETE/,
    hubward: "allow: GET",
    why: "allow",
  },
  { script: "transports", runs: ALL, reference: /no-cache,no-store/, hubward: "no-cache, no-store", why: "eventCache" },
];

/** Runs whose requests are for a hub. */
const AT_HUBS = /^(?!a hub that does not exist$|a path below the hub$)/;

/** Headers of all answers. Last, because the answers above are without them. */
const heading: readonly Difference[] = [
  {
    script: "transports",
    runs: AT_HUBS,
    reference:
      /^(\w*< 4\d\d (?:(?! \| ).)*) \| cache-control: no-cache, no-store \| expires: [^|]* \| pragma: no-cache$/,
    hubward: "$1 | cache-control: no-store",
    why: "noStore",
  },
  {
    script: /^(?:negotiate|cors|transports|stateful-reconnect)$/,
    runs: AT_HUBS,
    reference: /^(\w*< (?!101|204)\d{3}(?:(?! \| ).)*(?: \| allow: (?:(?! \| ).)*)?)((?: \| (?!cache-control).*)?)$/,
    hubward: "$1 | cache-control: no-store$2",
    why: "noStore",
  },
  {
    script: /^(?:negotiate|cors|transports)$/,
    runs: AT_HUBS,
    after: /^\w*> (?!upgrade)/,
    reference: /^(\w*< (?!101)\d{3}(?:(?! \| (?:access|vary)).)*)((?: \| access-control.*)?)$/,
    hubward: "$1 | vary: Origin$2",
    why: "vary",
  },
];

function switchedOff(hub: string): string {
  return `switched off: /hubs/${hub}`;
}

export const requests: readonly Difference[] = [...negotiating, ...sharing, ...requesting, ...heading];
