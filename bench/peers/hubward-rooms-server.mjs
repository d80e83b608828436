/** Hubward's rooms over plain WebSockets, with everything on: tokens verified, room rule, policies and schema of a message. */

import { createServer } from "node:http";
import { hubward } from "@hubward/server";
import { jwt, localJwks } from "@hubward/server/jose";
import { attach } from "@hubward/server/node";
import { schemaOf, unreachable } from "../lib/hubward-peers.mjs";
import { listenOnLoopback, servePeer, wardName } from "../lib/peer-process.mjs";

const text = schemaOf((value) => typeof value === "string", "a string");

await servePeer(async ({ issuer, audience, publicJwk }) => {
  const app = hubward({
    authenticator: jwt({ issuer, audience, keys: localJwks({ keys: [publicJwk] }) }),
    principal: () => ({ roles: ["doctor"] }),
    limits: { connection: unreachable, principal: unreachable },
  });
  const staff = app.policy("Staff", ({ principal }) => principal.hasRole("doctor"));
  const ward = app
    .group("ward/{ward}", { ward: text })
    .allow(staff)
    .room((r) => r.publish("note", text, (m) => m.allow(staff)));
  app.rooms("/rooms").allow(staff);

  const server = createServer();
  attach(server, app);
  return {
    port: await listenOnLoopback(server),
    publish(reading) {
      app.to(ward({ ward: wardName })).emit("vitals", reading);
    },
  };
});
