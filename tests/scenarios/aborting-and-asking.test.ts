/** What a hub does with one connection beyond calls and events: ends it, and asks it. With stock clients. */

import { expect, test } from "vitest";
import { outcomeOf, runApp } from "../support/running-app.js";
import { text } from "../support/schemas.js";

const HUB = "/hubs/ward";

/** Everybody may do everything; who has connected was asked meanwhile. */
async function runWard() {
  const asked: string[] = [];
  const gone: string[] = [];
  const running = await runApp(
    () => ({ roles: [] }),
    (app) => {
      const anyone = app.policy("Anyone", () => true);
      app
        .hub(HUB)
        .allow(anyone)
        .connected(async (call) => {
          asked.push(await outcomeOf(call.toCaller().invoke("answer", [], { result: text })));
        })
        .disconnected(({ reason }) => gone.push(reason))
        .methods((m) => ({
          Abort: m.handle((call) => {
            call.toCaller().emit("said", "goodbye");
            call.abort();
            return "never told";
          }),
          Ask: m.handle((call) => call.toCaller().invoke("answer", [], { result: text })),
          AskConnection: m
            .args(text)
            .handle((call, id) => call.toConnection(id as never).invoke("answer", [], { result: text })),
        }));
    },
  );
  return { ...running, asked, gone };
}

test("a call that aborts ends its connection for good: what was said arrives, the answer does not, nobody comes back", async () => {
  const { connect, gone, telemetry } = await runWard();
  const { connection, heard } = await connect(HUB, "ada", {}, ["said"]);
  const states: string[] = [];
  connection.onreconnecting(() => states.push("reconnecting"));
  const closed = new Promise<string>((resolve) => connection.onclose((error) => resolve(String(error?.message))));
  const outcome = outcomeOf(connection.invoke("Abort"));
  expect(await closed).toBe("undefined");
  expect(await outcome).toBe("Invocation canceled due to the underlying connection being closed.");
  expect(heard.items).toEqual([["said", "goodbye"]]);
  expect(states).toEqual([]);
  await telemetry.first(({ event }) => event === "connection.closed");
  expect(gone).toEqual(["normal"]);
});

test("a client cannot be asked while its connected hook runs, and can afterwards", async () => {
  const { build, asked } = await runWard();
  const { connection } = build(HUB, "ada");
  connection.on("answer", () => "forty");
  await connection.start();
  expect(await connection.invoke("Ask")).toBe("forty");
  expect(asked).toEqual(["connected: clients cannot be asked inside this hook"]);
});

test("what became of the client that was asked is not told to the caller as its own fate", async () => {
  const { connect, telemetry } = await runWard();
  const { connection } = await connect(HUB, "ada");
  expect(await outcomeOf(connection.invoke("AskConnection", "nobody"))).toBe(
    "An unexpected error occurred invoking 'AskConnection' on the server.",
  );
  const failed = await telemetry.first(({ event }) => event === "application.failed");
  expect(failed).toMatchObject({ where: "/hubs/ward AskConnection" });
  connection.on("answer", () => 40);
  expect(await outcomeOf(connection.invoke("Ask"))).toBe("An unexpected error occurred invoking 'Ask' on the server.");
});
