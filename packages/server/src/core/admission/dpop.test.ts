import { testAuthentication } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import type { Authenticator, ForwardedAuthenticator } from "../auth/authenticator.js";
import type { BearerCredential } from "../auth/credential.js";
import type { DpopPolicy, DpopPresentation, DpopQuestion, DpopVerdict, DpopVerifier } from "../auth/dpop.js";
import { Secret } from "../auth/secret.js";
import { HubwardError } from "../errors.js";
import { challengeOf, demandProofs } from "./dpop.js";
import { authenticateCredential } from "./forwarded.js";
import { refusalReply } from "./refusal-reply.js";

/** A token reads `subject` or `subject@key`, and so does what a gateway says. */
const authentication = (token: Secret | undefined) => {
  const [subject = "", keyThumbprint] = (token?.reveal() ?? "").split("@");
  if (subject === "nobody") throw new HubwardError("invalid_token");
  if (subject === "late") throw new HubwardError("token_expired");
  if (subject === "unlucky") throw new HubwardError("auth_unavailable");
  return testAuthentication({ subject, keyThumbprint });
};
const authenticator: Authenticator = { authenticate: ({ token }) => authentication(token) };

/** A proof is good when it reads `by-<key>`. */
function verifierOf(change: Partial<DpopVerifier> = {}): DpopVerifier {
  return {
    isRequired: false,
    algorithms: ["ES256", "EdDSA"],
    nonce: () => undefined,
    verify({ proof }): DpopVerdict {
      const text = proof.reveal();
      if (text === "unlucky") return { kind: "unavailable" };
      if (text === "stale") return { kind: "refused", error: "use_dpop_nonce", why: "stale" };
      if (!text.startsWith("by-")) return { kind: "refused", error: "invalid_dpop_proof", why: "spoilt" };
      return { kind: "accepted", keyThumbprint: text.slice(3) };
    },
    ...change,
  };
}

/** `proof`: undefined for the Bearer scheme, null for DPoP without one. */
function credentialOf(
  token: string,
  proof?: string | null,
  { source = "header", ...rest }: Partial<DpopPresentation> & Pick<Partial<BearerCredential>, "source"> = {},
): BearerCredential {
  const dpop = {
    proof: typeof proof !== "string" ? undefined : new Secret(proof),
    method: "POST",
    path: "/hub",
    ...rest,
  };
  return { kind: "bearer", token: new Secret(token), source, dpop: proof === undefined ? undefined : dpop };
}

async function outcomeOf(policy: DpopPolicy, credential: BearerCredential): Promise<string> {
  try {
    return (await demandProofs(authenticator, policy).authenticate(credential)).subject;
  } catch (error) {
    if (!(error instanceof HubwardError)) throw error;
    const challenge = refusalReply(error).headers["www-authenticate"];
    return challenge === undefined ? error.reason : `${error.reason}: ${challenge}`;
  }
}

const plain = verifierOf();
const required: DpopVerifier = { ...plain, isRequired: true };
const algs = 'algs="ES256 EdDSA"';
const invalidToken = `invalid_token: DPoP error="invalid_token", ${algs}`;
const untold = 'invalid_token: DPoP error="invalid_token"';
const invalidProof = `invalid_dpop_proof: DPoP error="invalid_dpop_proof", ${algs}`;

describe("a token and what stood beside it", () => {
  it.each<[string, DpopPolicy, BearerCredential, string]>([
    // Nobody checks proofs.
    ["off: an unbound bearer", undefined, credentialOf("ann"), "ann"],
    ["off: a bound bearer", undefined, credentialOf("ann@k"), untold],
    ["off: a bound token with a proof", undefined, credentialOf("ann@k", "by-k"), untold],
    ["off: an unbound token with a proof", undefined, credentialOf("ann", "by-k"), untold],
    // Proofs are checked here.
    ["on: an unbound bearer", plain, credentialOf("ann"), "ann"],
    ["on: a bound bearer", plain, credentialOf("ann@k"), invalidToken],
    ["on: a bound bearer in a query", plain, credentialOf("ann@k", undefined, { source: "query" }), invalidToken],
    ["on: a bound bearer in a cookie", plain, credentialOf("ann@k", undefined, { source: "cookie" }), invalidToken],
    ["on: a bound bearer in band", plain, credentialOf("ann@k", undefined, { source: "message" }), invalidToken],
    ["on: with its proof", plain, credentialOf("ann@k", "by-k"), "ann"],
    ["on: with its proof, in band", plain, credentialOf("ann@k", "by-k", { source: "message" }), "ann"],
    ["on: without a proof", plain, credentialOf("ann@k", null), invalidProof],
    ["on: with another key's proof", plain, credentialOf("ann@k", "by-other"), invalidProof],
    ["on: with a spoilt proof", plain, credentialOf("ann@k", "x"), invalidProof],
    [
      "on: with a stale nonce",
      plain,
      credentialOf("ann@k", "stale"),
      `use_dpop_nonce: DPoP error="use_dpop_nonce", ${algs}`,
    ],
    ["on: when nobody knows", plain, credentialOf("ann@k", "unlucky"), "auth_unavailable"],
    ["on: with two proofs", plain, credentialOf("ann@k", "by-k, by-k"), "invalid_request"],
    ["on: two proofs beside no good token", plain, credentialOf("nobody", "by-k,by-k"), "invalid_request"],
    ["on: an unbound token with a proof", plain, credentialOf("ann", "by-k"), invalidToken],
    ["on: where the method is not known", plain, credentialOf("ann@k", "by-k", { method: undefined }), invalidProof],
    ["on: where the path is not known", plain, credentialOf("ann@k", "by-k", { path: undefined }), invalidProof],
    ["on: a forged token with a proof", plain, credentialOf("nobody", "by-k"), invalidToken],
    ["on: a forged bearer", plain, credentialOf("nobody"), 'invalid_token: Bearer error="invalid_token"'],
    [
      "on: an old token with a proof",
      plain,
      credentialOf("late", "by-k"),
      invalidToken.replace("invalid_token", "token_expired"),
    ],
    ["on: with a proof when no key is to be had", plain, credentialOf("unlucky", "by-k"), "auth_unavailable"],
    // Nothing else is taken.
    ["required: an unbound bearer", required, credentialOf("ann"), invalidToken],
    ["required: an unbound cookie", required, credentialOf("ann", undefined, { source: "cookie" }), invalidToken],
    ["required: with its proof", required, credentialOf("ann@k", "by-k"), "ann"],
    // A gateway has checked it.
    ["upstream: an unbound bearer", "checked-upstream", credentialOf("ann"), "ann"],
    ["upstream: a bound bearer", "checked-upstream", credentialOf("ann@k"), "ann"],
    ["upstream: with the proof left in", "checked-upstream", credentialOf("ann@k", "whatever"), "ann"],
    ["upstream: an unbound token with a proof", "checked-upstream", credentialOf("ann", "by-k"), untold],
    ["upstream: in a query", "checked-upstream", credentialOf("ann@k", undefined, { source: "query" }), untold],
    ["upstream: in a cookie", "checked-upstream", credentialOf("ann@k", undefined, { source: "cookie" }), untold],
    ["upstream: in band", "checked-upstream", credentialOf("ann@k", "by-k", { source: "message" }), untold],
  ])("%s", async (_, policy, credential, expected) => {
    expect(await outcomeOf(policy, credential)).toBe(expected);
  });

  it("is asked about with its own method, path, token and key, and once for one presentation", async () => {
    const asked: DpopQuestion[] = [];
    const verify: DpopVerifier["verify"] = (question) => (asked.push(question), plain.verify(question));
    const asking = demandProofs(authenticator, verifierOf({ verify }));
    const credential = credentialOf("ann@k", "by-k", { method: "GET", path: "/hub/%41" });
    await asking.authenticate(credential);
    await asking.authenticate(credential);
    expect(asked.map(({ accessToken, proof, ...rest }) => [accessToken.reveal(), proof.reveal(), rest])).toEqual([
      ["ann@k", "by-k", { method: "GET", path: "/hub/%41", keyThumbprint: "k" }],
    ]);
    await asking.authenticate(credentialOf("ann@k", "by-k"));
    expect(asked).toHaveLength(2);
  });

  it("is told the nonce with whatever is refused, and of nothing that prints", async () => {
    const policy = verifierOf({ nonce: () => "n-1" });
    const refused = demandProofs(authenticator, policy).authenticate(credentialOf("ann@key-of-ann", null));
    const error = await Promise.resolve(refused).catch((thrown: unknown) => thrown);
    if (!(error instanceof HubwardError)) throw new TypeError("nothing was refused");
    const reply = refusalReply(error);
    expect(reply).toMatchObject({ status: 401, headers: { "dpop-nonce": "n-1", "cache-control": "no-store" } });
    expect(JSON.parse(reply.body)).toEqual({ error: "invalid_dpop_proof;action=fix-request: the proof is missing" });
    expect(JSON.stringify(reply)).not.toContain("key-of-ann");
  });

  it("is not believed because an answer is late or odd", async () => {
    const odd: Authenticator = {
      // A thenable of somebody's own, not a Promise.
      authenticate: () =>
        ({ then: (give: (value: unknown) => void) => give(testAuthentication({ keyThumbprint: "k" })) }) as never,
    };
    await expect(demandProofs(odd, undefined).authenticate(credentialOf("x"))).rejects.toMatchObject({
      reason: "invalid_token",
    });
    const failing = verifierOf({ verify: () => Promise.reject(new Error("down")) });
    await expect(demandProofs(authenticator, failing).authenticate(credentialOf("a@k", "p"))).rejects.toThrow("down");
  });
});

describe("what a gateway forwards", () => {
  const forwarded: ForwardedAuthenticator = {
    headers: ["x-token"],
    trustedOnly: true,
    bearer: "optional",
    authenticate: (headers) => authentication(headers.get("x-token")),
  };
  const both = { ...authenticator, forwarded };
  const ask = async (policy: DpopPolicy, edge: string, bearer?: BearerCredential): Promise<string> => {
    try {
      const headers = new Map([["x-token", new Secret(edge)]]);
      return (await authenticateCredential(demandProofs(both, policy), { kind: "forwarded", headers, bearer })).subject;
    } catch (error) {
      return error instanceof HubwardError ? error.reason : String(error);
    }
  };

  it.each<[string, DpopPolicy, string, BearerCredential | undefined, string]>([
    ["an unbound one", undefined, "ann", undefined, "ann"],
    ["a bound one", undefined, "ann@k", undefined, "invalid_token"],
    ["a bound one, where proofs are checked here", plain, "ann@k", undefined, "invalid_token"],
    ["a bound one that it has checked", "checked-upstream", "ann@k", undefined, "ann"],
    ["beside a bound bearer", plain, "ann", credentialOf("ann@k"), "invalid_token"],
    ["beside a bound bearer and its proof", plain, "ann", credentialOf("ann@k", "by-k"), "ann"],
    ["a bound one beside an unbound bearer", plain, "ann@k", credentialOf("ann"), "invalid_token"],
  ])("%s", async (_, policy, edge, bearer, expected) => {
    expect(await ask(policy, edge, bearer)).toBe(expected);
  });
});

it.each<[DpopPolicy, string]>([
  [undefined, "Bearer"],
  ["checked-upstream", "Bearer"],
  [plain, `Bearer, DPoP ${algs}`],
  [required, `DPoP ${algs}`],
])("who presents nothing is told the schemes that are taken: %#", (policy, challenge) => {
  expect(challengeOf(policy)).toBe(challenge);
});
