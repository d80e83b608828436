/** What the tests of both receivers of an issuer's events share: the issuer, its tokens' key and its requests. */

import { generateKeyPairSync } from "node:crypto";
import { inspect } from "node:util";
import { HubwardError } from "@hubward/wire";
import { expect } from "vitest";
import { createFakeClock, type FakeClock } from "../../../tests/support/fake-clock.js";
import { createSigner, type Signer } from "../../../tests/providers/support/signer.js";
import { localJwks, publicKey, type KeySource } from "../src/adapters/jose/index.js";

export const issuer = "https://issuer.example/";

export interface EventSetting {
  readonly clock: FakeClock;
  readonly signer: Signer;
  /** When it was made: seconds since 1970, as in tokens. */
  readonly nowSeconds: number;
  /** What `onFailure` was told. */
  readonly failures: Error[];
}

/** The issuer at work, and the options with which a receiver believes it. */
export function createEventSetting(audience: string) {
  const clock = createFakeClock();
  const signer = createSigner("key-1", { issuer, audience, clock });
  const failures: Error[] = [];
  const setting: EventSetting = { clock, signer, nowSeconds: clock.now() / 1000, failures };
  const options = {
    issuer,
    audience,
    keys: localJwks({ keys: [signer.jwk] }),
    onFailure: (error: Error) => void failures.push(error),
    clock,
  };
  return { setting, options };
}

/** Builds POST requests to one address. */
export function postsTo(url: string, usual: Readonly<Record<string, string>>) {
  return (body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Request =>
    new Request(url, { method: "POST", body, headers: { ...usual, ...headers } });
}

/** The body of an answer, which nobody may keep. */
export async function bodyOf(response: Response): Promise<string> {
  expect(response.headers.get("cache-control")).toBe("no-store");
  return response.text();
}

/** A callback that goes on until it is told to finish. */
export function heldCallback<T>() {
  const called: T[] = [];
  let tell!: () => void;
  let finish!: () => void;
  const firstCall = new Promise<void>((resolve) => (tell = resolve));
  const finished = new Promise<void>((resolve) => (finish = resolve));
  return {
    called,
    callback: (value: T): Promise<void> => {
      called.push(value);
      tell();
      return finished;
    },
    firstCall,
    finish,
  };
}

/** Keys that cannot be had for seven seconds. */
export const unavailableKeys: KeySource = {
  algorithms: ["ES256"],
  find: () => Promise.reject(new HubwardError("auth_unavailable", { retryAfterSeconds: 7 })),
  holds: () => false,
};

/** Keys of somebody, for options that are never used. */
export const someKeys: KeySource = publicKey(generateKeyPairSync("ed25519").publicKey);

/** Neither a token nor the claim `hunter2` stands in it. */
export function expectNothingSecret(told: unknown): void {
  expect(inspect(told, { depth: 9 })).not.toMatch(/hunter2|eyJ/);
}
