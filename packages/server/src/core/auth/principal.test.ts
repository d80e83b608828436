import { testAuthentication } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPrincipal, type PrincipalAttributes } from "./principal.js";

const identity = testAuthentication({ tenant: "general", subject: "ann" });

/** Walks everything that can be reached from a value. */
function reach(value: unknown, visit: (value: object) => void): void {
  if (typeof value !== "object" || value === null) return;
  visit(value);
  for (const member of Object.values(value)) reach(member, visit);
}

class Row {
  readonly name = "row";
}

describe("a principal", () => {
  it("has the credential's identity and the mapping's attributes", () => {
    const principal = createPrincipal(identity, { roles: ["nurse"], department: "icu", shifts: [1, 2] });
    expect({ ...principal }).toEqual({
      tenant: "general",
      issuer: "https://issuer.example",
      subject: "ann",
      roles: ["nurse"],
      department: "icu",
      shifts: [1, 2],
    });
    expect(principal.hasRole("nurse")).toBe(true);
  });

  it.each([
    [[], ["nurse"], false],
    [["nurse"], [], false],
    [["nurse", "lead"], ["doctor", "lead"], true],
    [["Nurse"], ["nurse"], false],
    [["nurse"], ["nurs"], false],
  ])("with roles %j asked for %j: %s", (roles, asked, expected) => {
    expect(createPrincipal(identity, { roles }).hasRole(...asked)).toBe(expected);
  });

  it("is frozen through and through, and shares nothing with what it was made of", () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ minLength: 1 }).map((name) => `a_${name}`),
          fc.jsonValue(),
        ),
        (data) => {
          const roles = ["nurse"];
          const attributes = { roles, ...data };
          const mutable = new Set<object>();
          reach(attributes, (value) => mutable.add(value));
          const principal = createPrincipal(identity, attributes as PrincipalAttributes<object>);
          reach(principal, (value) => {
            expect(Object.isFrozen(value)).toBe(true);
            expect(mutable.has(value)).toBe(false);
          });
          const { tenant: _t, issuer: _i, subject: _s, ...own } = { ...principal };
          expect(own).toEqual({ ...structuredClone(data), roles: ["nurse"] });
          roles.push("admin");
          expect(principal.hasRole("admin")).toBe(false);
        },
      ),
    );
  });

  it("cannot be made more than it is", () => {
    const principal = createPrincipal(identity, { roles: ["nurse"], nested: { list: ["icu"] } });
    const loose = principal as unknown as {
      roles: string[];
      subject: string;
      nested: { list: string[] };
      extra: unknown;
    };
    expect(() => loose.roles.push("admin")).toThrow(TypeError);
    expect(() => loose.nested.list.push("er")).toThrow(TypeError);
    expect(() => (loose.subject = "bob")).toThrow(TypeError);
    expect(() => (loose.extra = 1)).toThrow(TypeError);
    expect(() => Object.defineProperty(principal, "hasRole", { value: () => true })).toThrow(TypeError);
  });

  it.each(["tenant", "issuer", "subject", "hasRole"])("cannot be given %s by a mapping", (name) => {
    expect(() => createPrincipal(identity, { [name]: "mine" } as PrincipalAttributes<object>)).toThrow(TypeError);
  });

  it("takes an attribute called __proto__ as one, not as its prototype", () => {
    const attributes = JSON.parse(
      '{"__proto__": {"hasRole": "x"}, "nested": {"__proto__": {"isAdmin": true}}}',
    ) as object;
    const principal = createPrincipal(identity, attributes);
    expect(principal.hasRole("nurse")).toBe(false);
    expect((principal as { nested?: { isAdmin?: unknown } }).nested?.isAdmin).toBeUndefined();
    expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
  });

  it.each([
    ["a class instance", new Row()],
    ["a date", new Date(0)],
    ["a map", new Map()],
    ["a function", () => true],
    ["bytes", new Uint8Array(1)],
    ["an instance deep inside", { list: [{ row: new Row() }] }],
  ])("refuses %s: its state could change behind the snapshot", (_, value) => {
    expect(() => createPrincipal(identity, { value })).toThrow(/principal\.value.*plain data/);
  });

  it.each([["admin"], [["nurse", 7]], [{ 0: "nurse" }], [null]])(
    "refuses roles that are no list of text: %j",
    (roles) => {
      expect(() => createPrincipal(identity, { roles } as unknown as PrincipalAttributes<object>)).toThrow(TypeError);
    },
  );
});
