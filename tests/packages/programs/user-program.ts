/** What a user writes on the first day. It only has to compile, with the published declarations. */

import { createServer } from "node:http";
import {
  anyOf,
  forwardedIdentity,
  hasRole,
  hubward,
  HubError,
  refusalReply,
  type App,
  type Principal,
} from "@hubward/server";
import { jwt, sharedSecret } from "@hubward/server/jose";
import { attach, requirePolicy } from "@hubward/server/node";
import type { Authenticator, Clock, Telemetry } from "@hubward/server/ports";
import { HubwardError, parseReason, reasons } from "@hubward/wire";
import * as v from "valibot";

interface Staff {
  readonly department: string | null;
}
type StaffApp = App<Principal<Staff>>;
interface Reading {
  readonly heartRate: number;
}

const ward = v.picklist(["icu", "er"]);

const token: Authenticator = jwt({
  issuer: "https://login.example/",
  audience: "https://hub.example",
  keys: sharedSecret(new Uint8Array(32).fill(7)),
});
const clock: Pick<Clock, "now"> | undefined = undefined;
const atTheEdge: Authenticator = forwardedIdentity({ issuer: "https://login.example/", maxLifeSeconds: 60, clock });
const telemetry: Telemetry = (event) => void event.event;

const app: StaffApp = hubward<Staff>({
  authenticator: { ...token, forwarded: atTheEdge.forwarded },
  telemetry,
  principal: ({ claims }) => ({ roles: ["nurse"], department: String(claims["department"]) }),
});
const nurses = app.policy("Nurses", hasRole("nurse"));
const ownWard = app.policy("OwnWard", ({ principal }, name: string) => principal.department === name);
const wardGroup = app.group("ward/{ward}", { ward }).allow(anyOf(nurses), () => undefined);

export const clinical = app
  .hub<{ vitals: [reading: Reading] }>("/hubs/clinical")
  .allow(nurses)
  .methods((m) => ({
    Watch: m
      .args(ward)
      .allow(ownWard, (name) => name)
      .handle((call, name) => call.groups.join(wardGroup({ ward: name }))),
    Refuse: m.handle(() => {
      throw new HubError("not today");
    }),
  }));

const me = requirePolicy(app, nurses, (_request, response, { principal }) => void response.end(principal.department));
const server = createServer((request, response) => void me(request, response));
attach(server, app, { trustedProxies: ["127.0.0.1", "10.0.0.0/8"] });
clinical.toAll().emit("vitals", { heartRate: 70 });

const refusal: HubwardError = new HubwardError("forbidden");
export const status: number | null = reasons[refusal.reason].httpStatus;
export const reply: number = refusalReply(refusal).status;
export const retryAfter: number | undefined = parseReason("rate_limited;retry_after=1")?.retryAfterSeconds;
