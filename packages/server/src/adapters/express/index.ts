/** `@hubward/server/express`: policies for routes of Express 5. Hubs: `attach` of `@hubward/server/node`. */

export { answerRefusals, requirePolicy, type PolicyMiddleware, type ResourcePolicyMiddleware } from "./guard.js";
export { admissionOf } from "../node/admissions.js";
export type { GuardingApp } from "../../app/http.js";
