/** Hubward with everything on: tokens verified, hub policy, group rule, tickets, checks on every delivery. */

import { createServer } from "node:http";
import { hubward } from "@hubward/server";
import { jwt, localJwks } from "@hubward/server/jose";
import { attach } from "@hubward/server/node";
import { schemaOf, unreachable } from "../lib/hubward-peers.mjs";
import { listenOnLoopback, servePeer, wardName } from "../lib/peer-process.mjs";

const text = schemaOf((value) => typeof value === "string", "a string");
const count = schemaOf(Number.isInteger, "a whole number");

await servePeer(async ({ issuer, audience, publicJwk }) => {
  const app = hubward({
    authenticator: jwt({ issuer, audience, keys: localJwks({ keys: [publicJwk] }) }),
    principal: () => ({ roles: ["doctor"] }),
    limits: { connection: unreachable, principal: unreachable },
  });
  const staff = app.policy("Staff", ({ principal }) => principal.hasRole("doctor"));
  const ward = app.group("ward/{ward}", { ward: text }).allow(staff);
  app
    .hub("/hub")
    .allow(staff)
    .methods((m) => ({
      Echo: m.args(text).handle((_call, value) => value),
      Count: m.args(count).stream(async function* (_call, items) {
        for (let item = 1; item <= items; item++) yield item;
      }),
      Publish: m.args(text, text).handle((call, id, note) => call.to(ward({ ward: id })).emit("note", note)),
      Join: m.args(text).handle((call, id) => call.groups.join(ward({ ward: id }))),
    }));

  // The same call without and with everything that can be asked about it.
  const anyone = app.policy("Anyone", () => true);
  const anything = schemaOf(() => true, "anything");
  const onDuty = app.policy("OnDuty", ({ authentication }) => authentication.subject.startsWith("staff-"));
  const ownNote = app.policy(
    "OwnNote",
    ({ principal }, { author }) => author.length > 0 && principal.hasRole("doctor"),
  );
  app
    .hub("/unchecked")
    .allow(anyone)
    .methods((m) => ({ Echo: m.args(anything).handle((_call, value) => value) }));
  app
    .hub("/checked", { authenticationRefresh: true })
    .allow(staff)
    .methods((m) => ({
      Echo: m
        .args(text)
        .allow(onDuty)
        .allow(ownNote, (value) => ({ author: value }))
        .handle((_call, value) => value),
    }));

  // A tenant's people, who are shut out all at once.
  const tenants = app.scope({
    authenticator: jwt({ issuer, audience, keys: localJwks({ keys: [publicJwk] }), tenantClaim: "tid" }),
    principal: () => ({ roles: ["doctor"] }),
  });
  const tenantStaff = tenants.policy("TenantStaff", ({ principal }) => principal.hasRole("doctor"));
  tenants
    .hub("/tenant")
    .allow(tenantStaff)
    .methods((m) => ({ Echo: m.args(text).handle((_call, value) => value) }));

  const server = createServer();
  attach(server, app);
  return {
    port: await listenOnLoopback(server),
    actions: {
      "revoke-tenant": ({ tenant }) => tenants.revoke({ tenant }),
      async "revoke-sessions"({ tenant, sessions }) {
        let matched = 0;
        for (const session of sessions) matched += (await tenants.tenant(tenant).revoke({ session })).matched;
        return { matched };
      },
    },
    publish(reading) {
      app.to(ward({ ward: wardName })).emit("vitals", reading);
    },
  };
});
