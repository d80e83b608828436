/** Commands of stock clients to a hub that is killed in the middle: real processes, SIGKILL, the same file again. */

import { HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import { describe, expect, it, onTestFinished } from "vitest";
import { engines, newPath, start, type Child } from "../test/fixture.js";

interface Pharmacy {
  readonly child: Child;
  readonly connection: HubConnection;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

describe.each(engines)("a hub killed, on %s,", (engine) => {
  async function run(path: string): Promise<Pharmacy> {
    const child = start("pharmacy.mjs", engine, path);
    const { port } = JSON.parse(await child.line()) as { port: number };
    const connection = new HubConnectionBuilder()
      .configureLogging(LogLevel.None)
      .withUrl(`http://127.0.0.1:${port}/hubs/orders`, { accessTokenFactory: () => "nurse-7" })
      .build();
    onTestFinished(() => connection.stop());
    await connection.start();
    return { child, connection };
  }

  /** Sends a command that stops in the middle, and kills the hub there. */
  async function killIn(where: "begun" | "placed", method: string, path: string): Promise<void> {
    const { child, connection } = await run(path);
    const lost = connection.invoke(method, where, "command-1").then(() => "answered", messageOf);
    expect(JSON.parse(await child.line())).toEqual({ paused: where });
    await child.kill();
    expect(await lost).not.toBe("answered");
  }

  const order = (connection: HubConnection, method: string, drug: string): Promise<unknown> =>
    connection.invoke(method, drug, "command-1").catch(messageOf);

  it.each([
    ["before the effect of a command", "begun", []],
    ["between the effect of a command and its end", "placed", ["placed"]],
  ] as const)(
    "%s: it never runs again, and whoever sends it again is told that nobody knows",
    async (_, where, orders) => {
      const path = newPath();
      await killIn(where, "Order", path);
      const { connection } = await run(path);
      for (let sent = 0; sent < 2; sent++) expect(await order(connection, "Order", where)).toBe("outcome_unknown");
      expect(await order(connection, "Order", "another")).toBe("idempotency_conflict;action=fix-request");
      expect(await connection.invoke("Orders")).toEqual(orders);
      expect(await connection.invoke("Order", "aspirin", "command-2")).toEqual({ placed: "aspirin" });
    },
  );

  it("before a commit: neither the effect nor a result is there", async () => {
    const path = newPath();
    await killIn("begun", "OrderExactlyOnce", path);
    const { connection } = await run(path);
    expect(await order(connection, "OrderExactlyOnce", "begun")).toBe("outcome_unknown");
    expect(await connection.invoke("Orders")).toEqual([]);
  });

  it("after a commit and before the answer: the effect is there once, and the result is told", async () => {
    const path = newPath();
    await killIn("placed", "OrderExactlyOnce", path);
    const { connection } = await run(path);
    for (let sent = 0; sent < 2; sent++) {
      expect(await order(connection, "OrderExactlyOnce", "placed")).toEqual({ placed: "placed" });
    }
    expect(await connection.invoke("Orders")).toEqual(["placed"]);
  });
});
