/** `@hubward/server/node`: Hubward on node:http and node:https, and guards for what speaks in web Requests. */

export { attach, type Attachment, type AttachOptions } from "./attach.js";
export { requirePolicy, type GuardedHandler, type RequestHandler } from "./guard.js";
export { fetchListener, type FetchListener } from "./fetch-listener.js";
export { guardFetch, refusalResponse, type FetchHandler, type GuardedFetch } from "./fetch.js";
export type { GuardingApp } from "../../app/http.js";
