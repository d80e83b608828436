import type { ConnectionId, TelemetryEvent } from "@hubward/server";
import { expect, test } from "vitest";
import { createLog } from "./log.js";

const lines: string[] = [];
const log = createLog({ write: (line: string) => lines.push(line) });

function written(action: () => void): Record<string, unknown> {
  lines.length = 0;
  action();
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? "") as Record<string, unknown>;
}

test("an attempt to connect is logged with who, as what and where", () => {
  const event = {
    event: "connection.opened",
    connectionId: "c1" as ConnectionId,
    hub: "/hubs/clinical",
    protocol: "json",
    principal: { tenant: "general", issuer: "i", subject: "nurse-er", roles: ["nurse"], sessionId: "s1" },
    remoteAddress: "127.0.0.1",
  } as TelemetryEvent;
  expect(written(() => log.telemetry(event))).toEqual({
    level: "info",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    event: "connection.opened",
    connectionId: "c1",
    hub: "/hubs/clinical",
    protocol: "json",
    tenant: "general",
    subject: "nurse-er",
    roles: ["nurse"],
    sessionId: "s1",
    remoteAddress: "127.0.0.1",
    msg: "connected",
  });
});

test("a refusal is a warning, a failure an error", () => {
  const refused = {
    event: "call.refused",
    connectionId: "c1",
    hub: "/h",
    method: "M",
    reason: "forbidden",
    policy: "P",
    subject: "s",
  };
  expect(written(() => log.telemetry(refused as TelemetryEvent))).toMatchObject({ level: "warn", policy: "P" });
  expect(written(() => log.failed("http", new Error("broken")))).toMatchObject({
    level: "error",
    where: "http",
    error: { name: "Error", message: "broken" },
  });
});

test("what no field is named for has no way in", () => {
  const event = {
    event: "connection.refused",
    hub: "/h",
    reason: "invalid_token",
    principal: { subject: "s", roles: [], claims: { planted: "secret-1" } },
    token: "secret-2",
  };
  written(() => log.telemetry(event as unknown as TelemetryEvent));
  expect(lines[0]).not.toContain("secret-");
  written(() => log.failed("x", Object.assign(new Error("broken"), { request: "secret-3" })));
  expect(lines[0]).not.toContain("secret-");
  written(() => log.failed("x", { message: "secret-4" }));
  expect(lines[0]).not.toContain("secret-");
});

test("what a peer chose cannot forge a line", () => {
  const refused = { reason: "invalid_credentials", subject: 'a\n{"level":"info"}', remoteAddress: "::1" } as const;
  expect(written(() => log.signInRefused(refused))).toMatchObject({ subject: 'a\n{"level":"info"}' });
});
