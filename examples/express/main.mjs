// @ts-check
/** Hubward in an Express 5 application. */

import { admissionOf, answerRefusals, requirePolicy } from "@hubward/server/express";
import { attach } from "@hubward/server/node";
import express from "express";
import morgan from "morgan";
import { announce, app, closeServer, host, onEnd, ownWard, patientsOf, port, signIn, staff } from "../ward.mjs";

const routes = express();
// Sees every request but the hubs': those are taken before Express.
routes.use(morgan("combined"));
routes.use(express.json());

routes.post("/sign-in", async (request, response) => {
  const token = await signIn(request.body);
  if (token === undefined) response.status(401).json({ error: "wrong name or password" });
  else response.json({ access_token: token });
});

routes.get("/me", requirePolicy(app, staff), (request, response) => {
  const { principal } = admissionOf(app, request);
  response.json({ name: principal.subject, roles: principal.roles });
});

/** @typedef {express.Request<{ ward: string }>} WardRequest */
routes.get(
  "/wards/:ward/patients",
  requirePolicy(app, ownWard, (/** @type {WardRequest} */ request) => request.params.ward),
  (request, response) => void response.json(patientsOf(request.params.ward)),
);

routes.use(answerRefusals);

const server = routes.listen(port, host);
attach(server, app);
announce(server);
onEnd(() => closeServer(server));
