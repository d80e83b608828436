/** `dpop()`: what an application checks the proofs of requests with (RFC 9449). */

import type { DpopVerifier } from "../../../core/auth/dpop.js";
import type { Clock } from "../../../core/clock.js";
import { systemClock } from "../../../platform/system-clock.js";
import type { Algorithm } from "../algorithms.js";
import { assertTexts } from "../option-checks.js";
import type { DpopNonces } from "./dpop-nonces.js";
import { dpopAlgorithms, verifyDpopProof } from "./dpop-proof.js";
import { dpopReplays, type DpopReplays } from "./dpop-replays.js";
import { normalizeTargetUri } from "./target-uri.js";

export interface DpopOptions {
  /**
   * Where clients reach this server: `"https://ward.example"`, exact, no path. Proofs name their request by it, because
   * a `Host` header says whatever its sender likes.
   */
  readonly origins: string | readonly string[];
  /** Whether tokens that are bound to no key are refused. Default false. */
  readonly required?: boolean | undefined;
  /** Proofs must hold a nonce of these: `dpopNonces(secret)`. Default: none is asked for. */
  readonly nonces?: DpopNonces | undefined;
  /** Where proofs are used up. Default: the memory of this process, `dpopReplays()`. */
  readonly replays?: DpopReplays | undefined;
  /** Default ES256, EdDSA and RS256. */
  readonly algorithms?: readonly Exclude<Algorithm, "HS256">[] | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** @throws TypeError for an origin that is none, or no algorithm; RangeError for one that could not be safe */
export function dpop(options: DpopOptions): DpopVerifier {
  const { required = false, nonces, algorithms = dpopAlgorithms, clock = systemClock } = options;
  const { replays = dpopReplays({ clock }) } = options;
  const origins = [options.origins].flat();
  assertTexts("dpop.origins", origins);
  for (const origin of origins) {
    if (normalizeTargetUri(origin) !== `${origin}/`)
      throw new TypeError(`dpop.origins: ${JSON.stringify(origin)} is not an origin such as "https://ward.example"`);
  }
  assertTexts("dpop.algorithms", algorithms);
  if (!algorithms.every((name) => dpopAlgorithms.includes(name)))
    throw new RangeError("dpop.algorithms: only ES256, EdDSA and RS256 are supported");
  return {
    isRequired: required,
    algorithms,
    nonce: () => nonces?.current(),
    verify({ proof, method, path, accessToken, keyThumbprint }) {
      const url = origins.map((origin) => origin + path);
      // It is the request's own, which may be no address at all.
      if (url.some((address) => normalizeTargetUri(address) === undefined))
        return { kind: "refused", error: "invalid_dpop_proof", why: "the address is another" };
      return verifyDpopProof({
        proof: proof.reveal(),
        method,
        url,
        accessToken: accessToken.reveal(),
        keyThumbprint,
        nonces,
        replays,
        algorithms,
        clock,
      });
    },
  };
}
