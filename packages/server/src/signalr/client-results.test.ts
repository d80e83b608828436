import { createFakeClock } from "@hubward/testing";
import type { CompletionMessage } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { ClientError, HubwardError } from "../core/errors.js";
import { ClientResults } from "./client-results.js";

function createFixture() {
  const clock = createFakeClock();
  const results = new ClientResults(clock);
  const sent: string[] = [];
  const ask = (signal?: AbortSignal, timeoutMs = 1_000): Promise<unknown> =>
    results.ask((id) => void sent.push(id), { timeoutMs, signal });
  const answer = (invocationId: string, outcome: CompletionMessage["outcome"]): boolean =>
    results.complete({ type: 3, invocationId, outcome });
  return { clock, results, sent, ask, answer };
}

describe("calls that a client has yet to answer", () => {
  it("have ids of their own and are answered in any order, each once", async () => {
    const { results, sent, ask, answer, clock } = createFixture();
    const calls = [ask(), ask(), ask()];
    expect(sent).toEqual(["s1", "s2", "s3"]);
    expect(answer("s3", { kind: "value", value: 3 })).toBe(true);
    expect(answer("s1", { kind: "void" })).toBe(true);
    expect(answer("s2", { kind: "error", error: "no" })).toBe(true);
    expect(answer("s2", { kind: "value", value: "twice" })).toBe(false);
    await expect(Promise.allSettled(calls)).resolves.toEqual([
      { status: "fulfilled", value: undefined },
      { status: "rejected", reason: new ClientError("no") },
      { status: "fulfilled", value: 3 },
    ]);
    expect([results.size, clock.pending]).toEqual([0, 0]);
  });

  it.each(["s2", "1", "", "__proto__", "constructor"])("are not those nobody made: %j", (id) => {
    const { ask, answer } = createFixture();
    void ask();
    expect(answer(id, { kind: "value", value: 1 })).toBe(false);
  });

  it("are not waited for longer than said, and a late answer is none", async () => {
    const { ask, answer, clock, results } = createFixture();
    const call = ask(undefined, 5_000);
    clock.advance(4_999);
    expect(results.size).toBe(1);
    clock.advance(1);
    await expect(call).rejects.toEqual(new HubwardError("upstream_timeout"));
    expect([answer("s1", { kind: "value", value: 1 }), results.size, clock.pending]).toEqual([false, 0, 0]);
  });

  it("fail with the signal's own reason, or an error around it", async () => {
    const { ask, clock, results } = createFixture();
    const [one, two] = [new AbortController(), new AbortController()];
    const calls = [ask(one.signal), ask(two.signal)];
    const reason = new Error("enough");
    one.abort(reason);
    two.abort("words");
    await expect(calls[0]).rejects.toBe(reason);
    await expect(calls[1]).rejects.toMatchObject({ message: "the call was aborted", cause: "words" });
    expect([results.size, clock.pending]).toEqual([0, 0]);
  });

  it("all fail when the connection ends, with the reason", async () => {
    const { ask, results, clock } = createFixture();
    const calls = [ask(), ask()];
    results.fail("going_away");
    for (const call of calls) await expect(call).rejects.toEqual(new HubwardError("going_away"));
    expect([results.size, clock.pending]).toEqual([0, 0]);
  });

  it("leave nothing behind when they could not even be sent", async () => {
    const { results, clock } = createFixture();
    const broken = results.ask(
      () => {
        throw new TypeError("no form");
      },
      { timeoutMs: 1_000, signal: new AbortController().signal },
    );
    await expect(broken).rejects.toThrow(TypeError);
    expect([results.size, clock.pending]).toEqual([0, 0]);
  });

  it("may be 64 at a time, and 10,000 one after the other", async () => {
    const { ask, answer, results, sent, clock } = createFixture();
    const open = Array.from({ length: 64 }, () => ask());
    await expect(ask()).rejects.toEqual(new HubwardError("too_many_inflight"));
    expect(sent).toHaveLength(64);
    for (const id of sent) answer(id, { kind: "void" });
    await Promise.all(open);
    for (let count = 0; count < 10_000; count++) {
      const call = ask();
      answer(sent.at(-1) ?? "", { kind: "value", value: count });
      expect(await call).toBe(count);
    }
    expect([results.size, clock.pending]).toEqual([0, 0]);
  });
});
