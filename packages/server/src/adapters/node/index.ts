/** `@hubward/server/node`: Hubward on node:http and node:https. */

export { attach, type Attachment, type AttachOptions } from "./attach.js";
export { requirePolicy, type GuardedHandler, type GuardingApp, type RequestHandler } from "./guard.js";
