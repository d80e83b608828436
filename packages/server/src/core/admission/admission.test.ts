import { createFakeClock, testAuthentication } from "@hubward/testing";
import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { requestOf } from "../../../test/http-fixture.js";
import { allowAll, denyAll, policy, requirement } from "../../../test/hub-fixture.js";
import type { Authenticator } from "../auth/authenticator.js";
import type { Principal, PrincipalMapping } from "../auth/principal.js";
import type { RevocationCheck } from "../auth/revocation-gate.js";
import { Secret } from "../auth/secret.js";
import { assertWorthConnecting, bearerOf, createAdmitter, type PrincipalIdProvider } from "./admission.js";
import { patient } from "../../../test/policy-watch.js";

type Staff = { readonly department: string | null };

const ann = testAuthentication({ subject: "ann", tenant: "general" });
const credential = { kind: "bearer", token: new Secret("token"), source: "header" } as const;

function createFixture(
  authenticate: Authenticator["authenticate"],
  mapping: PrincipalMapping<Staff> = () => ({ department: null }),
  principalId?: PrincipalIdProvider<Principal<Staff>>,
  revocations: RevocationCheck = { assertWelcome: () => undefined, refusal: () => undefined },
) {
  const failures: [string, unknown][] = [];
  const admitter = createAdmitter<Staff>({
    authenticator: { authenticate },
    mapping,
    principalId,
    revocations,
    onFailure: (where, error) => void failures.push([where, error]),
    deadline: patient,
  });
  return { admitter, failures };
}

function thrower(error: unknown): () => never {
  return () => {
    throw error;
  };
}

describe("admission", () => {
  it.each([
    ["at once", () => ann],
    ["later", () => Promise.resolve(ann)],
  ])("takes an authentication that is made %s", async (_, authenticate) => {
    const { admitter, failures } = createFixture(authenticate);
    expect(await admitter.authenticate(credential)).toBe(ann);
    expect(failures).toEqual([]);
  });

  it("lets nobody change what was authenticated, be it whoever said it", async () => {
    const own: { subject: string } & typeof ann = { ...ann };
    const { admitter } = createFixture(() => own);
    const authentication = await admitter.authenticate(credential);
    expect(() => (own.subject = "bob")).toThrow(TypeError);
    expect(authentication.subject).toBe("ann");
  });

  const down = new Error("ldap://10.0.0.7 refused");

  it.each<[string, () => never | Promise<never>, string, number]>([
    ["a catalogue error, thrown", thrower(new HubwardError("token_expired")), "token_expired", 0],
    ["a catalogue error, rejected", () => Promise.reject(new HubwardError("invalid_token")), "invalid_token", 0],
    ["anything else, thrown", thrower(down), "auth_unavailable", 1],
    ["anything else, rejected", () => Promise.reject(down), "auth_unavailable", 1],
  ])(
    "of %s: fails closed, and never tells a client of ours to sign in again for it",
    async (_, fail, reason, reported) => {
      const byAuthenticator = createFixture(fail);
      await expect(byAuthenticator.admitter.authenticate(credential)).rejects.toMatchObject({ reason });
      const byMapping = createFixture(() => ann, fail);
      await expect(byMapping.admitter.identify(ann)).rejects.toMatchObject({ reason });
      for (const { failures } of [byAuthenticator, byMapping]) {
        expect(failures).toEqual(reported === 0 ? [] : [[expect.stringMatching(/authenticator|principal/), down]]);
      }
      await byMapping.admitter.identify(ann).catch((error: unknown) => {
        expect(String(error)).not.toContain("ldap");
      });
    },
  );

  it("addresses a principal by its subject, or by what the application calls it; who it is stays the same", async () => {
    const bySubject = await createFixture(() => ann).admitter.identify(ann);
    expect(bySubject.principalId).toBe("ann");
    const asked: unknown[] = [];
    const { admitter } = createFixture(
      () => ann,
      () => ({ department: "icu" }),
      (context) => {
        asked.push(context.authentication);
        return `badge of ${context.principal.subject} in ${context.principal.department}`;
      },
    );
    const named = await admitter.identify(ann);
    expect([named.principalId, asked]).toEqual(["badge of ann in icu", [ann]]);
    expect([named.principal.subject, named.authentication]).toEqual(["ann", ann]);
  });

  it.each<[string, () => unknown, string]>([
    ["an empty text", () => "", "auth_unavailable"],
    ["nothing", () => undefined, "auth_unavailable"],
    ["null", () => null, "auth_unavailable"],
    ["a number", () => 7, "auth_unavailable"],
    ["a list", () => ["badge"], "auth_unavailable"],
    ["a promise, which is not waited for", () => Promise.resolve("badge"), "auth_unavailable"],
    ["a promise that fails", () => Promise.reject(new Error("down")), "auth_unavailable"],
    ["an error", thrower(down), "auth_unavailable"],
    ["a refusal of its own", thrower(new HubwardError("forbidden")), "forbidden"],
  ])(
    "admits nobody whose id is %s: it would be addressed as somebody else, or not at all",
    async (_, answer, reason) => {
      const { admitter, failures } = createFixture(() => ann, undefined, answer as () => string);
      await expect(admitter.identify(ann)).rejects.toMatchObject({ reason });
      expect(failures.map(([where]) => where)).toEqual(reason === "forbidden" ? [] : ["principalId"]);
    },
  );

  it("makes an immutable admission of the mapped attributes", async () => {
    const { admitter } = createFixture(
      () => ann,
      async ({ subject }) => ({ roles: ["nurse"], department: `of ${subject}` }),
    );
    const admission = await admitter.identify(ann);
    expect(admission).toMatchObject({
      authentication: ann,
      principal: { subject: "ann", department: "of ann", roles: ["nurse"] },
    });
    expect(Object.isFrozen(admission) && Object.isFrozen(admission.principal)).toBe(true);
  });

  it.each<[string, unknown, string, number]>([
    ["null: no such person here", null, "forbidden", 0],
    ["nothing", undefined, "auth_unavailable", 1],
    ["an identity of its own", { department: null, subject: "root" }, "auth_unavailable", 1],
    ["a live object", { department: new Date() }, "auth_unavailable", 1],
    ["roles that are none", { department: null, roles: "admin" }, "auth_unavailable", 1],
  ])("lets nobody in whom the mapping says is %s", async (_, attributes, reason, reported) => {
    const { admitter, failures } = createFixture(
      () => ann,
      () => attributes as Staff,
    );
    await expect(admitter.identify(ann)).rejects.toMatchObject({ reason });
    expect(failures).toHaveLength(reported);
  });

  it.each([
    ["all allow", [allowAll, requirement(policy("Later", () => Promise.resolve(true)))], undefined],
    ["nothing is required", [], undefined],
    ["one refuses", [allowAll, denyAll], "forbidden"],
    ["one fails", [requirement(policy("Down", () => Promise.reject(down))), denyAll], "auth_unavailable"],
  ])("asks the policies: %s", async (_, requirements, reason) => {
    const { admitter } = createFixture(() => ann);
    const admission = await admitter.identify(ann);
    const asked = admitter.authorize(admission, requirements as never, []);
    if (reason === undefined) await expect(asked).resolves.toBeUndefined();
    else await expect(asked).rejects.toMatchObject({ reason });
  });
});

describe("the bearer of a request", () => {
  it.each<[string, { bearers?: string[]; queryBearers?: string[] }, string | undefined]>([
    ["none", {}, undefined],
    ["one in the header", { bearers: ["a"] }, "a"],
    ["one in the query", { queryBearers: ["a"] }, "a"],
    ["the same twice", { bearers: ["a"], queryBearers: ["a", "a"] }, "a"],
  ])("is taken: %s", (_, bearers, expected) => {
    expect(bearerOf(requestOf(bearers))?.token.reveal()).toBe(expected);
  });

  it("is the one of the header where the same stands in both places", () => {
    expect(bearerOf(requestOf({ bearers: ["a"], queryBearers: ["a"] }))?.source).toBe("header");
  });

  it.each([
    { bearers: ["a"], queryBearers: ["b"] },
    { queryBearers: ["a", "b"] },
    { bearers: ["a", "a", "A"] },
    { bearers: ["a"], queryBearers: [""] },
  ])("is refused when two differ: %o", (bearers) => {
    expect(() => bearerOf(requestOf(bearers))).toThrow(expect.objectContaining({ reason: "invalid_request" }));
  });

  it("is not one in two schemes", () => {
    const [one] = requestOf({ bearers: ["a"] }).bearers;
    const dpop = { proof: undefined, method: "POST", path: "/" };
    const bearers = [one!, { ...one!, dpop }];
    for (const both of [bearers, bearers.toReversed()]) {
      expect(() => bearerOf({ ...requestOf({}), bearers: both })).toThrow(
        expect.objectContaining({ reason: "invalid_request" }),
      );
    }
  });
});

describe("whether a token is worth a connection", () => {
  const clock = createFakeClock();
  const now = clock.now();

  it.each<[string, number | undefined, number, boolean]>([
    ["an hour's token with 10 s left", now - 3_590_000, now + 10_000, true],
    ["an hour's token with less", now - 3_590_001, now + 9_999, false],
    ["a 20 s token with a fifth left", now - 16_000, now + 4_000, true],
    ["a 20 s token with less", now - 16_001, now + 3_999, false],
    ["a 5 s token with 1 s left", now - 4_000, now + 1_000, true],
    ["a token of unknown age with 10 s left", undefined, now + 10_000, true],
    ["a token of unknown age with less", undefined, now + 9_999, false],
    ["one that has ended this millisecond", now - 1_000, now, false],
    ["one that has ended", now - 1_000, now - 1, false],
    ["one that was issued after its end", now + 20_000, now + 10_000, true],
    ["one that was issued after its end and has ended", now + 20_000, now - 10_000, false],
  ])("%s: %s", (_, issuedAt, expiresAt, isWorth) => {
    const judge = (): void => assertWorthConnecting(testAuthentication({ issuedAt, expiresAt }), clock);
    if (isWorth) expect(judge).not.toThrow();
    else expect(judge).toThrow(expect.objectContaining({ reason: "token_expired" }));
  });
});
