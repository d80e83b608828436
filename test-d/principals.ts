/** A principal's attributes are what its mapping returns. */

import { hubward, type App, type Authentication, type PolicyContext, type Principal } from "@hubward/server";
import { app, authenticator, findStaff, type Staff } from "./app.js";
import type { Equal, Expect, HasNoAny, IsNotAny } from "./expect.js";

type PrincipalOf<Application> = Application extends App<infer P> ? P : never;

// From an asynchronous, nullable mapping.
type _Staff = [
  Expect<IsNotAny<Staff>>,
  Expect<Equal<Staff["department"], string | null>>,
  Expect<Equal<Staff["badge"], { readonly number: number }>>,
  Expect<Equal<Staff["subject"], string>>,
  Expect<Equal<Staff["tenant"], string | undefined>>,
  Expect<Equal<Staff["roles"], readonly string[]>>,
  Expect<Equal<ReturnType<Staff["hasRole"]>, boolean>>,
  Expect<HasNoAny<Staff>>,
];

// From a synchronous one.
const synchronous = hubward({ authenticator, principal: ({ claims }) => ({ roles: ["nurse"], floor: 3, claims }) });
type Synchronous = PrincipalOf<typeof synchronous>;
type _Synchronous = [
  Expect<IsNotAny<Synchronous>>,
  Expect<Equal<Synchronous["floor"], number>>,
  Expect<Equal<Synchronous["claims"], Readonly<Record<string, unknown>>>>,
];

// From one that sometimes knows nobody.
const nullable = hubward({
  authenticator,
  principal: ({ subject }) => (subject === "nobody" ? null : { department: subject }),
});
type Nullable = PrincipalOf<typeof nullable>;
type _Nullable = [Expect<IsNotAny<Nullable>>, Expect<Equal<Nullable["department"], string>>];

// From an async function with both.
const both = hubward({
  authenticator,
  async principal({ subject }) {
    const record = await findStaff(subject);
    return record === null ? null : { roles: record.roles, ward: record.department };
  },
});
type Both = PrincipalOf<typeof both>;
type _Both = [Expect<IsNotAny<Both>>, Expect<Equal<Both["ward"], string | null>>];

// From one without attributes.
const plain = hubward({ authenticator, principal: () => ({}) });
type Plain = PrincipalOf<typeof plain>;
type _Plain = [Expect<IsNotAny<Plain>>, Expect<Equal<Plain["subject"], string>>];
const _plain: Principal = {} as Plain;

// The mapping is given the verified credential.
hubward({
  authenticator,
  principal(authentication) {
    type _ = [Expect<Equal<typeof authentication, Authentication>>];
    return {};
  },
});

// Identity comes from the credential: a mapping cannot set it.
// @ts-expect-error subject is not an attribute
hubward({ authenticator, principal: () => ({ subject: "somebody else" }) });
// @ts-expect-error tenant is not an attribute
hubward({ authenticator, principal: () => ({ tenant: "another" }) });
// @ts-expect-error issuer is not an attribute, in an asynchronous mapping either
hubward({ authenticator, principal: async () => ({ issuer: await Promise.resolve("another") }) });
// @ts-expect-error hasRole is not an attribute
hubward({ authenticator, principal: () => ({ hasRole: () => true }) });
// @ts-expect-error roles are a list of strings
hubward({ authenticator, principal: () => ({ roles: "doctor" }) });
// @ts-expect-error a mapping returns attributes
hubward({ authenticator, principal: () => "doctor" });
// @ts-expect-error nobody is null, not undefined
hubward({ authenticator, principal: () => undefined });
// @ts-expect-error a mapping is required
hubward({ authenticator });
// @ts-expect-error an authenticator is required
hubward({ principal: () => ({}) });

// A snapshot is read only.
app.policy("Readonly", ({ principal }) => {
  // @ts-expect-error attributes cannot be assigned
  principal.department = "icu";
  // @ts-expect-error roles cannot be changed
  principal.roles.push("doctor");
  return true;
});

// A policy's context has the principal and the credential, and no more is known than that.
app.policy("Context", (context) => {
  type _ = [
    Expect<Equal<typeof context, PolicyContext<Staff>>>,
    Expect<Equal<typeof context.principal, Staff>>,
    Expect<Equal<typeof context.authentication, Authentication>>,
  ];
  // @ts-expect-error no such attribute
  return context.principal.departmnet === "icu";
});

export { both, nullable, plain, synchronous };
