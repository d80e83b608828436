import { encodeHandshakeRequest, HubwardError, renderFrame } from "@hubward/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, text } from "../../test/connection-fixture.js";
import { dialects } from "./dialect.js";
import { HandshakeReader, type HandshakeDone } from "./handshake.js";

const request = encodeHandshakeRequest({ protocol: "json", version: 1 });

/** Cuts bytes at the given places. */
function split(data: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (data.length + 1)))].sort((a, b) => a - b);
  return [...places, data.length].map((end, index) => data.slice(index === 0 ? 0 : places[index - 1], end));
}

function frame(kind: "text" | "binary", value: string): string {
  return text(renderFrame(kind, bytes(value)));
}

describe("reading the handshake", () => {
  it("takes it however it is cut, reusing no buffer of the socket's, and hands on what stands behind it", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("json", "messagepack", "JSON"),
        fc.array(fc.nat(200), { maxLength: 6 }),
        fc.uint8Array({ maxLength: 40 }),
        (protocol, cuts, behind) => {
          const data = Uint8Array.from([...encodeHandshakeRequest({ protocol, version: 1 }), ...behind]);
          const reader = new HandshakeReader();
          let done: HandshakeDone | undefined;
          const rest: number[] = [];
          for (const chunk of split(data, cuts)) {
            if (done === undefined) {
              done = reader.read(chunk);
              if (done !== undefined) rest.push(...done.rest);
              // A socket may use its buffer again as soon as it was read.
              else chunk.fill(0);
            } else {
              rest.push(...chunk);
            }
          }
          expect(done?.dialect.name).toBe(protocol.toLowerCase());
          expect(rest).toEqual([...behind]);
        },
      ),
    );
  });

  it.each([
    ["json", "text"],
    ["messagepack", "binary"],
  ] as const)("answers %s in a %s frame, and speaks it from then on", (protocol, kind) => {
    const done = new HandshakeReader().read(encodeHandshakeRequest({ protocol, version: 1 }));
    expect(text(done?.reply ?? new Uint8Array())).toBe(frame(kind, "{}\x1e"));
    expect(done?.dialect).toBe(dialects[protocol]);
  });

  it.each<[string, string, string, string]>([
    [
      "another protocol",
      '{"protocol":"bson","version":1}\x1e',
      "protocol_not_supported",
      "The protocol 'bson' is not supported.",
    ],
    [
      "a later version",
      '{"protocol":"json","version":3}\x1e',
      "protocol_not_supported",
      "The server does not support version 3 of the 'json' protocol.",
    ],
    ["no JSON", "GET / HTTP/1.1\x1e", "bad_request", "An unexpected error occurred during connection handshake."],
    [
      "a call",
      '{"type":1,"target":"Order","arguments":[]}\x1e',
      "handshake_required",
      "An unexpected error occurred during connection handshake.",
    ],
    ["nothing", "\x1e", "bad_request", "An unexpected error occurred during connection handshake."],
    ["too much", "x".repeat(4_097), "message_too_big", "Handshake was canceled."],
  ])("refuses %s and says so in .NET's words", (_, sent, reason, words) => {
    const reader = new HandshakeReader();
    expect(() => reader.read(bytes(sent))).toThrow(expect.objectContaining({ name: "HubwardError", reason }));
    expect(text(reader.refusal())).toBe(frame("text", `${JSON.stringify({ error: words })}\x1e`));
  });

  it("says that it was canceled to someone who never finished", () => {
    const reader = new HandshakeReader();
    expect(reader.read(request.subarray(0, 5))).toBeUndefined();
    expect(text(reader.refusal())).toBe(frame("text", '{"error":"Handshake was canceled."}\x1e'));
  });

  it("gives up on bytes that come drop by drop and never end", () => {
    const reader = new HandshakeReader();
    const drip = (): void => {
      for (let count = 0; count < 5_000; count++) reader.read(bytes("x"));
    };
    expect(drip).toThrow(HubwardError);
  });
});
