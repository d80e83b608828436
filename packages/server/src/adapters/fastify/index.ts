/** `@hubward/server/fastify`: hubs and policies for routes of Fastify 5. */

export { hubwardPlugin, type HubwardPluginOptions } from "./plugin.js";
export { answerRefusals, requirePolicy, type PolicyHook, type ResourcePolicyHook } from "./guard.js";
export { admissionOf } from "../node/admissions.js";
export type { GuardingApp } from "../../app/http.js";
