import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AuditRecord } from "../core/audit.js";
import type { EpochMs } from "../core/clock.js";
import type { ConnectionId } from "../core/ids.js";
import { auditLines, type AuditLinesOptions, type AuditWritable } from "./audit-lines.js";

function recordOf(sequence: number, subject = "ann"): AuditRecord {
  return {
    sequence,
    run: "r",
    at: 1_000 as EpochMs,
    event: "connection.closed",
    connectionId: "c1" as ConnectionId,
    hub: "/hubs/ward",
    principal: { tenant: "t", issuer: "i", subject, roles: [], sessionId: "s", tokenId: "j" },
    remoteAddress: "192.0.2.1",
    reason: "normal",
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

/** A writable that takes what it is given when it is told to. */
function createHeldSink(options: AuditLinesOptions = {}) {
  const writes: { readonly text: string; readonly done: (error?: Error | null) => void }[] = [];
  const losses: string[] = [];
  const writable: AuditWritable = { write: (text, done) => void writes.push({ text, done }) };
  const audit = auditLines(writable, { onLoss: (error) => losses.push(error.message), ...options });
  return { audit, writes, losses };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const parse = (text: string | undefined): Record<string, unknown>[] =>
  (text ?? "")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("an audit as JSON lines", () => {
  it("writes the records of a turn together, in order, each with its own time", async () => {
    const { audit, writes } = createHeldSink();
    for (const sequence of [1, 2]) audit.record(recordOf(sequence));
    expect(writes).toEqual([]);
    await turn();
    expect(writes).toHaveLength(1);
    expect(parse(writes[0]?.text)).toEqual([
      {
        sequence: 1,
        run: "r",
        time: "1970-01-01T00:00:01.000Z",
        event: "connection.closed",
        connectionId: "c1",
        hub: "/hubs/ward",
        principal: { tenant: "t", issuer: "i", subject: "ann", roles: [], sessionId: "s", tokenId: "j" },
        remoteAddress: "192.0.2.1",
        reason: "normal",
      },
      expect.objectContaining({ sequence: 2 }),
    ]);
  });

  it("asks for one write at a time", async () => {
    const { audit, writes } = createHeldSink();
    audit.record(recordOf(1));
    await turn();
    audit.record(recordOf(2));
    await turn();
    expect(writes).toHaveLength(1);
    writes[0]?.done();
    await turn();
    expect(parse(writes[1]?.text)).toEqual([expect.objectContaining({ sequence: 2 })]);
  });

  it("loses what does not fit behind a writable that stalls, counts it, and says so in its place", async () => {
    const { audit, writes, losses } = createHeldSink({ maxWaiting: 1_000 });
    audit.record(recordOf(1));
    await turn();
    for (let sequence = 2; sequence <= 50; sequence++) audit.record(recordOf(sequence));
    const kept = 50 - audit.lost;
    expect(kept).toBeLessThan(10);
    expect(losses).toEqual(["more records wait than may"]);

    writes[0]?.done();
    await turn();
    const [loss, ...rest] = parse(writes[1]?.text);
    expect(loss).toMatchObject({ event: "audit.lost", count: audit.lost });
    expect(rest.map(({ sequence }) => sequence)).toEqual(Array.from({ length: kept - 1 }, (_, index) => index + 2));

    // Said once: what follows is whole again.
    writes[1]?.done();
    audit.record(recordOf(51));
    await turn();
    expect(parse(writes[2]?.text).map(({ event }) => event)).toEqual(["connection.closed"]);
    expect(losses).toHaveLength(1);
  });

  it("counts the records of a write that failed, and says so as soon as one succeeds", async () => {
    const { audit, writes, losses } = createHeldSink();
    for (const sequence of [1, 2]) audit.record(recordOf(sequence));
    await turn();
    writes[0]?.done(new Error("ENOSPC"));
    expect([audit.lost, losses]).toEqual([2, ["ENOSPC"]]);
    audit.record(recordOf(3));
    await turn();
    writes[1]?.done(new Error("ENOSPC"));
    audit.record(recordOf(4));
    await turn();
    expect(parse(writes[2]?.text)).toEqual([
      expect.objectContaining({ event: "audit.lost", count: 3 }),
      expect.objectContaining({ sequence: 4 }),
    ]);
    expect(losses).toHaveLength(1);
  });

  it("takes a writable that throws for one that failed", async () => {
    const losses: unknown[] = [];
    const writable: AuditWritable = {
      write() {
        throw new Error("write after end");
      },
    };
    const audit = auditLines(writable, { onLoss: (error) => losses.push(error) });
    audit.record(recordOf(1));
    await turn();
    expect(audit.lost).toBe(1);
    expect(losses).toEqual([expect.objectContaining({ message: "write after end" })]);
  });

  it("closes when all is written, and loses what comes later", async () => {
    const { audit, writes } = createHeldSink();
    audit.record(recordOf(1));
    const order: string[] = [];
    const closing = audit.close().then(() => order.push("closed"));
    await turn();
    order.push("written");
    writes[0]?.done();
    await closing;
    expect(order).toEqual(["written", "closed"]);
    audit.record(recordOf(2));
    await turn();
    expect([audit.lost, writes.length]).toEqual([1, 1]);
    await audit.close();
  });

  it("lets no peer forge a record", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), async (subject) => {
        const { audit, writes } = createHeldSink();
        audit.record(recordOf(1, subject));
        await turn();
        const text = writes[0]?.text ?? "";
        expect(text.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(parse(text)).toEqual([expect.objectContaining({ principal: expect.objectContaining({ subject }) })]);
      }),
    );
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses room for %s units", (maxWaiting) => {
    expect(() => createHeldSink({ maxWaiting })).toThrow("auditLines.maxWaiting");
  });
});
