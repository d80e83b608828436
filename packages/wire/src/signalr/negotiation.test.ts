import { describe, expect, test } from "vitest";
import { allTransports, negotiateBody, parseNegotiateVersion } from "./negotiation.js";

describe("the version a client asks for", () => {
  test.each([
    [undefined, 0],
    ["0", 0],
    ["1", 1],
    ["2", 1],
    ["2147483647", 1],
    [" 1 ", 1],
    ["+1", 1],
    ["-0", 0],
    ["0001", 1],
  ])("%j is answered in version %i", (value, version) => {
    expect(parseNegotiateVersion(value)).toEqual({ ok: true, version });
  });

  test.each(["", " ", "abc", "1.0", "1e0", "0x1", "1,1", "--1", "2147483648", "-2147483648999", "9".repeat(21), "१"])(
    "%j is no integer, in .NET's words",
    (value) => {
      expect(parseNegotiateVersion(value)).toEqual({
        ok: false,
        error: "The client requested a non-integer protocol version.",
      });
    },
  );

  test("below the minimum is refused, in .NET's words", () => {
    const refused = (version: number): unknown => ({
      ok: false,
      error: `The client requested version '${version}', but the server does not support this version.`,
    });
    expect(parseNegotiateVersion("-1")).toEqual(refused(-1));
    expect(parseNegotiateVersion("0", 1)).toEqual(refused(0));
    expect(parseNegotiateVersion(undefined, 1)).toEqual(refused(0));
    expect(parseNegotiateVersion("1", 1)).toEqual({ ok: true, version: 1 });
  });
});

describe("the body", () => {
  const connection = { kind: "connection", connectionId: "public", availableTransports: allTransports } as const;
  const transports =
    '"availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]},' +
    '{"transport":"ServerSentEvents","transferFormats":["Text"]},' +
    '{"transport":"LongPolling","transferFormats":["Text","Binary"]}]';

  test("in version 1 has an id and a token", () => {
    expect(negotiateBody({ ...connection, negotiateVersion: 1, connectionToken: "secret" })).toBe(
      `{"negotiateVersion":1,"connectionId":"public","connectionToken":"secret",${transports}}`,
    );
  });

  test("in version 0 has no token, even where one is passed", () => {
    const response = { ...connection, negotiateVersion: 0, connectionToken: "secret" } as const;
    expect(negotiateBody(response)).toBe(`{"negotiateVersion":0,"connectionId":"public",${transports}}`);
  });

  test("has the fields of our own only when they are set", () => {
    const response = { ...connection, availableTransports: [], negotiateVersion: 1, connectionToken: "t" } as const;
    expect(
      negotiateBody({ ...response, accessToken: "ticket", tokenLifetimeSeconds: 90, useStatefulReconnect: true }),
    ).toBe(
      '{"negotiateVersion":1,"connectionId":"public","connectionToken":"t","availableTransports":[],' +
        '"accessToken":"ticket","tokenLifetimeSeconds":90,"useStatefulReconnect":true}',
    );
    expect(negotiateBody({ ...response, useStatefulReconnect: false })).not.toContain("useStatefulReconnect");
  });

  test("of a redirect and of an error has nothing else", () => {
    expect(negotiateBody({ kind: "redirect", url: "https://other.test/hub", accessToken: "t" })).toBe(
      '{"url":"https://other.test/hub","accessToken":"t"}',
    );
    expect(negotiateBody({ kind: "redirect", url: "https://other.test/hub" })).toBe('{"url":"https://other.test/hub"}');
    expect(negotiateBody({ kind: "error", error: "token_expired;action=refresh" })).toBe(
      '{"error":"token_expired;action=refresh"}',
    );
  });

  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "does not take %d for a lifetime",
    (tokenLifetimeSeconds) => {
      expect(() => negotiateBody({ ...connection, negotiateVersion: 0, tokenLifetimeSeconds })).toThrow(RangeError);
    },
  );
});
