/** Hubward with everything on: tokens verified, hub policy, group rule, tickets, checks on every delivery. */

import { createServer } from "node:http";
import { hubward } from "@hubward/server";
import { jwt, localJwks } from "@hubward/server/jose";
import { attach } from "@hubward/server/node";
import { listenOnLoopback, servePeer, wardName } from "../lib/peer-process.mjs";

/** A Standard Schema by hand, so that no validation library is measured. */
const wardId = {
  "~standard": {
    version: 1,
    vendor: "bench",
    validate: (value) => (typeof value === "string" ? { value } : { issues: [{ message: "a string" }] }),
  },
};

await servePeer(async ({ issuer, audience, publicJwk }) => {
  const app = hubward({
    authenticator: jwt({ issuer, audience, keys: localJwks({ keys: [publicJwk] }) }),
    principal: () => ({ roles: ["doctor"] }),
  });
  const staff = app.policy("Staff", ({ principal }) => principal.hasRole("doctor"));
  const ward = app.group("ward/{ward}", { ward: wardId }).allow(staff);
  app
    .hub("/hub")
    .allow(staff)
    .methods((m) => ({
      Join: m.args(wardId).handle((call, id) => call.groups.join(ward({ ward: id }))),
    }));

  const server = createServer();
  attach(server, app);
  return {
    port: await listenOnLoopback(server),
    publish(reading) {
      app.to(ward({ ward: wardName })).emit("vitals", reading);
    },
  };
});
