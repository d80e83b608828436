import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatReason, HubwardError, isReasonName, parseReason, reasons } from "./reasons.js";
import type { ReasonName } from "./reasons.js";
import { isSendableCloseCode } from "./websocket/frame.js";

const names = Object.keys(reasons) as ReasonName[];

describe("the catalogue", () => {
  test.each(names)("%s fits into a close frame and is read back", (name) => {
    const text = formatReason(name, { retryAfterSeconds: 86_400 });
    expect(text).toMatch(/^[\x20-\x7e]{1,123}$/);
    expect(parseReason(text)).toEqual({ name, action: reasons[name].action, retryAfterSeconds: 86_400 });
    expect(parseReason(formatReason(name))).toEqual({
      name,
      action: reasons[name].action,
      retryAfterSeconds: undefined,
    });
  });

  test.each(names)("%s closes with a code that may be sent, or never closes", (name) => {
    const { closeCode } = reasons[name];
    expect(closeCode === null || isSendableCloseCode(closeCode)).toBe(true);
  });

  test.each(names)("%s forbids reconnecting only where reconnecting cannot help", (name) => {
    const { closeCode, action, allowReconnect } = reasons[name];
    const pointless = action === "none" || action === "fix-request" || action === "relogin";
    if (closeCode !== null) expect(allowReconnect).toBe(!pointless);
  });

  test("names of Object.prototype are no reasons", () => {
    expect(["toString", "constructor", "__proto__", "hasOwnProperty"].some(isReasonName)).toBe(false);
    expect(parseReason("constructor")).toBeUndefined();
  });
});

describe("formatReason", () => {
  test("writes name, action and seconds", () => {
    expect(formatReason("token_expired")).toBe("token_expired;action=refresh");
    expect(formatReason("normal")).toBe("normal");
    expect(formatReason("rate_limited", { retryAfterSeconds: 2.1 })).toBe(
      "rate_limited;action=retry-after;retry_after=3",
    );
  });

  test("keeps seconds between one and a day, and leaves out what is no number", () => {
    expect(formatReason("normal", { retryAfterSeconds: -5 })).toBe("normal;retry_after=1");
    expect(formatReason("normal", { retryAfterSeconds: 1e9 })).toBe("normal;retry_after=86400");
    expect(formatReason("normal", { retryAfterSeconds: Number.NaN })).toBe("normal");
    expect(formatReason("normal", { retryAfterSeconds: Number.POSITIVE_INFINITY })).toBe("normal");
  });
});

describe("parseReason", () => {
  test("reads a reason in front of a text for people", () => {
    expect(parseReason("forbidden: this ward needs a department")?.name).toBe("forbidden");
    expect(parseReason("internal_error;action=retry-after;id=a-1: sorry")?.name).toBe("internal_error");
  });

  test.each([
    "",
    "no_such_reason",
    "forbidden this",
    " forbidden",
    "An unexpected error occurred. forbidden: x",
    "forbidden;retry_after=1234567",
    "forbidden\n",
  ])("finds none in %j", (text) => {
    expect(parseReason(text)).toBeUndefined();
  });

  test("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => parseReason(text) === undefined || names.some((n) => text.startsWith(n))),
    );
  });
});

describe("HubwardError", () => {
  test("says the reason, the text for people and the cause", () => {
    const cause = new Error("inner");
    const error = new HubwardError("auth_unavailable", { detail: "try later", retryAfterSeconds: 5, cause });
    expect(error.message).toBe("auth_unavailable;action=retry-after;retry_after=5: try later");
    expect(error).toMatchObject({ name: "HubwardError", reason: "auth_unavailable", retryAfterSeconds: 5, cause });
    expect(error).toBeInstanceOf(Error);
    expect(Object.hasOwn(new HubwardError("normal"), "cause")).toBe(false);
  });
});
