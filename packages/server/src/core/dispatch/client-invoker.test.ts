import { describe, expect, it } from "vitest";
import { createFixture } from "../../../test/connection-fixture.js";
import { schemaOf } from "../../../test/hub-fixture.js";
import type { ConnectionId } from "../ids.js";

const anything = schemaOf((value) => ({ value: value as string }));
const toC1 = { to: "connection", id: "c1" as ConnectionId, scope: { tenant: undefined }, hub: undefined } as const;

describe("asking a client", () => {
  it("gives what the schema makes of its answer", async () => {
    const { connect, invokeClient } = createFixture();
    connect();
    const shout = schemaOf((value) => ({ value: JSON.stringify(value).toUpperCase() }));
    expect(await invokeClient(toC1, "who", ["is", "it"], { result: shout })).toBe('["WHO","IS","IT"]');
  });

  it("refuses an answer that the schema refuses", async () => {
    const { connect, invokeClient } = createFixture();
    connect();
    const nothing = schemaOf(async () => ({ issues: [{ message: "no" }] }));
    await expect(invokeClient(toC1, "who", [], { result: nothing })).rejects.toMatchObject({
      reason: "bad_arguments",
      detail: "the client's result",
    });
  });

  it.each<[string, Parameters<ReturnType<typeof createFixture>["connect"]>[0], object]>([
    ["one that is not here", { id: "c2" }, {}],
    ["one of another tenant", { id: "c1", tenant: "annex" }, {}],
    ["one of another hub", { id: "c1", hub: "/hubs/other" }, { hub: "/hubs/ward" }],
    ["one that has not said hello", { id: "c1", isOpen: false }, {}],
  ])("does not find %s", async (_, options, address) => {
    const { connect, invokeClient } = createFixture();
    connect(options);
    await expect(invokeClient({ ...toC1, ...address }, "who", [], { result: anything })).rejects.toMatchObject({
      reason: "not_found",
    });
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 31])("refuses to wait for %d ms", async (timeoutMs) => {
    const { connect, invokeClient } = createFixture();
    connect();
    await expect(invokeClient(toC1, "who", [], { result: anything, timeoutMs })).rejects.toThrow(RangeError);
  });

  it("does not ask for somebody who has given up, nor somebody whose credential has ended", async () => {
    const { connect, invokeClient, clock } = createFixture();
    connect({ livesMs: 1_000 });
    const reason = new Error("enough");
    const aborted = invokeClient(toC1, "who", [], { result: anything, signal: AbortSignal.abort(reason) });
    await expect(aborted).rejects.toBe(reason);
    clock.block(1_000);
    await expect(invokeClient(toC1, "who", [], { result: anything })).rejects.toMatchObject({
      reason: "token_expired",
    });
  });
});
