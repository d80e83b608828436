import { describe, expect, it } from "vitest";
import type { HubwardOptions } from "./index.js";
import { hubwardDefaults, resolveOptions } from "./options.js";

const required: HubwardOptions = {
  authenticator: { authenticate: () => Promise.reject(new Error("nobody")) },
  principal: () => null,
};

describe("an application's options", () => {
  it("default to ASP.NET Core's own where it has one, to no page and to no JWT in the query", () => {
    const resolved = resolveOptions(required);
    expect(resolved).toMatchObject({
      allowedOrigins: new Set(),
      allowQueryToken: false,
      outbox: { maxBytes: 1_048_576, maxLagMs: 30_000 },
      times: {
        handshakeTimeoutMs: 15_000,
        clientTimeoutMs: 30_000,
        keepAliveMs: 15_000,
        graceMs: 10_000,
        claimsGraceMs: 70_000,
      },
      hub: { maxMessageBytes: 32_768, maxParallelInvocations: 1, maxUploadItems: 10, hasStatefulReconnect: false },
      maxGroupsPerConnection: 100,
    });
  });

  it("guard a sink that fails: what it is told about goes on", () => {
    const told: string[] = [];
    const { telemetry } = resolveOptions({
      ...required,
      telemetry: ({ event }) => {
        told.push(event);
        throw new Error("sink");
      },
    });
    telemetry({ event: "application.failed", where: "x", connectionId: undefined, error: "e" });
    expect(told).toEqual(["application.failed"]);
  });

  it("take what is set, fill in what is undefined, and leave the caller's object alone", () => {
    const options = Object.freeze({
      ...required,
      keepAliveMs: 1_000,
      clientTimeoutMs: undefined,
      allowedOrigins: ["https://a.example"],
    });
    const resolved = resolveOptions(options);
    expect(resolved.times).toEqual({
      handshakeTimeoutMs: 15_000,
      clientTimeoutMs: 30_000,
      keepAliveMs: 1_000,
      graceMs: 10_000,
      claimsGraceMs: 70_000,
    });
    expect(resolved.allowedOrigins).toEqual(new Set(["https://a.example"]));
  });

  it.each(
    [
      ...Object.keys(hubwardDefaults),
      "maxMessageBytes",
      "maxParallelInvocations",
      "maxStreams",
      "maxUploadItems",
      "maxReplayBytes",
    ].flatMap((name) => [0, -1, 1.5, Number.NaN, Infinity, "5"].map((value) => [name, value] as const)),
  )("refuse %s: %s, and name it", (name, value) => {
    expect(() => resolveOptions({ ...required, [name]: value })).toThrow(RangeError);
    expect(() => resolveOptions({ ...required, [name]: value })).toThrow(name);
  });

  it.each([
    [{ allowedOrigins: ["*"] }, RangeError],
    [{ transports: [] }, RangeError],
    [{ transports: ["ForeverFrame"] as never }, TypeError],
    [{ outbox: { maxBytes: 1 } }, RangeError],
    [{ authenticator: undefined }, TypeError],
    [{ authenticator: {} }, TypeError],
    [{ principal: undefined }, TypeError],
    [{ principal: { roles: [] } }, TypeError],
  ])("refuse %o", (wrong, kind) => {
    expect(() => resolveOptions({ ...required, ...wrong } as HubwardOptions)).toThrow(kind);
  });

  it("take a gateway beside required proofs only where the bearer is required, too", () => {
    const verifier = { isRequired: true, algorithms: [], nonce: () => undefined, verify: () => neverAsked() };
    const resolve = (bearer: "optional" | "required" | "refused") => {
      const forwarded = { headers: ["x-user"], trustedOnly: true, bearer, authenticate: () => neverAsked() };
      const authenticator = { ...required.authenticator, forwarded };
      return resolveOptions({ ...required, authenticator, dpop: verifier }).dpop;
    };
    expect(resolve("required")).toBe(verifier);
    expect(() => resolve("optional")).toThrow(TypeError);
    expect(() => resolve("refused")).toThrow(TypeError);
    for (const wrong of [true, "checked", {}, null])
      expect(() => resolveOptions({ ...required, dpop: wrong as never })).toThrow(TypeError);
  });
});

function neverAsked(): Promise<never> {
  return Promise.reject(new Error("nobody asks"));
}
