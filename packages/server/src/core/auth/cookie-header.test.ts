import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCookie, takeCookies, type ReadCookie } from "./cookie-header.js";

const NAME = "__Host-access";

/** What was found, as text, and what is left. */
function take(header: string, names: readonly string[] = [NAME]): readonly unknown[] {
  const found = new Map<string, ReadCookie>();
  const rest = takeCookies(header, names, found);
  return [Object.fromEntries([...found].map(([name, cookie]) => [name, shown(cookie)])), rest];
}

const shown = (cookie: ReadCookie | undefined): unknown => (typeof cookie === "object" ? [cookie.reveal()] : cookie);

describe("a Cookie header", () => {
  it.each<[header: string, found: unknown, rest: string]>([
    ["__Host-access=eyJ.a.b", { [NAME]: ["eyJ.a.b"] }, ""],
    ["a=1; __Host-access=x; b=2", { [NAME]: ["x"] }, "a=1; b=2"],
    ["__Host-access=x; b=2", { [NAME]: ["x"] }, "b=2"],
    ["__Host-access = x ;b=2", { [NAME]: ["x"] }, "b=2"],
    ["__Host-access\t=\tx", { [NAME]: ["x"] }, ""],
    ["__Host-access=a=b", { [NAME]: ["a=b"] }, ""],
    ["__Host-access=%41", { [NAME]: ["%41"] }, ""],
    ["__Host-access=", { [NAME]: [""] }, ""],
    ["__Host-access=x; __Host-access=x", { [NAME]: "several" }, ""],
    ["__Host-access=; __Host-access=x", { [NAME]: "several" }, ""],
    ["__Host-access=x; a=1; __Host-access=y; __Host-access=z", { [NAME]: "several" }, "a=1"],
    ['__Host-access="x"', { [NAME]: "malformed" }, ""],
    ["__Host-access=a b", { [NAME]: "malformed" }, ""],
    ["__Host-access=a,b", { [NAME]: "malformed" }, ""],
    ["__Host-access=ä", { [NAME]: "malformed" }, ""],
    ["", {}, ""],
    ["a=1;;  b=2;", {}, "a=1;;  b=2;"],
    ["__Host-access", {}, "__Host-access"],
    ["=__Host-access=x", {}, "=__Host-access=x"],
    ["__host-access=x", {}, "__host-access=x"],
    ["x__Host-access=x", {}, "x__Host-access=x"],
    ["\u00a0__Host-access=x", {}, "\u00a0__Host-access=x"],
    ["a=__Host-access=x", {}, "a=__Host-access=x"],
  ])("%j", (header, found, rest) => {
    expect(take(header)).toEqual([found, rest]);
  });

  it("holds no value that a browser would not keep for its length", () => {
    const longest = "x".repeat(4_096);
    expect(take(`${NAME}=${longest}`)).toEqual([{ [NAME]: [longest] }, ""]);
    expect(take(`${NAME}=${longest}x`)).toEqual([{ [NAME]: "malformed" }, ""]);
  });

  it("gives up several names at once", () => {
    expect(take("a=1; b=2; c=3", ["a", "c"])).toEqual([{ a: ["1"], c: ["3"] }, "b=2"]);
  });

  it("is only read where nothing is to be taken", () => {
    expect(shown(readCookie("a=1; __Host-access=x", NAME))).toEqual(["x"]);
    expect(readCookie("a=1", NAME)).toBeUndefined();
  });

  it("does not print what it held", () => {
    const found = new Map<string, ReadCookie>();
    takeCookies(`${NAME}=hunter2`, [NAME], found);
    expect(JSON.stringify([...found])).not.toContain("hunter2");
  });

  it("keeps every other pair, in order, whatever stands around ours", () => {
    const other = fc.stringMatching(/^[a-z]{1,8}=[!-:<-~]{0,12}$/);
    fc.assert(
      fc.property(fc.array(other), fc.array(other), (before, after) => {
        const header = [...before, `${NAME}=secret`, ...after].join("; ");
        expect(take(header)).toEqual([{ [NAME]: ["secret"] }, [...before, ...after].join("; ")]);
      }),
    );
  });
});
