import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { PolicyRefusal } from "../core/auth/policy.js";
import type { Outcome } from "../core/dispatch/dispatcher.js";
import { HubError } from "../core/errors.js";
import { errorText, notInvoked } from "./error-text.js";

const method = "PlaceOrder";
const refused = (error: HubwardError): Outcome => ({ kind: "refused", error, method });
const failed = (error: unknown): Outcome => ({ kind: "failed", error, method });
const wrongMode: Outcome = { kind: "wrong-mode", method };

describe("what a failed call says", () => {
  it.each<[string, Outcome, number, string]>([
    [
      "HubException",
      failed(new HubError("No such patient.")),
      0,
      "An unexpected error occurred invoking 'placeorder' on the server. HubException: No such patient.",
    ],
    [
      "any other error",
      failed(new Error("SELECT failed")),
      0,
      "An unexpected error occurred invoking 'placeorder' on the server.",
    ],
    [
      "what is no error",
      failed("SELECT failed"),
      0,
      "An unexpected error occurred invoking 'placeorder' on the server.",
    ],
    ["nothing", failed(undefined), 0, "An unexpected error occurred invoking 'placeorder' on the server."],
    [
      "bad arguments",
      refused(new HubwardError("bad_arguments")),
      0,
      "Failed to invoke 'placeorder' due to an error on the server.",
    ],
    [
      "an unknown method",
      refused(new HubwardError("method_not_found")),
      0,
      "Failed to invoke 'placeorder' due to an error on the server. HubException: Method does not exist.",
    ],
    [
      "a stream where there is none",
      wrongMode,
      0,
      "The client attempted to invoke the non-streaming 'placeorder' method with a streaming invocation.",
    ],
    ["streams nobody takes", wrongMode, 2, "Client sent 2 stream(s), Hub method expects 0."],
    ["a refusal", refused(new PolicyRefusal("DoctorsOnly", undefined)), 0, "forbidden"],
    ["a refusal with a text", refused(new PolicyRefusal("DoctorsOnly", "doctors only")), 0, "forbidden: doctors only"],
    ["an expired credential", refused(new HubwardError("token_expired")), 0, "token_expired;action=refresh"],
    [
      "a policy that cannot say",
      refused(new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause: new Error("ldap") })),
      0,
      "auth_unavailable;action=retry-after;retry_after=1",
    ],
    [
      "a command that means two things",
      refused(new HubwardError("idempotency_conflict")),
      0,
      "idempotency_conflict;action=fix-request",
    ],
    [
      "the catalogue's words, thrown by a method",
      failed(new HubwardError("forbidden", { detail: "not your ward" })),
      0,
      "forbidden: not your ward",
    ],
  ])("%s", (_, outcome, uploads, expected) => {
    if (outcome.kind === "value") throw new TypeError("a failure");
    expect(errorText(outcome, "placeorder", uploads)).toBe(expected);
  });

  it("names the method as the caller wrote it", () => {
    expect(notInvoked("pLaCeOrDeR")).toBe("Failed to invoke 'pLaCeOrDeR' due to an error on the server.");
  });
});
