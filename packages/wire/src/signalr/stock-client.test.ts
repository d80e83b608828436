import { JsonHubProtocol, NullLogger } from "@microsoft/signalr";
import type { HubMessage as StockMessage } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hubMessage, jsonValue, utf8 } from "../../test/arbitrary-messages.js";
import { createBinaryReader, createTextReader } from "./framing.js";
import { jsonCodec } from "./json-codec.js";
import { messagePackCodec } from "./messagepack-codec.js";
import { decodeLimitDefaults } from "./messages.js";
import type { HubMessage } from "./messages.js";

/** Differential: the protocol classes of the unmodified client on the other side. */
const limits = { ...decodeLimitDefaults, maxBytes: 1e6, maxNodes: 1e6 };
const stockJson = new JsonHubProtocol();
const stockMessagePack = new MessagePackHubProtocol();

/** Our message as the stock client holds it. */
function toStock(message: HubMessage): StockMessage {
  if (message.type !== 3) return message as unknown as StockMessage;
  const { outcome, ...rest } = message;
  if (outcome.kind === "error") return { ...rest, error: outcome.error } as StockMessage;
  return (outcome.kind === "value" ? { ...rest, result: outcome.value } : rest) as StockMessage;
}

const readText = (framed: string): (HubMessage | undefined)[] =>
  createTextReader({ maxBytes: 1e6 })
    .read(utf8(framed))
    .map((body) => jsonCodec.decode(body, limits));

const readBinary = (framed: ArrayBuffer): (HubMessage | undefined)[] =>
  createBinaryReader({ maxBytes: 1e6 })
    .read(new Uint8Array(framed))
    .map((body) => messagePackCodec.decode(body, limits));

const parseText = (message: HubMessage): StockMessage[] =>
  stockJson.parseMessages(new TextDecoder().decode(jsonCodec.encode(message)), NullLogger.instance);

const parseBinary = (message: HubMessage): StockMessage[] =>
  stockMessagePack.parseMessages(Uint8Array.from(messagePackCodec.encode(message)).buffer, NullLogger.instance);

const messages = hubMessage(jsonValue);

describe("JSON", () => {
  test("what the stock client writes is read to the equal message", () => {
    fc.assert(
      fc.property(messages, (sent) => {
        expect(readText(stockJson.writeMessage(toStock(sent)))).toEqual([sent]);
      }),
    );
  });

  test("what is written here the stock client reads to the equal message, or ignores calls to a server", () => {
    fc.assert(
      fc.property(messages, (sent) => {
        expect(parseText(sent)).toEqual(sent.type === 4 || sent.type === 5 ? [] : [toStock(sent)]);
      }),
    );
  });
});

describe("MessagePack", () => {
  test("what the stock client writes is read to the equal message", () => {
    fc.assert(
      fc.property(messages, (sent) => {
        // The stock client leaves the contents of a Close out.
        const expected = sent.type === 7 ? { type: 7 } : sent;
        expect(readBinary(stockMessagePack.writeMessage(toStock(sent)))).toEqual([expected]);
      }),
    );
  });

  test("what is written here the stock client reads to the equal message, or ignores calls to a server", () => {
    fc.assert(
      fc.property(messages, (sent) => {
        const parsed = parseBinary(sent);
        // It fills in empty headers, always drops stream ids, and keeps nil for a missing error.
        const stock = toStock(sent) as unknown as Record<string, unknown>;
        const expected: Record<string, unknown> = { ...stock };
        if (sent.type <= 3) expected["headers"] = stock["headers"] ?? {};
        if (sent.type === 1) expected["streamIds"] = [];
        if (sent.type === 7) expected["error"] = stock["error"] ?? null;
        expect(parsed).toEqual(sent.type === 4 || sent.type === 5 ? [] : [expected]);
      }),
    );
  });

  test("bytes and times pass in both directions", () => {
    const item = { bytes: Uint8Array.of(1, 2, 255), times: [new Date(0), new Date(-1), new Date(1_700_000_000_123)] };
    expect(parseBinary({ type: 2, invocationId: "1", item })).toMatchObject([{ item }]);
    expect(readBinary(stockMessagePack.writeMessage({ type: 2, invocationId: "1", item }))).toMatchObject([{ item }]);
  });
});

describe("what a stock connection sends", () => {
  const both = (message: StockMessage): (HubMessage | undefined)[] => {
    const text = readText(stockJson.writeMessage(message));
    expect(readBinary(stockMessagePack.writeMessage(message))).toEqual(text);
    return text;
  };

  test("invoke, send and stream", () => {
    expect(both({ type: 1, target: "T", arguments: [1], invocationId: "0" })).toEqual([
      { type: 1, target: "T", arguments: [1], invocationId: "0" },
    ]);
    expect(both({ type: 1, target: "T", arguments: [] })).toEqual([{ type: 1, target: "T", arguments: [] }]);
    expect(both({ type: 4, target: "T", arguments: [], invocationId: "0", streamIds: ["1"] })).toEqual([
      { type: 4, target: "T", arguments: [], invocationId: "0", streamIds: ["1"] },
    ]);
  });

  test("undefined among the arguments", () => {
    expect(both({ type: 1, target: "T", arguments: [undefined, 1] })).toEqual([
      { type: 1, target: "T", arguments: [null, 1] },
    ]);
  });

  test("the end of an upload, whose result is undefined, is void", () => {
    expect(both({ type: 3, invocationId: "1", result: undefined })).toEqual([
      { type: 3, invocationId: "1", outcome: { kind: "void" } },
    ]);
  });

  test("a client result of null, and an error beside null", () => {
    expect(both({ type: 3, invocationId: "s1", result: null })).toEqual([
      { type: 3, invocationId: "s1", outcome: { kind: "value", value: null } },
    ]);
    expect(both({ type: 3, invocationId: "s1", error: "Client didn't provide a result." })).toEqual([
      { type: 3, invocationId: "s1", outcome: { kind: "error", error: "Client didn't provide a result." } },
    ]);
  });

  test("ping, stop, ack and sequence", () => {
    expect(both({ type: 6 })).toEqual([{ type: 6 }]);
    expect(both({ type: 7 })).toEqual([{ type: 7 }]);
    expect(both({ type: 8, sequenceId: 5_000_000_000 })).toEqual([{ type: 8, sequenceId: 5_000_000_000 }]);
    expect(both({ type: 9, sequenceId: 1 })).toEqual([{ type: 9, sequenceId: 1 }]);
  });
});
