// @ts-check
/** Hubward in a Hono application, on Hono's own server for Node.js. */

import { serve } from "@hono/node-server";
import { answerRefusals, requirePolicy } from "@hubward/server/hono";
import { attach } from "@hubward/server/node";
import { Hono } from "hono";
import { logger } from "hono/logger";
import { announce, app, closeServer, host, onEnd, ownWard, patientsOf, port, signIn, staff } from "../ward.mjs";

const routes = new Hono();
// Sees every request but the hubs': those are taken before Hono.
routes.use(logger());
routes.onError(answerRefusals);

routes.post("/sign-in", async (context) => {
  const token = await signIn(await context.req.json().catch(() => undefined));
  return token === undefined
    ? context.json({ error: "wrong name or password" }, 401)
    : context.json({ access_token: token });
});

routes.get("/me", requirePolicy(app, staff), (context) => {
  const { principal } = context.get("admission");
  return context.json({ name: principal.subject, roles: principal.roles });
});

routes.get(
  "/wards/:ward/patients",
  requirePolicy(app, ownWard, (context) => context.req.param("ward") ?? ""),
  (context) => context.json(patientsOf(context.req.param("ward"))),
);

const server = /** @type {import("node:http").Server} */ (serve({ fetch: routes.fetch, port, hostname: host }));
attach(server, app);
announce(server);
onEnd(() => closeServer(server));
