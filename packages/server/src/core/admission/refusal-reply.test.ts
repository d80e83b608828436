import { HubwardError, reasons, type ReasonName } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { MissingCredential, refusalReply, textReply, unauthenticatedReply } from "./refusal-reply.js";

describe("a refusal over HTTP", () => {
  it.each<[ReasonName, number, string]>([
    ["invalid_token", 401, "invalid_token;action=relogin"],
    ["token_expired", 401, "token_expired;action=refresh"],
    ["ticket_invalid", 401, "ticket_invalid;action=reconnect"],
    ["session_revoked", 401, "session_revoked;action=relogin"],
    ["forbidden", 403, "forbidden"],
    ["origin_denied", 403, "origin_denied;action=fix-request"],
    ["invalid_request", 400, "invalid_request;action=fix-request"],
    ["auth_unavailable", 503, "auth_unavailable;action=retry-after"],
    ["service_restart", 503, "service_restart;action=retry-after"],
    ["try_again_later", 503, "try_again_later;action=retry-after"],
    ["rate_limited", 429, "rate_limited;action=retry-after"],
    ["internal_error", 500, "internal_error;action=retry-after"],
    ["slow_consumer", 500, "slow_consumer;action=retry-after"],
  ])("%s is %i", (reason, status, text) => {
    const reply = refusalReply(new HubwardError(reason));
    expect([reply.status, JSON.parse(reply.body)]).toEqual([status, { error: text }]);
  });

  it("says, for every reason there is, what may be cached and how to authenticate or when to return", () => {
    for (const reason of Object.keys(reasons) as ReasonName[]) {
      const { status, headers } = refusalReply(new HubwardError(reason));
      expect(headers["cache-control"]).toBe("no-store");
      expect(headers["content-type"]).toBe("application/json; charset=utf-8");
      expect(headers["www-authenticate"]).toBe(status === 401 ? 'Bearer error="invalid_token"' : undefined);
      expect(headers["retry-after"]).toBe(status === 503 || status === 429 ? "1" : undefined);
    }
  });

  it.each([
    [0.2, "1"],
    [1, "1"],
    [1.5, "2"],
    [60, "60"],
  ])("that passes in %d s says Retry-After: %s, and the same in its body", (retryAfterSeconds, header) => {
    const { headers, body } = refusalReply(new HubwardError("try_again_later", { retryAfterSeconds }));
    expect(headers["retry-after"]).toBe(header);
    expect(body).toContain(`;retry_after=${header}`);
  });

  it("shows a policy's constant text and no cause", () => {
    const error = new HubwardError("forbidden", { detail: 'only "staff"', cause: new Error("secret") });
    expect(JSON.parse(refusalReply(error).body)).toEqual({ error: 'forbidden: only "staff"' });
  });

  it("of a missing credential is a bare challenge (RFC 6750 3.1)", () => {
    const reply = refusalReply(new MissingCredential());
    expect(reply).toBe(unauthenticatedReply);
    expect(reply).toEqual({
      status: 401,
      headers: { "cache-control": "no-store", "www-authenticate": "Bearer" },
      body: "",
    });
  });

  it("of a missing credential names the schemes that are taken", () => {
    const { headers } = refusalReply(new MissingCredential(undefined, 'DPoP algs="ES256"'));
    expect(headers).toEqual({ "cache-control": "no-store", "www-authenticate": 'DPoP algs="ES256"' });
  });

  it("of the transport's own is plain text that nobody may cache", () => {
    expect(textReply(405, "no", { allow: "POST" })).toEqual({
      status: 405,
      headers: { "cache-control": "no-store", "content-type": "text/plain", allow: "POST" },
      body: "no",
    });
  });
});
