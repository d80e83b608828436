/** Scopes: each has principals of its own, and what is declared for one fits no other. */

import {
  anyOf,
  hasRole,
  hubward,
  type Admission,
  type App,
  type GroupReference,
  type Policy,
  type Scope,
  type Tenant,
} from "@hubward/server";
import { requirePolicy } from "@hubward/server/node";
import { z } from "zod";
import { app, authenticator, doctors, findStaff, ownWard, type Staff } from "./app.js";
import type { Equal, Expect, HasNoAny, IsNotAny } from "./expect.js";

const devices = app.scope({
  authenticator,
  principal: async ({ subject }) => (await findStaff(subject)) && { model: "monitor", beds: [subject] },
  principalId({ principal, authentication }) {
    type _ = [
      Expect<IsNotAny<typeof principal>>,
      Expect<Equal<typeof principal.model, string>>,
      Expect<Equal<typeof principal.beds, string[]>>,
    ];
    return `${principal.model} ${authentication.subject}`;
  },
  allowedOrigins: [],
  maxMessageBytes: 1024,
});

type PrincipalOf<S> = S extends Scope<infer P> ? P : never;
type Device = PrincipalOf<typeof devices>;
type _Device = [
  Expect<IsNotAny<Device>>,
  Expect<HasNoAny<Device>>,
  Expect<Equal<Device["model"], string>>,
  Expect<Equal<typeof devices, Scope<Device>>>,
];
// An application is a scope, and a scope is what lacks a tenant.
const _scope: Scope<Staff> = app;
const _tenant: Tenant<Staff> = app;
// @ts-expect-error a scope is no application: there is one of those
const _app: App<Device> = devices;

const monitors = devices.policy("Monitors", ({ principal }) => principal.model === "monitor");
const ownBed = devices.policy("OwnBed", ({ principal }, bed: string) => principal.beds.includes(bed));
type _Policies = [Expect<Equal<typeof monitors, Policy<Device>>>, Expect<Equal<typeof ownBed, Policy<Device, string>>>];
// @ts-expect-error devices have no department
devices.policy("Department", ({ principal }) => principal.department === "icu");

const hub = devices
  .hub<{ alarm: [bed: string] }>("/devices")
  .allow(monitors)
  .methods((m) => ({
    Model: m.handle(({ principal }) => {
      type _ = [Expect<Equal<typeof principal, Device>>];
      return principal.model;
    }),
    Bed: m
      .args(z.string())
      .allow(ownBed, (bed) => bed)
      .handle((call, bed) => call.toAll().emit("alarm", bed)),
  }));
hub.toAll().emit("alarm", "1");
// @ts-expect-error the hub's events, in a scope as in the application
hub.toAll().emit("alarm", 1);

// --- What is declared for one scope fits no other ---

// @ts-expect-error a policy about devices, on a hub of the staff
app.hub("/foreign-policy").allow(monitors);
// @ts-expect-error and the other way round
devices.hub("/foreign-policy").allow(doctors);
// @ts-expect-error nor beside one that fits
devices.hub("/foreign-choice").allow(anyOf(monitors, doctors));
devices
  .hub("/foreign-method")
  .allow(monitors)
  .methods((m) => {
    // @ts-expect-error nor on a method
    return { Foreign: m.allow(doctors).handle(() => 1) };
  });
devices.group("foreign/{ward}", { ward: z.string() }).allow(
  // @ts-expect-error nor on a group
  ownWard,
  ({ ward }) => ward,
);

const bed = devices.group("bed/{bed}", { bed: z.string() }).allow(ownBed, (values) => values.bed);
const ward = app.group("scoped-ward/{ward}", { ward: z.string() }).allow(ownWard, (values) => values.ward);
const team = app.group("scoped-team", {}).assigned();
type _Bed = Expect<Equal<ReturnType<typeof bed>, GroupReference<Device>>>;
void devices.groups.add({ subject: "x" }, bed({ bed: "1" }));
// @ts-expect-error a group of the staff
void devices.groups.add({ subject: "x" }, ward({ ward: "icu" }));
// @ts-expect-error a group of the devices
void app.groups.add({ subject: "x" }, bed({ bed: "1" }));
// @ts-expect-error one that is assigned, too
void devices.groups.add({ subject: "x" }, team());
// @ts-expect-error nor can it be spoken to there
devices.to(ward({ ward: "icu" }));
devices
  .hub("/foreign-group")
  .allow(monitors)
  .methods((m) => ({
    Join: m.handle((call) => {
      // @ts-expect-error or joined
      return call.groups.join(ward({ ward: "icu" }));
    }),
  }));

// A rule that is about any principal fits every scope.
devices.policy("Roles", hasRole("monitor"));

// --- Routes ---

const authenticated = devices.http.authenticate({ headers: new Headers() });
type _Admission = Expect<Equal<typeof authenticated, Promise<Admission<Device>>>>;
requirePolicy(devices, monitors, (_request, response, { principal, principalId }) => {
  type _ = [Expect<Equal<typeof principal, Device>>, Expect<Equal<typeof principalId, string>>];
  response.end(principal.model);
});
// @ts-expect-error a policy of the staff
requirePolicy(devices, doctors, () => undefined);
// @ts-expect-error a policy about devices
requirePolicy(app, monitors, () => undefined);

// --- What a scope needs ---

// @ts-expect-error an authenticator
app.scope({ principal: () => ({}) });
// @ts-expect-error a mapping
app.scope({ authenticator });
// @ts-expect-error the store of commands is the application's
app.scope({ authenticator, principal: () => ({}), idempotency: undefined });
// @ts-expect-error a scope opens none of its own
devices.scope({ authenticator, principal: () => ({}) });
// @ts-expect-error it is the application that closes
void devices.close();

// --- A principal's id ---

hubward({ authenticator, principal: () => ({ badge: "7" }), principalId: ({ principal }) => principal.badge });
hubward({
  authenticator,
  principal: () => ({}),
  principalId: ({ authentication }) => String(authentication.sessionId),
});
// @ts-expect-error it is text
hubward({ authenticator, principal: () => ({ badge: 7 }), principalId: ({ principal }) => principal.badge });
// @ts-expect-error and it is there
hubward({ authenticator, principal: () => ({}), principalId: ({ authentication }) => authentication.sessionId });
// @ts-expect-error at once
hubward({ authenticator, principal: () => ({}), principalId: async () => Promise.resolve("7") });
// @ts-expect-error principals have no badge here
hubward({ authenticator, principal: () => ({}), principalId: ({ principal }) => principal.badge });
