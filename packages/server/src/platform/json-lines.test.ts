import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConnectionId } from "../core/ids.js";
import { telemetryLevels, type TelemetryEvent } from "../core/telemetry.js";
import { jsonLines } from "./json-lines.js";

/** Writes events and returns what the sink got, one entry per write. */
async function written(...events: readonly TelemetryEvent[]): Promise<string[]> {
  const writes: string[] = [];
  const telemetry = jsonLines({ write: (text) => writes.push(text) });
  for (const event of events) telemetry(event);
  await new Promise((resolve) => setImmediate(resolve));
  return writes;
}

async function lineOf(event: TelemetryEvent): Promise<Record<string, unknown>> {
  const [text = ""] = await written(event);
  return JSON.parse(text) as Record<string, unknown>;
}

function failed(error: unknown): TelemetryEvent {
  return { event: "application.failed", where: "Order", connectionId: undefined, error };
}

function closed(subject: string): TelemetryEvent {
  return {
    event: "connection.closed",
    connectionId: "c1" as ConnectionId,
    hub: "/hubs/ward",
    reason: "normal",
    subject,
    ageMs: 1,
  };
}

describe("telemetry as JSON lines", () => {
  it("writes level, name, time and the event's own fields, once for all of a turn", async () => {
    const writes = await written(closed("ann"), failed("x"), closed("bob"));
    expect(writes).toHaveLength(1);
    const lines = (writes[0] ?? "").split("\n");
    expect(lines.pop()).toBe("");
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(parsed.map(({ level, event }) => [level, event])).toEqual([
      ["info", "connection.closed"],
      ["error", "application.failed"],
      ["info", "connection.closed"],
    ]);
    expect(parsed[0]).toMatchObject({
      connectionId: "c1",
      hub: "/hubs/ward",
      reason: "normal",
      subject: "ann",
      ageMs: 1,
    });
    expect(parsed[0]?.["time"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it("has a level for every event", () => {
    expect(telemetryLevels).toEqual({
      "connection.opened": "info",
      "connection.refused": "warning",
      "connection.closed": "info",
      "connection.lapsed": "info",
      "connection.restored": "info",
      "connection.reauthenticated": "info",
      "reauthentication.refused": "warning",
      "membership.joined": "info",
      "membership.left": "info",
      "membership.lost": "info",
      "revocation.applied": "info",
      "revocation.failed": "error",
      "revocation.unavailable": "error",
      "recheck.completed": "info",
      "connection.detached": "info",
      "connection.resumed": "info",
      "call.refused": "warning",
      "request.refused": "warning",
      "application.failed": "error",
    });
  });

  it("lets no peer forge a line or drive a terminal", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), async (subject) => {
        const [text = ""] = await written(closed(subject));
        expect(text.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(text.endsWith("\n")).toBe(true);
        expect(JSON.parse(text)).toMatchObject({ subject });
      }),
    );
    expect(await lineOf(closed("a\u009b31mb\u007f\u2028c"))).toMatchObject({ subject: "a\u009b31mb\u007f\u2028c" });
    expect((await written(closed("a\u009b31mb\u007f\u2028c")))[0]).toContain("a\\u009b31mb\\u007f\\u2028c");
    const [text = ""] = await written(closed('x"}\n{"level":"info","event":"forged'));
    expect(text.split("\n")).toHaveLength(2);
  });

  it("tells an error's name, message and stack, and nothing that hangs on it", async () => {
    class RequestError extends Error {
      override readonly name = "RequestError";
      readonly config = { headers: { authorization: "Bearer eyJsecret" } };
      toJSON(): unknown {
        return this.config;
      }
    }
    const error = new RequestError("502", { cause: { token: "eyJsecret" } });
    const [text = ""] = await written(failed(error));
    expect(text).not.toContain("eyJsecret");
    expect(JSON.parse(text)).toMatchObject({
      where: "Order",
      error: { name: "RequestError", message: "502", stack: expect.stringContaining("json-lines.test") as string },
    });
  });

  const loop: unknown[] = [];
  loop.push(loop);

  it.each<[string, unknown, unknown]>([
    ["text", "disk full", "disk full"],
    ["an object with secrets", { token: "eyJsecret" }, "a thrown object"],
    ["an object that writes itself", { toJSON: () => "eyJsecret" }, "a thrown object"],
    [
      "an object that throws when written",
      {
        toJSON: () => {
          throw new Error("x");
        },
      },
      "a thrown object",
    ],
    ["a big integer", 1n, "a thrown bigint"],
    ["a symbol", Symbol("eyJsecret"), "a thrown symbol"],
    ["a function", () => "eyJsecret", "a thrown function"],
    ["a list that holds itself", loop, "a thrown object"],
    ["null", null, "a thrown object"],
    ["nothing", undefined, "a thrown undefined"],
    [
      "an error whose message throws",
      Object.defineProperty(new Error("x"), "message", {
        get: () => {
          throw new Error("y");
        },
      }),
      "an error that cannot be described",
    ],
    ["an error whose message is a big integer", Object.assign(new Error("x"), { message: 1n }), { message: "1" }],
    [
      "an error without a stack",
      Object.assign(new Error("x"), { stack: undefined }),
      { message: "x", stack: "undefined" },
    ],
  ])("never throws, whatever was thrown: %s", async (_, error, expected) => {
    const line = await lineOf(failed(error));
    if (typeof expected === "string") expect(line["error"]).toBe(expected);
    else expect(line["error"]).toMatchObject(expected as object);
  });

  it("gives no more to a sink whose reader has stalled, and counts what it did not", async () => {
    const sink = { texts: [] as string[], writableLength: 0, write: (text: string) => sink.texts.push(text) };
    const telemetry = jsonLines(sink);
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    sink.writableLength = 1024 * 1024 + 1;
    for (let count = 0; count < 3; count++) telemetry(failed("lost"));
    await turn();
    expect(sink.texts).toEqual([]);
    sink.writableLength = 0;
    telemetry(failed("kept"));
    await turn();
    const lines = sink.texts.join("").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { error: "kept" },
      { event: "telemetry.dropped", count: 3 },
    ]);
  });

  it("keeps 10,000 lines of one turn, counts the rest, and starts over in the next", async () => {
    const writes: string[] = [];
    const telemetry = jsonLines({ write: (text) => writes.push(text) });
    for (let count = 0; count < 10_007; count++) telemetry(failed("x"));
    await new Promise((resolve) => setImmediate(resolve));
    const lines = (writes[0] ?? "").trimEnd().split("\n");
    expect(lines).toHaveLength(10_001);
    expect(JSON.parse(lines.at(-1) ?? "")).toEqual({ level: "warning", event: "telemetry.dropped", count: 7 });
    telemetry(failed("again"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(writes[1]?.trimEnd().split("\n")).toHaveLength(1);
  });
});
