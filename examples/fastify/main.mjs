// @ts-check
/** Hubward in a Fastify 5 application. */

import { admissionOf, answerRefusals, hubwardPlugin, requirePolicy } from "@hubward/server/fastify";
import { fastify } from "fastify";
import { announce, app, host, onEnd, ownWard, patientsOf, port, signIn, staff } from "../ward.mjs";

// Fastify's log shows every request but the hubs': those are taken before Fastify.
const server = fastify({ logger: { level: process.env["LOG_LEVEL"] ?? "info" } });

// Mounts the hubs, and closes them with the server.
await server.register(hubwardPlugin, { app });
server.setErrorHandler(answerRefusals);

server.post("/sign-in", async (request, reply) => {
  const token = await signIn(request.body);
  return token === undefined ? reply.code(401).send({ error: "wrong name or password" }) : { access_token: token };
});

server.get("/me", { onRequest: requirePolicy(app, staff) }, (request) => {
  const { principal } = admissionOf(app, request);
  return { name: principal.subject, roles: principal.roles };
});

/** @typedef {import("fastify").FastifyRequest<{ Params: { ward: string } }>} WardRequest */
server.get(
  "/wards/:ward/patients",
  { onRequest: requirePolicy(app, ownWard, (/** @type {WardRequest} */ request) => request.params.ward) },
  (/** @type {WardRequest} */ request) => patientsOf(request.params.ward),
);

// Name an address, not "localhost", so that Fastify listens with one server.
await server.listen({ port, host });
announce(server.server);
onEnd(() => server.close());
