/** The same policies on ordinary HTTP routes. */

import type { Admission } from "@hubward/server";
import { requirePolicy } from "@hubward/server/node";
import { anyOf } from "@hubward/server";
import { app, doctors, ownPatient, ownWard, staff, type Staff } from "./app.js";
import { other } from "./policies.js";
import type { Equal, Expect, IsNotAny } from "./expect.js";

const headers = { headers: new Headers() };
const authenticated = app.http.authenticate(headers);
const authorized = app.http.authorize(headers, doctors);
type _Admissions = [
  Expect<Equal<typeof authenticated, Promise<Admission<Staff>>>>,
  Expect<Equal<typeof authorized, Promise<Admission<Staff>>>>,
  Expect<IsNotAny<Awaited<typeof authorized>["principal"]>>,
];
void app.http.authorize(headers, ownWard, "icu");
void app.http.authorize(headers, anyOf(doctors, ownWard), "icu");
// @ts-expect-error the policy needs to be told which ward
void app.http.authorize(headers, ownWard);
// @ts-expect-error a ward is text
void app.http.authorize(headers, ownWard, 1);

requirePolicy(app, doctors, (request, response, { principal }) => {
  type _ = [Expect<IsNotAny<typeof principal>>, Expect<Equal<typeof principal, Staff>>];
  response.end(request.url);
});
requirePolicy(
  app,
  ownWard,
  () => undefined,
  (request) => request.url ?? "",
);
// @ts-expect-error the policy needs to be told which ward
requirePolicy(app, ownWard, () => undefined);
requirePolicy(
  app,
  ownPatient,
  () => undefined,
  // @ts-expect-error a patient has a ward
  (request) => ({ name: request.url }),
);
const upstairs = other.policy("Upstairs", ({ principal }) => principal.floor > 1);
// @ts-expect-error another application's policy
requirePolicy(app, upstairs, () => undefined);
requirePolicy(app, staff, async (_request, response) => {
  await Promise.resolve();
  response.end();
});
