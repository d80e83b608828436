import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { requestOf } from "../../../test/http-fixture.js";
import { answerPreflight, isPreflight, shareWith } from "./cors.js";

const allowed = new Set(["https://ward.example"]);
const asking = { origin: "https://ward.example", "access-control-request-method": "POST" };

describe("a preflight", () => {
  it("is an OPTIONS that names an origin and a method", () => {
    expect(isPreflight(requestOf({ method: "OPTIONS", headers: asking }))).toBe(true);
    expect(isPreflight(requestOf({ method: "OPTIONS" }))).toBe(false);
    expect(isPreflight(requestOf({ method: "OPTIONS", headers: { origin: asking.origin } }))).toBe(false);
    expect(isPreflight(requestOf({ method: "POST", headers: asking }))).toBe(false);
  });

  it("allows what stock clients need, and is remembered for ten minutes", () => {
    expect(answerPreflight(requestOf({ method: "OPTIONS", headers: asking }), allowed)).toEqual({
      status: 204,
      headers: {
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-allow-headers": "authorization, content-type, x-requested-with, x-signalr-user-agent",
        "access-control-max-age": "600",
      },
      body: "",
    });
  });

  it("allows a proof where proofs are taken", () => {
    const answer = answerPreflight(requestOf({ method: "OPTIONS", headers: asking }), allowed, true);
    const headers = "authorization, content-type, x-requested-with, x-signalr-user-agent, dpop";
    expect(answer).toMatchObject({ headers: { "access-control-allow-headers": headers } });
  });

  it.each(["https://evil.example", "https://ward.example:8443", "http://ward.example", "null", "", "*"])(
    "of %j allows nothing",
    (origin) => {
      const answer = answerPreflight(requestOf({ method: "OPTIONS", headers: { ...asking, origin } }), allowed);
      expect(answer).toBeInstanceOf(HubwardError);
    },
  );
});

describe("an answer", () => {
  const reply = { status: 403, headers: { "cache-control": "no-store" }, body: "no" };

  it("is shared with a page of an allowed origin, credentials and all", () => {
    expect(shareWith(reply, requestOf({ headers: asking }), allowed)).toEqual({
      ...reply,
      headers: {
        "cache-control": "no-store",
        vary: "Origin",
        "access-control-allow-origin": "https://ward.example",
        "access-control-allow-credentials": "true",
      },
    });
  });

  it.each([{}, { origin: "https://evil.example" }, { origin: "" }])("to %j only says that it depends", (headers) => {
    expect(shareWith(reply, requestOf({ headers }), allowed).headers).toEqual({
      "cache-control": "no-store",
      vary: "Origin",
    });
  });
});
