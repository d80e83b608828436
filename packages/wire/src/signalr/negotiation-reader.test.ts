import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { reasonOf } from "../../test/arbitrary-messages.js";
import { allTransports, negotiateBody } from "./negotiation.js";
import type { NegotiateResponse } from "./negotiation.js";
import { parseNegotiateResponse } from "./negotiation-reader.js";

const filled = fc.string({ unit: "binary", minLength: 1 });
const maybe = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined });
const shared = {
  kind: fc.constant("connection" as const),
  connectionId: filled,
  availableTransports: fc.subarray([...allTransports]),
  accessToken: maybe(filled),
  tokenLifetimeSeconds: maybe(fc.maxSafeNat()),
  useStatefulReconnect: fc.boolean(),
};
const responses: fc.Arbitrary<NegotiateResponse> = fc.oneof(
  fc.record({ ...shared, negotiateVersion: fc.constant(0 as const) }),
  fc.record({ ...shared, negotiateVersion: fc.constant(1 as const), connectionToken: filled }),
  fc.record({ kind: fc.constant("redirect" as const), url: filled, accessToken: maybe(filled) }),
  fc.record({ kind: fc.constant("error" as const), error: filled }),
);

test("what the server writes is read back", () => {
  fc.assert(
    fc.property(responses, (response) => {
      expect(parseNegotiateResponse(negotiateBody(response))).toEqual(response);
    }),
  );
});

test("a body of .NET is read", () => {
  const body =
    '{"negotiateVersion":1,"connectionId":"807809a5","connectionToken":"05265228","availableTransports":' +
    '[{"transport":"WebSockets","transferFormats":["Text","Binary"]}]}';
  expect(parseNegotiateResponse(body)).toEqual({
    kind: "connection",
    negotiateVersion: 1,
    connectionId: "807809a5",
    connectionToken: "05265228",
    availableTransports: [{ transport: "WebSockets", transferFormats: ["Text", "Binary"] }],
    useStatefulReconnect: false,
  });
});

test("without a version it is version 0; empty texts are absent", () => {
  const body = '{"connectionId":"a","url":"","error":"","accessToken":null,"availableTransports":[]}';
  expect(parseNegotiateResponse(body)).toMatchObject({ kind: "connection", negotiateVersion: 0, connectionId: "a" });
});

test("an error counts before everything else, a url before a connection", () => {
  expect(parseNegotiateResponse('{"error":"e","url":"u"}')).toEqual({ kind: "error", error: "e" });
  expect(parseNegotiateResponse('{"url":"u","connectionId":1}')).toEqual({ kind: "redirect", url: "u" });
});

test("transports, formats and fields of later versions are passed over", () => {
  const body =
    '{"connectionId":"a","later":1,"availableTransports":' +
    '[{"transport":"WebTransport","transferFormats":["Binary"]},{"transport":"LongPolling","transferFormats":["Text","New"]}]}';
  expect(parseNegotiateResponse(body)).toMatchObject({
    availableTransports: [{ transport: "LongPolling", transferFormats: ["Text"] }],
  });
});

describe("refused", () => {
  const transports = '"availableTransports":[]';

  test.each([
    ["no JSON", "<html>"],
    ["no object", "[]"],
    ["ASP.NET SignalR", `{"ProtocolVersion":"1.5","connectionId":"a",${transports}}`],
    ["no connection id", `{${transports}}`],
    ["no transports", '{"connectionId":"a"}'],
    ["no token in version 1", `{"negotiateVersion":1,"connectionId":"a",${transports}}`],
    ["a version nobody asked for", `{"negotiateVersion":2,"connectionId":"a","connectionToken":"b",${transports}}`],
    ["an id that is a number", `{"connectionId":1,${transports}}`],
    ["an error that is a number", '{"error":1}'],
    ["a url that is a list", '{"url":[]}'],
    ["a transport without a name", '{"connectionId":"a","availableTransports":[{"transferFormats":[]}]}'],
    ["a transport that is text", '{"connectionId":"a","availableTransports":["WebSockets"]}'],
    ["a transport without formats", '{"connectionId":"a","availableTransports":[{"transport":"WebSockets"}]}'],
    ["a lifetime that is text", `{"connectionId":"a","tokenLifetimeSeconds":"90",${transports}}`],
    ["a lifetime below zero", `{"connectionId":"a","tokenLifetimeSeconds":-1,${transports}}`],
    ["useStatefulReconnect that is text", `{"connectionId":"a","useStatefulReconnect":"true",${transports}}`],
    ["a field written twice", `{"connectionId":"a","connectionId":"b",${transports}}`],
  ])("%s", (_name, body) => {
    expect(reasonOf(() => parseNegotiateResponse(body))).toBe("bad_request");
  });

  test("a body of more than 64 KiB", () => {
    expect(reasonOf(() => parseNegotiateResponse(`{"error":"${"x".repeat(65_536)}"}`))).toBe("message_too_big");
  });

  test("any text, in no other way", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (body) => {
        expect([undefined, "bad_request", "too_deep"]).toContain(reasonOf(() => parseNegotiateResponse(body)));
      }),
    );
  });
});
