import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { PolicyRefusal } from "../core/auth/policy.js";
import { HubError } from "../core/errors.js";
import { errorText, notInvoked, streamErrorText, type Failure } from "./error-text.js";

const method = "PlaceOrder";
const refused = (error: HubwardError): Failure => ({ kind: "refused", error, method });
const failed = (error: unknown): Failure => ({ kind: "failed", error, method });
const wrongMode = (isStream: boolean): Failure => ({ kind: "wrong-mode", method, isStream });
const wrongUploads: Failure = { kind: "wrong-uploads", method, sent: 2, expected: 0 };

describe("what a failed call says", () => {
  it.each<[string, Failure, boolean, string]>([
    [
      "HubException",
      failed(new HubError("No such patient.")),
      false,
      "An unexpected error occurred invoking 'PlaceOrder' on the server. HubException: No such patient.",
    ],
    [
      "any other error",
      failed(new Error("SELECT failed")),
      false,
      "An unexpected error occurred invoking 'PlaceOrder' on the server.",
    ],
    [
      "what is no error",
      failed("SELECT failed"),
      false,
      "An unexpected error occurred invoking 'PlaceOrder' on the server.",
    ],
    ["nothing", failed(undefined), false, "An unexpected error occurred invoking 'PlaceOrder' on the server."],
    [
      "a call that was cancelled before it began",
      { kind: "cancelled", method },
      false,
      "Failed to invoke 'placeorder' due to an error on the server.",
    ],
    [
      "bad arguments",
      refused(new HubwardError("bad_arguments")),
      false,
      "Failed to invoke 'placeorder' due to an error on the server.",
    ],
    [
      "an unknown method",
      refused(new HubwardError("method_not_found")),
      false,
      "Failed to invoke 'placeorder' due to an error on the server. HubException: Method does not exist.",
    ],
    [
      "a stream where there is none",
      wrongMode(false),
      false,
      "The client attempted to invoke the non-streaming 'PlaceOrder' method with a streaming invocation.",
    ],
    [
      "one answer where there is a stream",
      wrongMode(true),
      false,
      "The client attempted to invoke the streaming 'PlaceOrder' method with a non-streaming invocation.",
    ],
    [
      "streams nobody takes",
      wrongUploads,
      false,
      "An unexpected error occurred invoking 'PlaceOrder' on the server. HubException: Client sent 2 stream(s), Hub method expects 0.",
    ],
    [
      "any other error, where details are told",
      failed(new RangeError("SELECT failed")),
      true,
      "An unexpected error occurred invoking 'PlaceOrder' on the server. RangeError: SELECT failed",
    ],
    ["a refusal", refused(new PolicyRefusal("DoctorsOnly", undefined)), false, "forbidden"],
    [
      "a refusal with a text",
      refused(new PolicyRefusal("DoctorsOnly", "doctors only")),
      false,
      "forbidden: doctors only",
    ],
    ["an expired credential", refused(new HubwardError("token_expired")), false, "token_expired;action=refresh"],
    [
      "a policy that cannot say",
      refused(new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause: new Error("ldap") })),
      false,
      "auth_unavailable;action=retry-after;retry_after=1",
    ],
    [
      "a command that means two things",
      refused(new HubwardError("idempotency_conflict")),
      false,
      "idempotency_conflict;action=fix-request",
    ],
    [
      "the catalogue's words, thrown by a method",
      failed(new HubwardError("forbidden", { detail: "not your ward" })),
      false,
      "forbidden: not your ward",
    ],
  ])("%s", (_, outcome, hasDetails, expected) => {
    expect(errorText(outcome, "placeorder", hasDetails)).toBe(expected);
  });

  it("tells of a stream that broke off in .NET's other words", () => {
    const first = "An error occurred on the server while streaming results.";
    expect(streamErrorText(new Error("x"), false)).toBe(first);
    expect(streamErrorText(new HubError("No such patient."), false)).toBe(`${first} HubException: No such patient.`);
    expect(streamErrorText(new HubwardError("forbidden"), false)).toBe("forbidden");
  });

  it("names what could not be called as the caller wrote it", () => {
    expect(notInvoked("pLaCeOrDeR")).toBe("Failed to invoke 'pLaCeOrDeR' due to an error on the server.");
  });
});
