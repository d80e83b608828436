/** Guards of each framework: who was let in is typed, and a policy about a resource is told which. */

import { createServer } from "node:http";
import express, { type Request as ExpressRequest } from "express";
import { fastify, type FastifyRequest } from "fastify";
import { Hono, type Context } from "hono";
import { anyOf, type Admission } from "@hubward/server";
import * as onExpress from "@hubward/server/express";
import * as onFastify from "@hubward/server/fastify";
import * as onHono from "@hubward/server/hono";
import { guardFetch } from "@hubward/server/node";
import { app, doctors, ownPatient, ownWard, staff, type Staff } from "./app.js";
import { other } from "./policies.js";
import type { Equal, Expect, IsNotAny } from "./expect.js";

const upstairs = other.policy("Upstairs", ({ principal }) => principal.floor > 1);

// --- Express ---

const routes = express();
routes.use(onExpress.requirePolicy(app, staff));
routes.get("/beds/:bed", onExpress.requirePolicy(app, doctors), (request, response) => {
  const admission = onExpress.admissionOf(app, request);
  type _ = [
    Expect<IsNotAny<typeof admission>>,
    Expect<Equal<typeof admission, Admission<Staff>>>,
    // The route's own parameters are as they were.
    Expect<Equal<typeof request.params.bed, string>>,
  ];
  response.json(admission.principal.department);
});
routes.get(
  "/wards/:ward",
  onExpress.requirePolicy(app, anyOf(doctors, ownWard), (request: ExpressRequest<{ ward: string }>) => {
    type _ = [Expect<Equal<typeof request.params.ward, string>>];
    return request.params.ward;
  }),
  (request, response) => {
    type _ = [Expect<Equal<typeof request.params.ward, string>>];
    response.json(onExpress.admissionOf(app, request).principal.badge.number);
  },
);
routes.use(onExpress.answerRefusals);
// @ts-expect-error the policy needs to be told which ward
onExpress.requirePolicy(app, ownWard);
// @ts-expect-error one of them needs to be told which ward
onExpress.requirePolicy(app, anyOf(doctors, ownWard));
// @ts-expect-error a patient has a ward
onExpress.requirePolicy(app, ownPatient, (request: ExpressRequest) => ({ name: request.url }));
// @ts-expect-error another application's policy
onExpress.requirePolicy(app, upstairs);

// --- Fastify ---

interface WardRoute {
  Params: { ward: string };
}

const server = fastify();
void server.register(onFastify.hubwardPlugin, { app });
void server.register(onFastify.hubwardPlugin, { app, maxPayloadBytes: 65_536 });
// @ts-expect-error which application
void server.register(onFastify.hubwardPlugin);
server.addHook("onRequest", onFastify.requirePolicy(app, staff));
server.get("/me", { preHandler: onFastify.requirePolicy(app, doctors) }, (request) => {
  const admission = onFastify.admissionOf(app, request);
  type _ = [Expect<IsNotAny<typeof admission>>, Expect<Equal<typeof admission, Admission<Staff>>>];
  return admission.principal.department;
});
server.get<WardRoute>(
  "/wards/:ward",
  { onRequest: onFastify.requirePolicy(app, ownWard, (request: FastifyRequest<WardRoute>) => request.params.ward) },
  (request) => onFastify.admissionOf(app, request).principal.badge.number,
);
server.setErrorHandler(onFastify.answerRefusals);
// @ts-expect-error the policy needs to be told which ward
onFastify.requirePolicy(app, ownWard);
// @ts-expect-error a patient has a ward
onFastify.requirePolicy(app, ownPatient, (request) => ({ name: request.url }));
// @ts-expect-error another application's policy
onFastify.requirePolicy(app, upstairs);

// --- Hono ---

const hono = new Hono();
hono.get("/me", onHono.requirePolicy(app, doctors), (context) => {
  const admission = context.get("admission");
  type _ = [
    Expect<IsNotAny<typeof admission>>,
    Expect<Equal<typeof admission, Admission<Staff>>>,
    Expect<Equal<typeof context.var.admission.principal, Staff>>,
  ];
  return context.json(admission.principal.department);
});
hono.get(
  "/wards/:ward",
  onHono.requirePolicy(app, ownWard, (context) => context.req.param("ward") ?? ""),
  onHono.requirePolicy(app, ownWard, (context: Context<onHono.AdmissionEnv<Staff>, "/wards/:ward">) => {
    return context.req.param("ward");
  }),
  (context) => context.json(context.get("admission").principal.badge.number),
);
const wards = new Hono<onHono.AdmissionEnv<Staff>>();
wards.use(onHono.requirePolicy(app, staff));
wards.get("/", (context) => context.text(context.var.admission.principal.subject));
hono.onError(onHono.answerRefusals);
// @ts-expect-error the policy needs to be told which ward
onHono.requirePolicy(app, ownWard);
// @ts-expect-error a patient has a ward
onHono.requirePolicy(app, ownPatient, (context) => ({ name: context.req.path }));
// @ts-expect-error another application's policy
onHono.requirePolicy(app, upstairs);

// --- Web requests ---

const guarded = guardFetch(app, doctors, (_request, admission) => {
  type _ = [Expect<IsNotAny<typeof admission>>, Expect<Equal<typeof admission, Admission<Staff>>>];
  return new Response(admission.principal.department);
});
const withParams = guardFetch(
  app,
  ownWard,
  (_request, { principal }, { params }: { params: { ward: string } }) => new Response(principal.subject + params.ward),
  (_request, { params }) => params.ward,
);
type _Fetch = [
  Expect<Equal<typeof guarded, (request: Request) => Promise<Response>>>,
  Expect<Equal<Parameters<typeof withParams>[1], { params: { ward: string } }>>,
];
// @ts-expect-error the policy needs to be told which ward
guardFetch(app, ownWard, () => new Response());
// @ts-expect-error another application's policy
guardFetch(app, upstairs, () => new Response());

export const all = createServer(routes);
