/** `@hubward/server/hono`: policies for routes of Hono. Hubs: `attach(serve({ … }), app)` of `@hubward/server/node`. */

export { answerRefusals, requirePolicy, type AdmissionEnv } from "./guard.js";
export type { GuardingApp } from "../../app/http.js";
