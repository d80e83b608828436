import { jsonCodec, messagePackCodec, reasons, renderFrame, type ReasonName } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { text } from "../../test/connection-fixture.js";
import { closeMessage, dialects } from "./dialect.js";

describe("SignalR's dialects", () => {
  it("render an event whole: message, framing, WebSocket frame", () => {
    const message = { type: 1, target: "vitals", arguments: [{ heartRate: 80 }] } as const;
    expect(dialects.json.renderEvent("vitals", [{ heartRate: 80 }])).toEqual(
      renderFrame("text", jsonCodec.encode(message)),
    );
    expect(dialects.messagepack.renderEvent("vitals", [{ heartRate: 80 }])).toEqual(
      renderFrame("binary", messagePackCodec.encode(message)),
    );
  });

  it("refuse a value without a form, for the sender to hear", () => {
    const loop: unknown[] = [];
    loop.push(loop);
    for (const dialect of [dialects.json, dialects.messagepack])
      expect(() => dialect.renderEvent("e", [loop])).toThrow(TypeError);
    expect(() => dialects.json.renderEvent("e", [1n])).toThrow(TypeError);
  });

  it("have one keep-alive each: a ping", () => {
    expect(text((dialects.json.keepAlive ?? new Uint8Array(0)).subarray(2))).toBe('{"type":6}\x1e');
    expect([...(dialects.messagepack.keepAlive ?? new Uint8Array(0)).subarray(2)]).toEqual([2, 0x91, 6]);
  });

  it("close with the reason as error text, and let the client come back only where that can help", () => {
    for (const reason of Object.keys(reasons) as ReasonName[]) {
      const said = text(jsonCodec.encode(closeMessage(reason)));
      const json = JSON.parse(said.replace(/\x1e$/, "")) as Record<string, unknown>;
      expect(json["type"]).toBe(7);
      expect(json["allowReconnect"]).toBe(reasons[reason].allowReconnect ? true : undefined);
      if (reason === "normal") expect("error" in json).toBe(false);
      else expect(String(json["error"]).split(";")[0]).toBe(reason);
    }
  });
});
