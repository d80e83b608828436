import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, hex, mutation, reasonOf, utf8 } from "../../test/arbitrary-messages.js";
import {
  encodeHandshakeRequest,
  encodeHandshakeResponse,
  handshakeErrors,
  judgeHandshake,
  readHandshakeRequest,
  readHandshakeResponse,
} from "./handshake.js";

interface StockHandshakeProtocol {
  writeHandshakeRequest(request: { protocol: string; version: number }): string;
  parseHandshakeResponse(data: string | ArrayBuffer): [string | ArrayBuffer | null, { error?: string }];
}

// Not exported from the stock client's entry, but it is what the client runs.
const { HandshakeProtocol } = createRequire(import.meta.url)("@microsoft/signalr/dist/cjs/HandshakeProtocol.js") as {
  HandshakeProtocol: new () => StockHandshakeProtocol;
};
const stock = new HandshakeProtocol();

describe("the request", () => {
  test("of a stock client is read", () => {
    const bytes = utf8(stock.writeHandshakeRequest({ protocol: "messagepack", version: 2 }));
    expect(readHandshakeRequest(bytes)).toEqual({
      message: { protocol: "messagepack", version: 2 },
      rest: new Uint8Array(0),
    });
  });

  test("is followed by messages, which are returned untouched", () => {
    const messages = hex("02 91 06 1e 1e ff");
    const read = readHandshakeRequest(concat(utf8('{"protocol":"messagepack","version":1}\x1e'), messages));
    expect(read?.rest).toEqual(messages);
  });

  test("is waited for until its separator arrives", () => {
    const bytes = encodeHandshakeRequest({ protocol: "json", version: 1 });
    for (let end = 0; end < bytes.length; end++) expect(readHandshakeRequest(bytes.subarray(0, end))).toBeUndefined();
    expect(readHandshakeRequest(bytes)?.message).toEqual({ protocol: "json", version: 1 });
  });

  test("may be 4096 bytes long, its messages not counted", () => {
    const request = (length: number): Uint8Array => utf8('{"protocol":"json","version":1}'.padEnd(length));
    const separator = hex("1e");
    expect(readHandshakeRequest(request(4096))).toBeUndefined();
    expect(readHandshakeRequest(concat(request(4096), separator, new Uint8Array(9000)))?.rest).toHaveLength(9000);
    expect(reasonOf(() => readHandshakeRequest(request(4097)))).toBe("message_too_big");
    expect(reasonOf(() => readHandshakeRequest(concat(request(4097), separator)))).toBe("message_too_big");
    expect(reasonOf(() => readHandshakeRequest(request(101), 100))).toBe("message_too_big");
    expect(readHandshakeRequest(request(100), 100)).toBeUndefined();
    // A hub with room for large messages does not give more to a handshake.
    expect(reasonOf(() => readHandshakeRequest(request(4097), 10_000))).toBe("message_too_big");
  });

  test.each([
    ["unknown members", '{"later":{},"version":1,"protocol":"json"}'],
    ["a byte beyond ASCII", '{"é":"é","version":1,"protocol":"json"}'],
  ])("may hold %s", (_name, text) => {
    expect(readHandshakeRequest(utf8(`${text}\x1e`))?.message).toEqual({ protocol: "json", version: 1 });
  });

  test.each([
    ["nothing", ""],
    ["no object", "[]"],
    ["a version that is missing", '{"protocol":"json"}'],
    ["a version that is text", '{"protocol":"json","version":"1"}'],
    ["a version with a fraction", '{"protocol":"json","version":1.5}'],
    ["a protocol that is a number", '{"protocol":1,"version":1}'],
    ["two protocols", '{"protocol":"json","version":1,"protocol":"messagepack"}'],
    ["the prototype's name", '{"protocol":"json","version":1,"__proto__":{}}'],
    ["broken JSON", '{"protocol":"json","version":1'],
  ])("is refused with %s", (_name, text) => {
    expect(reasonOf(() => readHandshakeRequest(utf8(`${text}\x1e`)))).toBe("bad_request");
  });

  test("is demanded where a hub message arrives instead", () => {
    expect(reasonOf(() => readHandshakeRequest(utf8('{"type":6}\x1e')))).toBe("handshake_required");
    expect(reasonOf(() => readHandshakeRequest(utf8("{}\x1e")))).toBe("handshake_required");
  });

  test("never fails in another way", () => {
    const valid = encodeHandshakeRequest({ protocol: "json", version: 1 });
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.uint8Array(), (mutations, noise) => {
        const reason = reasonOf(() => {
          readHandshakeRequest(mutations.reduce((bytes, mutate) => mutate(bytes), valid));
          readHandshakeRequest(noise);
          readHandshakeResponse(noise);
          readHandshakeResponse(concat(noise, hex("1e")));
        });
        expect([undefined, "bad_request", "handshake_required", "malformed_unicode", "too_deep"]).toContain(reason);
      }),
    );
  });
});

describe("the verdict", () => {
  test.each([
    ["json", 0],
    ["json", 1],
    ["json", 2],
    ["messagepack", 1],
    ["messagepack", 2],
  ])("on %s in version %i is yes", (protocol, version) => {
    expect(judgeHandshake({ protocol, version })).toEqual({ ok: true, protocol, version });
  });

  test("does not look at the case of the name, as .NET does not", () => {
    expect(judgeHandshake({ protocol: "MessagePack", version: 1 })).toEqual({
      ok: true,
      protocol: "messagepack",
      version: 1,
    });
  });

  test.each([
    ["blazorpack", 1, "The protocol 'blazorpack' is not supported."],
    ["", 1, "The protocol '?' is not supported."],
    ["toString", 1, "The protocol 'toString' is not supported."],
    ["a'\n<script>", 1, "The protocol '?' is not supported."],
    ["x".repeat(65), 1, "The protocol '?' is not supported."],
    ["json", 3, "The server does not support version 3 of the 'json' protocol."],
    ["messagepack", -1, "The server does not support version -1 of the 'messagepack' protocol."],
  ])("on %j in version %i is no, in .NET's words", (protocol, version, error) => {
    expect(judgeHandshake({ protocol, version })).toEqual({ ok: false, error });
  });

  test("on binary over a transport of text is no", () => {
    expect(judgeHandshake({ protocol: "messagepack", version: 1 }, ["text"])).toEqual({
      ok: false,
      error:
        "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format.",
    });
    expect(judgeHandshake({ protocol: "json", version: 1 }, ["text"]).ok).toBe(true);
    expect(judgeHandshake({ protocol: "json", version: 1 }, ["binary"])).toMatchObject({ ok: false });
  });
});

describe("the response", () => {
  test("is two braces and a separator when all is well", () => {
    expect(encodeHandshakeResponse()).toEqual(utf8("{}\x1e"));
  });

  test.each([undefined, handshakeErrors.canceled, 'quotes " and \x1e separators', "é"])(
    "with the error %j is read by the stock client and by ours",
    (error) => {
      const bytes = concat(encodeHandshakeResponse({ error }), utf8("rest"));
      const [rest, response] = stock.parseHandshakeResponse(new TextDecoder().decode(bytes));
      expect([rest, response.error]).toEqual(["rest", error]);
      expect(readHandshakeResponse(bytes)).toEqual({ message: { error }, rest: utf8("rest") });
    },
  );

  test("is read by the stock client from binary, with messages behind it", () => {
    const bytes = concat(encodeHandshakeResponse(), hex("02 91 06"));
    const [rest, response] = stock.parseHandshakeResponse(bytes.buffer as ArrayBuffer);
    expect(new Uint8Array(rest as ArrayBuffer)).toEqual(hex("02 91 06"));
    expect(response).toEqual({});
  });

  test.each([
    ["a hub message", '{"type":6}'],
    ["an error that is a number", '{"error":1}'],
    ["no object", "null"],
  ])("is refused when it is %s", (_name, text) => {
    expect(reasonOf(() => readHandshakeResponse(utf8(`${text}\x1e`)))).toBe("bad_request");
  });

  test("is waited for until its separator arrives", () => {
    expect(readHandshakeResponse(utf8("{}"))).toBeUndefined();
  });
});
