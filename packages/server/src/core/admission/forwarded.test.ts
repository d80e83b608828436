import { testAuthentication } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import type { Authentication } from "../auth/authentication.js";
import type { Authenticator, ForwardedAuthenticator } from "../auth/authenticator.js";
import type { BearerCredential, Credential, ForwardedHeaders } from "../auth/credential.js";
import { Secret } from "../auth/secret.js";
import { HubwardError } from "../errors.js";
import { authenticateCredential, authenticateForwarded, joinCredentials } from "./forwarded.js";

const bearerOf = (subject: string): BearerCredential => ({
  kind: "bearer",
  token: new Secret(subject),
  source: "header",
});
const forwardedBy = (subject: string): ForwardedHeaders => ({
  kind: "forwarded",
  headers: new Map([["x-subject", new Secret(subject)]]),
});

/** Tokens and headers are the subject's name; a bearer's tenant and its end can be set. */
function authenticatorOf(bearer: ForwardedAuthenticator["bearer"] | undefined, edgeEndsLater = 0): Authenticator {
  const authentication = (token: Secret | undefined, from: string, later = 0): Authentication => {
    if (token === undefined || token.reveal() === "nobody") throw new HubwardError("invalid_token");
    const base = testAuthentication({ subject: token.reveal(), claims: { from } });
    return Object.freeze({ ...base, expiresAt: (base.expiresAt + later) as Authentication["expiresAt"] });
  };
  const forwarded: ForwardedAuthenticator | undefined =
    bearer === undefined
      ? undefined
      : {
          headers: ["x-subject"],
          trustedOnly: true,
          bearer,
          authenticate: (headers) => authentication(headers.get("x-subject"), "edge", edgeEndsLater),
        };
  return { authenticate: ({ token }) => authentication(token, "bearer"), forwarded };
}

/** Who it is and by which of the two, or the reason of the refusal. */
async function outcome(authenticator: Authenticator, credential: Credential | undefined): Promise<string> {
  try {
    const { subject, claims } = await authenticateCredential(authenticator, credential!);
    return `${subject} by ${String(claims["from"])}`;
  } catch (error) {
    if (error instanceof HubwardError) return error.message.replace(/;action=[a-z-]+/, "");
    throw error;
  }
}

const nothingVerifies = "invalid_request: a bearer stands beside the gateway's identity, and nothing here verifies it";
const twoIdentities = "invalid_request: the bearer and the gateway name different identities";
const noGateway = "invalid_token: a bearer without the gateway's identity headers, which are required here";
const noBearer = "invalid_token: the gateway's identity headers without a bearer, which is required here";

describe("one request names one identity", () => {
  it.each<[ForwardedAuthenticator["bearer"] | undefined, string | undefined, string | undefined, string]>([
    [undefined, "anna", undefined, "anna by bearer"],
    ["refused", undefined, "anna", "anna by edge"],
    ["refused", "anna", undefined, noGateway],
    ["refused", "anna", "anna", nothingVerifies],
    ["required", "anna", "anna", "anna by bearer"],
    ["required", "anna", "berta", twoIdentities],
    ["required", "anna", undefined, noGateway],
    ["required", undefined, "anna", noBearer],
    ["required", "nobody", "anna", "invalid_token"],
    ["required", "anna", "nobody", "invalid_token"],
    ["optional", "anna", undefined, "anna by bearer"],
    ["optional", undefined, "anna", "anna by edge"],
    ["optional", "anna", "anna", "anna by bearer"],
    ["optional", "anna", "berta", twoIdentities],
    ["optional", "nobody", "anna", "invalid_token"],
  ])("bearer %s; token %s, headers %s: %s", async (mode, token, edge, expected) => {
    const credential = joinCredentials(
      token === undefined ? undefined : bearerOf(token),
      edge === undefined ? undefined : forwardedBy(edge),
    );
    expect(await outcome(authenticatorOf(mode), credential)).toBe(expected);
  });

  it("compares tenant and issuer, too", async () => {
    const authenticator = authenticatorOf("required");
    const elsewhere = testAuthentication({ subject: "anna", tenant: "other" });
    const credential = joinCredentials(bearerOf("anna"), forwardedBy("anna"));
    expect(await outcome({ ...authenticator, authenticate: () => elsewhere }, credential)).toBe(twoIdentities);
  });

  it.each([
    [-5_000, "the gateway's"],
    [5_000, "the bearer's"],
  ])("and ends with the sooner end of both: %i ms, %s", async (laterMs) => {
    const credential = joinCredentials(bearerOf("anna"), forwardedBy("anna"))!;
    const own = testAuthentication({ subject: "anna" });
    const both = await authenticateCredential(authenticatorOf("required", laterMs), credential);
    expect(both.expiresAt).toBe(own.expiresAt + Math.min(0, laterMs));
    expect(Object.isFrozen(both)).toBe(true);
  });
});

describe("headers that must not be believed", () => {
  it.each(["untrusted", "duplicate", "overflow"] as const)("are a 400, with a good bearer and without: %s", (why) => {
    for (const bearer of [undefined, bearerOf("anna")]) {
      expect(() => joinCredentials(bearer, { kind: "unbelievable", why })).toThrow(
        expect.objectContaining({ reason: "invalid_request" }),
      );
    }
  });

  it("never reach an authenticator that reads none", () => {
    const headers = new Map([["x-subject", new Secret("anna")]]);
    expect(() => authenticateForwarded(authenticatorOf(undefined), headers)).toThrow(TypeError);
  });
});

describe("two credentials that are both bad", () => {
  it("are one refusal, and leave no rejection that nobody hears", async () => {
    const unheard: unknown[] = [];
    const listen = (error: unknown): void => void unheard.push(error);
    process.on("unhandledRejection", listen);
    const authenticator: Authenticator = {
      authenticate: () => Promise.reject(new HubwardError("token_expired")),
      forwarded: {
        headers: ["x-subject"],
        trustedOnly: true,
        bearer: "required",
        authenticate() {
          throw new HubwardError("token_expired");
        },
      },
    };
    const both: Credential = { kind: "forwarded", headers: new Map(), bearer: bearerOf("ada") };
    const refused = (async () => authenticateCredential(authenticator, both))();
    await expect(refused).rejects.toMatchObject({ reason: "token_expired" });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", listen);
    expect(unheard).toEqual([]);
  });
});
