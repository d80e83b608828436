/** Policies: what they answer, what they need, and that leaving one out does not compile. */

import { anyOf, hasClaim, hasRole, hubward, type Policy } from "@hubward/server";
import { z } from "zod";
import { app, authenticator, doctors, ownPatient, ownWard, staff, type Staff } from "./app.js";
import type { Equal, Expect, HasNoAny, IsNotAny } from "./expect.js";

type _Kinds = [
  Expect<Equal<typeof staff, Policy<Staff>>>,
  Expect<Equal<typeof doctors, Policy<Staff>>>,
  Expect<Equal<typeof ownWard, Policy<Staff, string>>>,
  Expect<Equal<typeof ownPatient, Policy<Staff, { readonly ward: string }>>>,
  Expect<HasNoAny<typeof ownWard>>,
];

// A check answers a boolean, now or later.
app.policy("Later", async () => Promise.resolve(true));
app.policy("ByClaim", hasClaim("scope", "orders.write"));
// @ts-expect-error a check that answers nothing allows nothing
app.policy("Nothing", () => undefined);
// @ts-expect-error truthy is not allowed
app.policy("Truthy", ({ principal }) => principal.department);
// @ts-expect-error truthy is not allowed later either
app.policy("TruthyLater", async ({ principal }) => Promise.resolve(principal.roles.length));
// @ts-expect-error the name comes first
app.policy(({ principal }) => principal.hasRole("doctor"));

// --- Forgetting a policy ---

// A hub without a policy and a method without one: there is nothing to handle with.
app.hub("/forgotten").methods((m) => ({
  // @ts-expect-error nothing guards this method
  Open: m.handle(() => 1),
}));
app.hub("/forgotten-arguments").methods((m) => ({
  // @ts-expect-error nor this one
  Open: m.args(z.string()).handle((_call: unknown, text: string) => text),
}));
app.hub("/forgotten-once").methods((m) => ({
  // @ts-expect-error nor is there anything to make a command of
  Open: m.args(z.string()).once((id: string) => id),
}));

// One policy on either is enough.
app.hub("/guarded-methods").methods((m) => ({ Guarded: m.allow(doctors).handle(() => 1) }));
app
  .hub("/guarded-hub")
  .allow(staff)
  .methods((m) => ({ Guarded: m.handle(() => 1), Doubly: m.allow(doctors).handle(() => 2) }));

// A builder that was never finished is no method.
app
  .hub("/unfinished")
  .allow(staff)
  // @ts-expect-error it must end in .handle(…)
  .methods((m) => ({ Unfinished: m.allow(doctors) }));
app
  .hub("/handmade")
  .allow(staff)
  // @ts-expect-error a function is no method
  .methods(() => ({ Handmade: () => 1 }));

// A hub needs methods to be mounted, and policies of its own application.
const other = hubward({ authenticator, principal: () => ({ floor: 1 }) });
const onFloor = other.policy("OnFloor", ({ principal }) => principal.floor === 1);
// @ts-expect-error this policy is about principals that have a floor
app.hub("/foreign").allow(onFloor);
app
  .hub("/foreign-method")
  .allow(staff)
  .methods((m) => {
    // @ts-expect-error nor does it fit a method
    return { Foreign: m.allow(onFloor).handle(() => 1) };
  });

// --- Resources ---

const ward = z.string();
app
  .hub("/resources")
  .allow(staff)
  .methods((m) => ({
    Fits: m
      .args(ward, z.number())
      .allow(ownWard, (wardId, beds) => {
        type _ = [Expect<Equal<typeof wardId, string>>, Expect<Equal<typeof beds, number>>];
        return wardId;
      })
      .handle(() => 1),
    Objects: m
      .args(z.object({ ward: z.string() }))
      .allow(ownPatient, (patient) => patient)
      .handle(() => 1),
    Mixed: m
      .args(ward)
      .allow(anyOf(doctors, ownWard), (wardId) => wardId)
      .handle(() => 1),
    // @ts-expect-error a number is not the resource this policy is about
    WrongResource: m.args(z.number()).allow(ownWard, (beds) => beds),
    // @ts-expect-error a patient has a ward
    WrongShape: m.args(ward).allow(ownPatient, (name) => ({ name })),
    // @ts-expect-error the policy needs to be told which ward
    NoResource: m.args(ward).allow(ownWard),
    // @ts-expect-error one of them needs to be told which ward
    NoResourceInAny: m.args(ward).allow(anyOf(doctors, ownWard)),
    // @ts-expect-error there is no second argument
    NoSuchArgument: m.args(ward).allow(ownWard, (_ward, second) => second),
  }));
// @ts-expect-error at connect there is no resource
app.hub("/resource-at-connect").allow(ownWard);
// @ts-expect-error nor where only one of several needs one
app.hub("/any-resource-at-connect").allow(anyOf(doctors, ownWard));

// --- anyOf ---

const plainChoice = anyOf(staff, doctors);
const mixedChoice = anyOf(doctors, ownWard);
const mixedOtherWay = anyOf(ownWard, doctors);
const sameResource = anyOf(ownWard, ownWard);
type _Choices = [
  Expect<Equal<typeof plainChoice, Policy<Staff>>>,
  Expect<Equal<typeof mixedChoice, Policy<Staff, string>>>,
  Expect<Equal<typeof mixedOtherWay, Policy<Staff, string>>>,
  Expect<Equal<typeof sameResource, Policy<Staff, string>>>,
  Expect<IsNotAny<typeof mixedChoice>>,
];
app.hub("/choice").allow(plainChoice);
app
  .hub("/different-resources")
  .allow(staff)
  .methods((m) => ({
    // @ts-expect-error the second one cannot judge a ward's name
    Different: m.args(ward).allow(anyOf(ownWard, ownPatient), (wardId) => wardId),
  }));

// hasRole fits every application's principals.
other.policy("Roles", hasRole("nurse"));

export { other };
