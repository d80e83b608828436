import { testAuthentication } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { admissionOf } from "../../test/connection-fixture.js";
import { hasClaim, hasRole } from "./rules.js";

describe("the rule by role", () => {
  it("allows who has one of the roles, to the letter", () => {
    const rule = hasRole("doctor", "nurse");
    expect(rule(admissionOf({ roles: ["nurse"] }))).toBe(true);
    for (const roles of [[], ["admin"], ["Nurse"], ["nurse "]]) expect(rule(admissionOf({ roles }))).toBe(false);
  });

  it("of no role is a mistake", () => {
    expect(() => hasRole()).toThrow(TypeError);
  });
});

describe("the rule by claim", () => {
  const claims = { scope: "a b", groups: ["icu", 7], admin: true, off: false, none: null, zero: 0, empty: "" };
  const context = { ...admissionOf(), authentication: testAuthentication({ claims }) };

  it.each<[string, readonly unknown[], boolean]>([
    ["groups", ["er", "icu"], true],
    ["groups", [7], true],
    ["groups", ["7"], false],
    ["groups", [], true],
    ["scope", ["a b"], true],
    ["scope", ["a"], false],
    ["admin", [], true],
    ["admin", ["true"], false],
    ["off", [], false],
    ["none", [], false],
    ["zero", [], true],
    ["empty", [], true],
    ["missing", [], false],
    ["missing", [undefined], false],
    ["toString", [], false],
    ["constructor", [], false],
    ["__proto__", [], false],
  ])("%s of %j: %s", (name, values, expected) => {
    expect(hasClaim(name, ...values)(context)).toBe(expected);
  });
});
