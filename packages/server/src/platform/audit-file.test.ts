import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AuditRecord } from "../core/audit.js";
import type { EpochMs } from "../core/clock.js";
import { auditFile } from "./audit-file.js";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hubward-audit-"));
  path = join(folder, "audit.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

function recordOf(sequence: number): AuditRecord {
  return {
    sequence,
    run: "r",
    at: 0 as EpochMs,
    event: "connection.refused",
    connectionId: undefined,
    hub: "/hubs/ward",
    principal: undefined,
    remoteAddress: undefined,
    reason: "invalid_token",
    policy: undefined,
    method: undefined,
    groups: undefined,
    by: undefined,
    expiresAt: undefined,
    kind: undefined,
    target: undefined,
    matched: undefined,
    count: undefined,
  };
}

async function keep(...sequences: readonly number[]): Promise<void> {
  const audit = auditFile(path);
  for (const sequence of sequences) audit.record(recordOf(sequence));
  await audit.close();
  expect(audit.lost).toBe(0);
}

async function kept(): Promise<unknown[]> {
  const lines = (await readFile(path, "utf8")).split("\n");
  expect(lines.pop()).toBe("");
  return lines.map((line) => (JSON.parse(line) as AuditRecord).sequence);
}

describe("an audit in a file", () => {
  it("is for its owner alone, and appended to by the next run", async () => {
    await keep(1, 2);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await keep(1);
    expect(await kept()).toEqual([1, 2, 1]);
  });

  it("goes on behind what somebody has truncated in place", async () => {
    const audit = auditFile(path);
    audit.record(recordOf(1));
    await expect.poll(() => stat(path).then(({ size }) => size)).toBeGreaterThan(0);
    await writeFile(path, "");
    audit.record(recordOf(2));
    await audit.close();
    expect(await kept()).toEqual([2]);
  });

  it("begins a line of its own where the last run was ended in the middle of one", async () => {
    await keep(1);
    await writeFile(path, '{"sequence":2,"ru', { flag: "a" });
    await keep(1);
    const lines = (await readFile(path, "utf8")).split("\n");
    expect(lines).toEqual([expect.any(String), '{"sequence":2,"ru', expect.stringContaining('"sequence":1'), ""]);
  });

  it.runIf(process.platform !== "win32")("refuses a file that others may use", async () => {
    await writeFile(path, "");
    await chmod(path, 0o640);
    expect(() => auditFile(path)).toThrow("its mode must be 0600");
    await chmod(path, 0o602);
    expect(() => auditFile(path)).toThrow("its mode must be 0600");
  });

  it("refuses what is no file, and a folder that is not there", () => {
    expect(() => auditFile(folder)).toThrow();
    if (process.platform !== "win32") expect(() => auditFile("/dev/null")).toThrow("no file");
    expect(() => auditFile(join(folder, "none", "audit.jsonl"))).toThrow("ENOENT");
  });

  it("says that it has lost what is recorded after its end", async () => {
    const losses: string[] = [];
    const audit = auditFile(path, { onLoss: ({ message }) => losses.push(message) });
    await Promise.all([audit.close(), audit.close()]);
    audit.record(recordOf(1));
    expect([audit.lost, losses]).toEqual([1, ["the audit is closed"]]);
  });
});
