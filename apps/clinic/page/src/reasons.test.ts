import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFailure, readHttpFailure } from "./reasons.js";

/** The stock client's own wrapping, as version 10.0.11 writes it. */
const closed = (reason: string): Error => new Error(`Server returned an error on close: ${reason}`);
const negotiateFailed = (inner: string): Error => new Error(`Failed to complete negotiation with the server: ${inner}`);

describe("the four conditions are told apart", () => {
  it("an expired credential is refreshed", () => {
    expect(readFailure(closed("token_expired;action=refresh"))).toMatchObject({
      condition: "expired",
      name: "token_expired",
      text: "token_expired;action=refresh",
      isLost: true,
    });
  });

  it("a denied action is neither an expiry nor an outage", () => {
    expect(readFailure(new Error("forbidden: this ward needs a matching department"), "failed")).toMatchObject({
      condition: "denied",
      name: "forbidden",
      detail: "this ward needs a matching department",
      isLost: false,
    });
  });

  it("a service that cannot answer now says when to come back", () => {
    expect(readFailure(closed("auth_unavailable;action=retry-after;retry_after=7"))).toMatchObject({
      condition: "unavailable",
      name: "auth_unavailable",
      retryAfterSeconds: 7,
    });
  });

  it("an ended session needs a new sign-in", () => {
    expect(readFailure(closed("session_revoked;action=relogin"))).toMatchObject({
      condition: "relogin",
      name: "session_revoked",
    });
  });
});

describe("what the stock client wraps around a reason is taken off", () => {
  it("a negotiate that was refused carries the reason in its body", () => {
    const failure = readFailure(
      negotiateFailed(`Error: {"error":"service_restart;action=retry-after;retry_after=3"}: Status code '503'`),
    );
    expect(failure).toMatchObject({
      condition: "unavailable",
      name: "service_restart",
      retryAfterSeconds: 3,
      status: 503,
      text: "service_restart;action=retry-after;retry_after=3",
    });
  });

  it("a bare 401 at negotiate is a credential that was not accepted", () => {
    expect(readFailure(negotiateFailed("Error: Unauthorized: Status code '401'"))).toMatchObject({
      condition: "expired",
      name: undefined,
      status: 401,
    });
  });

  it("a 403 without a reason is a denial", () => {
    expect(readFailure(negotiateFailed("Error: Forbidden: Status code '403'")).condition).toBe("denied");
  });

  it("a 404, with the client's advice behind it, is a service that is not there now", () => {
    const advice = " Either this is not a SignalR endpoint or there is a proxy blocking the connection.";
    expect(readFailure(negotiateFailed(`Error: Not Found: Status code '404'${advice}`))).toMatchObject({
      condition: "unavailable",
      status: 404,
    });
  });

  it("what the page's own token function throws comes through negotiate unharmed", () => {
    expect(readFailure(negotiateFailed("Error: auth_unavailable;action=retry-after"))).toMatchObject({
      condition: "unavailable",
      name: "auth_unavailable",
    });
  });

  it("a socket closed without a hub Close gives its reason when it has one", () => {
    expect(
      readFailure(new Error("WebSocket closed with status code: 4401 (token_expired;action=refresh).")),
    ).toMatchObject({ condition: "expired", name: "token_expired", isLost: true });
    expect(readFailure(new Error("WebSocket closed with status code: 1006 (no reason given)."))).toMatchObject({
      condition: "unavailable",
      name: undefined,
      isLost: true,
    });
  });

  it("an error of a call that lost its connection says so", () => {
    for (const text of [
      "Invocation canceled due to the underlying connection being closed.",
      "Cannot send data if the connection is not in the 'Connected' State.",
      "Server timeout elapsed without receiving a message from the server.",
    ]) {
      expect(readFailure(new Error(text), "failed"), text).toMatchObject({ condition: "unavailable", isLost: true });
    }
    expect(readFailure(undefined)).toMatchObject({ condition: "unavailable", isLost: true, text: "" });
  });

  it("a refusal an application throws keeps its words without .NET's sentence", () => {
    expect(
      readFailure(
        new Error(
          "An unexpected error occurred invoking 'OrderMedication' on the server. HubException: no such patient",
        ),
        "failed",
      ),
    ).toMatchObject({ condition: "denied", detail: "no such patient", name: undefined });
  });

  it("an error the server hides is a failure of the request, not a denial", () => {
    expect(
      readFailure(new Error("An unexpected error occurred invoking 'OrderMedication' on the server."), "failed"),
    ).toMatchObject({ condition: "failed", detail: undefined });
  });
});

describe("the grammar", () => {
  it("an unknown name is understood by its action", () => {
    expect(readFailure(new Error("brand_new_reason;action=relogin")).condition).toBe("relogin");
    expect(readFailure(new Error("brand_new_reason;action=fix-request")).condition).toBe("failed");
  });

  it("a correlation id between the parameters and the text is no obstacle", () => {
    expect(readFailure(new Error("internal_error;action=retry-after;id=a1-b2: try later"), "failed")).toMatchObject({
      condition: "unavailable",
      name: "internal_error",
      detail: "try later",
    });
  });

  it("a lone word that is no reason stays a text", () => {
    expect(readFailure(new Error("oops: it broke"), "failed")).toMatchObject({ condition: "failed", name: undefined });
  });

  it("a reason later in a text is not one", () => {
    expect(readFailure(new Error("he said forbidden: x"), "failed").name).toBeUndefined();
  });

  it("a credential that cannot be verified is refreshed before a new sign-in is asked for", () => {
    expect(readFailure(closed("invalid_token;action=relogin")).condition).toBe("expired");
  });

  it("a waiting time is bounded by a day", () => {
    expect(readFailure(new Error("rate_limited;action=retry-after;retry_after=999999")).retryAfterSeconds).toBe(86_400);
  });

  it("any text is read without an exception, and always into a condition", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom("", "Server returned an error on close: ", "Error: {"),
        (text, prefix) => {
          const { condition } = readFailure(new Error(prefix + text));
          expect(["denied", "expired", "unavailable", "relogin", "failed"]).toContain(condition);
        },
      ),
    );
  });
});

describe("an HTTP refusal", () => {
  it("is read from its body first and its status second", () => {
    expect(readHttpFailure(401, `{"error":"session_revoked;action=relogin"}`).condition).toBe("relogin");
    expect(readHttpFailure(503, "<html>gateway</html>")).toMatchObject({ condition: "unavailable", text: "HTTP 503" });
    expect(readHttpFailure(403, "").condition).toBe("denied");
  });

  it("takes the waiting time of the header where the body names none", () => {
    expect(readHttpFailure(429, `{"error":"rate_limited;action=retry-after"}`, 9).retryAfterSeconds).toBe(9);
    expect(readHttpFailure(429, `{"error":"rate_limited;action=retry-after;retry_after=4"}`, 9).retryAfterSeconds).toBe(
      4,
    );
  });

  it("keeps a plain error name as text", () => {
    expect(readHttpFailure(401, `{"error":"invalid_credentials"}`).text).toBe("invalid_credentials");
  });
});
