import { HubwardError } from "@hubward/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admissionOf, type Staff } from "../../../test/connection-fixture.js";
import { allowAll, denyAll, policy, requirement } from "../../../test/hub-fixture.js";
import { anyOf, judge, PolicyRefusal, type Policy, type Requirement } from "./policy.js";
import { patientWatch } from "../../../test/policy-watch.js";

const admission = admissionOf({ roles: ["nurse"] });

/** Every way in which a policy can answer, and what that means. */
const answers = {
  true: [() => true, "allow"],
  false: [() => false, "deny"],
  "a promise of true": [() => Promise.resolve(true), "allow"],
  "a promise of false": [() => Promise.resolve(false), "deny"],
  "a throw": [
    () => {
      throw new Error("directory down");
    },
    "unavailable",
  ],
  "a rejection": [() => Promise.reject(new Error("directory down")), "unavailable"],
  "1": [() => 1, "deny"],
  text: [() => "true", "deny"],
  "an object": [() => ({ allowed: true }), "deny"],
  "a Boolean object": [() => Object(true) as unknown, "deny"],
  nothing: [() => undefined, "deny"],
  null: [() => null, "deny"],
  "a promise of 1": [() => Promise.resolve(1), "deny"],
  "a promise of a Boolean object": [() => Promise.resolve(Object(true) as unknown), "deny"],
  "a promise that is not one": [() => ({ then: (done: (value: boolean) => void) => done(true) }), "deny"],
} as const satisfies Record<string, readonly [() => unknown, "allow" | "deny" | "unavailable"]>;

type AnswerName = keyof typeof answers;
const names = Object.keys(answers) as AnswerName[];

function answering(name: AnswerName): Policy<Staff> {
  return policy(name, answers[name][0] as () => boolean, `refused by ${name}`);
}

async function verdictOf(requirements: readonly Requirement<Staff>[], args: readonly unknown[] = []) {
  const failures: string[] = [];
  const refusal = await judge(
    requirements,
    admission,
    args,
    patientWatch((name) => void failures.push(name)),
  );
  const verdict = refusal === undefined ? "allow" : refusal.reason === "forbidden" ? "deny" : "unavailable";
  return { verdict, refusal, failures };
}

describe("judging policies", () => {
  it.each(names.map((name) => [name, answers[name][1]] as const))("answered with %s: %s", async (name, expected) => {
    const { verdict, refusal, failures } = await verdictOf([requirement(answering(name))]);
    expect(verdict).toBe(expected);
    expect(failures).toEqual(expected === "unavailable" ? [name] : []);
    if (expected === "unavailable") expect(refusal).toMatchObject({ reason: "auth_unavailable", retryAfterSeconds: 1 });
    if (expected === "deny") expect(refusal?.message).toBe(`forbidden: refused by ${name}`);
  });

  it.each([
    ["comes later", () => Promise.resolve("icu")],
    ["never comes", () => Promise.reject(new Error("no directory"))],
  ])("judges no resource that %s: it would judge a promise", async (_, resource) => {
    const never = policy<unknown>("NotIcu", (_context, ward) => ward !== "icu");
    const { verdict, failures } = await verdictOf([requirement(never, resource)]);
    expect([verdict, failures]).toEqual(["unavailable", ["NotIcu"]]);
  });

  it("allows when all do, and otherwise gives the first refusal, asking nobody behind it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...names), { maxLength: 6 }), async (chosen) => {
        const asked: number[] = [];
        const requirements = chosen.map((name, index) =>
          requirement(
            policy(name, () => {
              asked.push(index);
              return answers[name][0]() as boolean;
            }),
          ),
        );
        const firstRefusal = chosen.findIndex((name) => answers[name][1] !== "allow");
        const { verdict } = await verdictOf(requirements);
        const refusedBy = chosen[firstRefusal];
        expect(verdict).toBe(refusedBy === undefined ? "allow" : answers[refusedBy][1]);
        expect(asked).toEqual(
          chosen.map((_, index) => index).slice(0, firstRefusal === -1 ? undefined : firstRefusal + 1),
        );
      }),
    );
  });

  it("makes no promise where no policy does", () => {
    const never = (): void => expect.unreachable();
    expect(judge([allowAll, allowAll], admission, [], patientWatch(never))).toBeUndefined();
    expect(judge([allowAll, denyAll], admission, [], patientWatch(never))).toBeInstanceOf(PolicyRefusal);
    expect(judge([], admission, [], patientWatch(never))).toBeUndefined();
    const either = requirement(
      anyOf(
        policy("no", () => false),
        policy("yes", () => true),
      ),
    );
    expect(judge([either], admission, [], patientWatch(never))).toBeUndefined();
    expect(judge([requirement(policy("throws", answers["a throw"][0]))], admission, [], patientWatch())).toBeInstanceOf(
      HubwardError,
    );
  });

  it("says which policy refused, and shows the caller its constant text only", async () => {
    const { refusal } = await verdictOf([allowAll, denyAll]);
    expect(refusal).toMatchObject({ policy: "Nobody", message: "forbidden: nobody may" });
    const silent = await verdictOf([requirement(policy("Silent", () => false))]);
    expect(silent.refusal).toMatchObject({ policy: "Silent", message: "forbidden" });
  });

  it("hides what a policy threw from the caller and hands it on as the cause", async () => {
    const thrown = new Error("SELECT * FROM staff");
    const { refusal } = await verdictOf([requirement(policy("Throws", () => Promise.reject(thrown)))]);
    expect(refusal?.message).not.toContain("SELECT");
    expect(refusal?.cause).toBe(thrown);
  });

  it("names the resource by the arguments, and a resource that cannot be named does not allow", async () => {
    const seen: unknown[] = [];
    const ownWard = policy<string>("OwnWard", (context, ward) => {
      seen.push(context, ward);
      return ward === "icu";
    });
    const byWard = requirement(ownWard, (_first: string, ward: string) => ward);
    expect((await verdictOf([byWard], ["ignored", "icu"])).verdict).toBe("allow");
    expect(seen).toEqual([admission, "icu"]);
    expect((await verdictOf([byWard], ["icu", "er"])).verdict).toBe("deny");
    const broken = requirement(ownWard, () => {
      throw new Error("no such argument");
    });
    const { verdict, failures } = await verdictOf([broken]);
    expect([verdict, failures]).toEqual(["unavailable", ["OwnWard"]]);
  });
});

describe("anyOf", () => {
  it("allows when one does; failing that it is unavailable when one failed, else it denies; it stops at the first yes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 5 }), async (chosen) => {
        const asked: number[] = [];
        const policies = chosen.map((name, index) =>
          policy(name, () => {
            asked.push(index);
            return answers[name][0]() as boolean;
          }),
        );
        const meanings = chosen.map((name) => answers[name][1]);
        const firstYes = meanings.indexOf("allow");
        const { verdict, failures } = await verdictOf([requirement(anyOf(...policies))]);
        const expected = firstYes >= 0 ? "allow" : meanings.includes("unavailable") ? "unavailable" : "deny";
        expect(verdict).toBe(expected);
        expect(asked).toHaveLength(firstYes === -1 ? chosen.length : firstYes + 1);
        expect(failures).toHaveLength(expected === "unavailable" ? 1 : 0);
      }),
    );
  });

  it("gives the first failure as the cause when all have failed", async () => {
    const [first, second] = [new Error("first"), new Error("second")];
    for (const failing of [
      anyOf(
        policy("a", () => Promise.reject(first)),
        policy("b", () => Promise.reject(second)),
      ),
      anyOf(
        policy("a", () => {
          throw first;
        }),
        policy("b", () => Promise.resolve(false)),
        policy("c", () => Promise.reject(second)),
      ),
    ]) {
      const { refusal } = await verdictOf([requirement(failing)]);
      expect(refusal?.cause).toBe(first);
    }
  });

  it("passes the resource to each, is named after all, and speaks the first text there is", async () => {
    const seen: string[] = [];
    const a = policy<string>("A", (_, ward) => (seen.push(`a ${ward}`), false));
    const b = policy<string>("B", (_, ward) => (seen.push(`b ${ward}`), false), "not your ward");
    const either = anyOf(a, b);
    expect(either.name).toBe("anyOf(A, B)");
    const { refusal } = await verdictOf([requirement(either, () => "icu")]);
    expect([seen, refusal?.message]).toEqual([["a icu", "b icu"], "forbidden: not your ward"]);
    expect(Object.isFrozen(either)).toBe(true);
  });

  it("of nothing is a mistake, not a no and not a yes", () => {
    expect(() => anyOf()).toThrow(TypeError);
  });
});
