import { describe, expect, test } from "vitest";
import { createDpopKey } from "../../../../../../tests/support/dpop.js";
import { createFakeClock } from "../../../../../../tests/support/fake-clock.js";
import { Secret } from "../../../core/auth/secret.js";
import { dpop, dpopNonces, dpopReplays, type DpopOptions } from "../index.js";

const origin = "https://ward.example";
const token = "an.access.token";

async function setUp(options: Partial<DpopOptions> = {}) {
  const clock = createFakeClock();
  const key = await createDpopKey(clock);
  const verifier = dpop({ origins: origin, clock, ...options });
  return {
    clock,
    key,
    verifier,
    /** What comes of a proof for one address, shown at a path. */
    async shown(url: string, path: string, proof?: string): Promise<string> {
      const verdict = await verifier.verify({
        proof: new Secret(proof ?? (await key.prove({ url, token }))),
        method: "POST",
        path,
        accessToken: new Secret(token),
        keyThumbprint: key.jkt,
      });
      return verdict.kind === "refused" ? verdict.error : verdict.kind;
    },
  };
}

test.each([
  ["https://ward.example/hub/negotiate", "/hub/negotiate", "accepted"],
  ["https://ward.example/hub/negotiate?negotiateVersion=1", "/hub/negotiate", "accepted"],
  ["https://ward.example/hub/negotiate", "/h%75b/negotiate", "accepted"],
  ["https://ward.example:443/hub", "/hub", "accepted"],
  ["https://annex.example:8443/hub", "/hub", "accepted"],
  ["https://annex.example/hub", "/hub", "invalid_dpop_proof"],
  ["http://ward.example/hub", "/hub", "invalid_dpop_proof"],
  ["https://ward.example/hub/negotiate", "/hub/refresh", "invalid_dpop_proof"],
  ["https://ward.example/hub", "/hub%2F", "invalid_dpop_proof"],
  ["https://ward.example/", "/\\evil", "invalid_dpop_proof"],
  ["https://ward.example/", `/${"x".repeat(4096)}`, "invalid_dpop_proof"],
  ["https://evil.example/x", "//evil.example/x", "invalid_dpop_proof"],
])("a proof for %s shown at %s: %s", async (url, path, expected) => {
  const { shown } = await setUp({ origins: [origin, "https://annex.example:8443"] });
  expect(await shown(url, path)).toBe(expected);
});

test("a proof is good once, at whichever of the origins", async () => {
  const { key, shown } = await setUp({ origins: [origin, "https://annex.example"] });
  const proof = await key.prove({ url: `${origin}/hub`, token });
  expect(await shown("", "/hub", proof)).toBe("accepted");
  expect(await shown("", "/hub", proof)).toBe("invalid_dpop_proof");
});

test("a proof without end is not read, and a full memory is nobody's fault", async () => {
  const clock = createFakeClock();
  const { shown } = await setUp({ replays: dpopReplays({ maxProofs: 1, clock }) });
  expect(await shown("", "/hub", "a.".repeat(8000))).toBe("invalid_dpop_proof");
  expect(await shown(`${origin}/hub`, "/hub")).toBe("accepted");
  expect(await shown(`${origin}/hub`, "/hub")).toBe("unavailable");
});

test("nonces are asked for where there are any, and told", async () => {
  const clock = createFakeClock();
  const nonces = dpopNonces(new Uint8Array(32).fill(7), { clock });
  const { key, verifier, shown } = await setUp({ nonces });
  const url = `${origin}/hub`;
  expect(await shown(url, "/hub")).toBe("use_dpop_nonce");
  expect(await shown(url, "/hub", await key.prove({ url, token, nonce: verifier.nonce() }))).toBe("accepted");
  expect((await setUp()).verifier.nonce()).toBeUndefined();
});

describe("options", () => {
  test("that cannot be meant are refused", () => {
    for (const origins of [
      "",
      [],
      "ward.example",
      "https://ward.example/",
      "https://ward.example/hub",
      "wss://a.example",
    ])
      expect(() => dpop({ origins })).toThrow();
    expect(() => dpop({ origins: origin, algorithms: [] })).toThrow(RangeError);
    expect(() => dpop({ origins: origin, algorithms: ["HS256" as "ES256"] })).toThrow(RangeError);
  });

  test("say what is taken", () => {
    expect(dpop({ origins: origin })).toMatchObject({ isRequired: false, algorithms: ["ES256", "EdDSA", "RS256"] });
    const strict = dpop({ origins: origin, required: true, algorithms: ["EdDSA"] });
    expect(strict).toMatchObject({ isRequired: true, algorithms: ["EdDSA"] });
  });
});
