import { createFakeClock, createSeededRandom, testAuthentication } from "@hubward/testing";
import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { deferred, type Deferred } from "../../../test/hub-fixture.js";
import type { Admitter } from "../admission/admission.js";
import type { Authentication } from "../auth/authentication.js";
import type { BearerCredential } from "../auth/credential.js";
import type { Admission } from "../auth/policy.js";
import { Secret } from "../auth/secret.js";
import { limitPending } from "./pending-admissions.js";

const CREDENTIAL: BearerCredential = { kind: "bearer", token: new Secret("t"), source: "header" };
const WHO = testAuthentication({});

function createBench(max: number) {
  const clock = createFakeClock();
  const verifying: Deferred<Authentication>[] = [];
  const mapping = deferred<Admission<string>>();
  const slow: Admitter<string> = {
    challenge: "Bearer",
    asked: 7,
    authenticate() {
      const answer = deferred<Authentication>();
      verifying.push(answer);
      return answer.promise;
    },
    authenticateForwarded: () => Promise.resolve(WHO),
    identify: () => mapping.promise,
    authorize: () => Promise.resolve(),
    refusal: () => new HubwardError("session_revoked"),
  };
  const limited = limitPending(slow, { clock, random: createSeededRandom(1), max });
  const reasonOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => "in",
      (error: unknown) => (error instanceof HubwardError ? error.reason : String(error)),
    );
  return { clock, verifying, mapping, limited, reasonOf };
}

describe("pending admissions", () => {
  it("over their number are told to try again later, before anything is verified", async () => {
    const { limited, verifying, reasonOf } = createBench(2);
    const first = [limited.authenticate(CREDENTIAL), limited.authenticate(CREDENTIAL)];
    expect(await reasonOf(limited.authenticate(CREDENTIAL))).toBe("try_again_later");
    expect(await reasonOf(limited.authenticateForwarded(new Map()))).toBe("try_again_later");
    expect(verifying).toHaveLength(2);
    verifying[0]?.resolve(WHO);
    expect(await first[0]).toBe(WHO);
    const next = reasonOf(limited.authenticate(CREDENTIAL));
    verifying[1]?.reject(new HubwardError("invalid_token"));
    expect(await reasonOf(first[1] as Promise<unknown>)).toBe("invalid_token");
    verifying[2]?.resolve(WHO);
    expect(await next).toBe("in");
  });

  it("count while the mapping and the policies are asked, but nobody is turned away there", async () => {
    const { limited, mapping, reasonOf } = createBench(1);
    const [one, other] = [reasonOf(limited.identify(WHO)), reasonOf(limited.identify(WHO))];
    expect(await reasonOf(limited.authenticate(CREDENTIAL))).toBe("try_again_later");
    mapping.resolve({} as Admission<string>);
    expect(await Promise.all([one, other])).toEqual(["in", "in"]);
    expect(await reasonOf(limited.authenticateForwarded(new Map()))).toBe("in");
    expect(await reasonOf(limited.authorize({} as Admission<string>, [], []))).toBe("in");
  });

  it("come back within one to five seconds, apart, and are told of once a second", async () => {
    const { limited, clock } = createBench(1);
    void limited.authenticate(CREDENTIAL);
    const refusal = async (): Promise<{ readonly retryAfterSeconds: number; readonly isTold: boolean }> =>
      limited.authenticate(CREDENTIAL).then(
        () => ({ retryAfterSeconds: 0, isTold: false }),
        (error: unknown) => error as { readonly retryAfterSeconds: number; readonly isTold: boolean },
      );
    const all = [await refusal(), await refusal(), await refusal()];
    for (const { retryAfterSeconds } of all) {
      expect(retryAfterSeconds).toBeGreaterThanOrEqual(1);
      expect(retryAfterSeconds).toBeLessThanOrEqual(5);
    }
    expect(new Set(all.map(({ retryAfterSeconds }) => retryAfterSeconds)).size).toBe(3);
    clock.advance(1_000);
    expect([...all, await refusal()].map(({ isTold }) => isTold)).toEqual([true, false, false, true]);
  });

  it("are otherwise what they were", () => {
    const { limited } = createBench(1);
    expect([limited.challenge, limited.asked, limited.refusal(WHO)?.reason]).toEqual(["Bearer", 7, "session_revoked"]);
  });
});
