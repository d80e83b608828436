import { describe, expect, test } from "vitest";
import type { Clock, EpochMs, MonotonicMs } from "../../core/clock.js";
import { faults, json } from "../../../../../tests/providers/support/key-server.js";
import { bearer, INVALID, setUpKeys, UNAVAILABLE } from "../../../../../tests/providers/support/key-setting.js";
import type { Signer } from "../../../../../tests/providers/support/signer.js";
import { createFakeClock } from "../../../../../tests/support/fake-clock.js";
import { until } from "../../../../../tests/support/until.js";

describe("a provider that changes its keys", () => {
  test("in the background at their age, while the old ones serve", async () => {
    const { server, clock, signer, publish, verdict } = await setUpKeys();
    const [old, fresh] = [signer("old"), signer("fresh")];
    publish(old);
    await verdict(await old.token());
    publish(old, fresh);
    clock.advance(599_999);
    expect(server.requests.items).toHaveLength(1);
    clock.advance(1);
    expect(await verdict(await old.token()), "while it is fetched").toBe("accepted");
    await server.requests.take(2);
    await until(() => clock.pending.includes(600_000));
    expect(await verdict(await fresh.token())).toBe("accepted");
    expect(server.requests.items).toHaveLength(2);
  });

  test("a key that is gone is refused from the next answer on, remembered tokens included", async () => {
    const { clock, signer, publish, verdict, authenticator } = await setUpKeys();
    const [old, fresh] = [signer("old"), signer("fresh")];
    publish(old, fresh);
    const [gone, stays] = [await old.token({ exp: 2_000_000_000 }), await fresh.token({ exp: 2_000_000_000 })];
    expect(await verdict(gone)).toBe("accepted");
    expect(await verdict(stays)).toBe("accepted");
    publish(fresh);
    clock.advance(600_000);
    await until(() => clock.pending.includes(600_000));
    expect(await verdict(gone)).toBe(INVALID);
    expect(authenticator.authenticate(bearer(stays)), "remembered").not.toBeInstanceOf(Promise);
  });

  test("another key of the same name is another key", async () => {
    const { signer, publish, verdict, authenticator } = await setUpKeys();
    const [old, replaced] = [signer("k"), signer("k")];
    publish(old);
    const token = await old.token();
    expect(await verdict(token)).toBe("accepted");
    publish(replaced);
    expect(await authenticator.reloadKeys()).toBe(true);
    expect(await verdict(token)).toBe(INVALID);
    expect(await verdict(await replaced.token())).toBe("accepted");
  });
});

describe("a provider that fails", () => {
  test.each(Object.entries(faults))(
    "at a cold start: it %s, which costs a bounded wait and is told",
    async (_, fault) => {
      const { server, clock, signer, verdict, failures, publish } = await setUpKeys();
      const key = signer("a");
      const token = await key.token();
      server.answer = fault.answer;
      const waiting = verdict(token);
      await server.requests.first();
      if (fault.lasts) clock.advance(3000);
      expect(await waiting).toBe("auth_unavailable;action=retry-after;retry_after=1");
      expect(failures).toHaveLength(1);
      publish(key);
      clock.advance(1000);
      await until(() => clock.pending.includes(600_000));
      expect(await verdict(token), "and it is over when the provider is back").toBe("accepted");
      expect(await verdict(await signer("unknown").token()), "an answer is an answer again").toBe(INVALID);
    },
  );

  test("its known keys serve for an hour, unknown ones are nobody's fault, and then all tokens wait", async () => {
    const { server, clock, signer, publish, verdict } = await setUpKeys();
    const [known, unknown] = [signer("known"), signer("unknown")];
    publish(known);
    const remembered = await known.token({ exp: 2_000_000_000 });
    await verdict(remembered);
    server.answer = faults["answers 500"]!.answer;
    for (let minutes = 1; minutes < 60; minutes++) {
      clock.advance(60_000);
      await until(() => !clock.pending.includes(3000)); // no fetch is under way
      expect(await verdict(await known.token())).toBe("accepted");
      expect(await verdict(remembered)).toBe("accepted");
      expect(await verdict(await unknown.token())).toMatch(UNAVAILABLE);
    }
    clock.advance(60_000);
    expect(await verdict(await known.token())).toMatch(UNAVAILABLE);
    expect(await verdict(remembered)).toMatch(UNAVAILABLE);
  });

  test("after a machine slept, keys that are too old are not believed before they were fetched anew", async () => {
    const { server, clock, signer, publish, verdict } = await setUpKeys();
    const [old, fresh] = [signer("old"), signer("fresh")];
    publish(old);
    const token = await old.token({ exp: 2_000_000_000 });
    expect(await verdict(token)).toBe("accepted");
    publish(fresh);
    clock.jump(3_600_000); // no timer has run
    expect(await verdict(token)).toBe(INVALID);
    expect(server.requests.items).toHaveLength(2);
  });

  test("keys grow old by whichever clock says so first", async () => {
    const hour = 3_600_000;
    for (const steps of [
      { wall: hour, monotonic: 0 },
      { wall: 0, monotonic: hour },
      { wall: -hour, monotonic: hour },
    ]) {
      const fake = createFakeClock();
      let step = { wall: 0, monotonic: 0 };
      const clock: Clock = {
        ...fake,
        now: () => (fake.now() + step.wall) as EpochMs,
        monotonic: () => (fake.monotonic() + step.monotonic) as MonotonicMs,
      };
      const { server, signer, publish, verdict } = await setUpKeys({ clock });
      const [old, fresh] = [signer("old"), signer("fresh")];
      publish(old);
      const token = await old.token({ exp: 2_000_000_000 });
      expect(await verdict(token)).toBe("accepted");
      publish(fresh);
      step = steps;
      expect(await verdict(token), JSON.stringify(steps)).not.toBe("accepted");
      expect(server.requests.items.length).toBeLessThanOrEqual(2);
    }
  });

  test("an outage is no flood: ten tokens a second cause one fetch in each growing pause", async () => {
    const { server, clock, signer, verdict } = await setUpKeys();
    server.answer = faults["answers 500"]!.answer;
    const token = await signer("a").token({ exp: 2_000_000_000 });
    for (let second = 0; second < 100; second++) {
      const verdicts = await Promise.all(Array.from({ length: 10 }, () => verdict(token)));
      for (const outcome of verdicts) expect(outcome).toMatch(UNAVAILABLE);
      clock.advance(1000);
      await until(() => !clock.pending.includes(3000));
    }
    expect(server.requests.items).toHaveLength(8); // after 0, 1, 3, 7, 15, 31, 61 and 91 seconds
  });

  test("while a fetch hangs, known keys do not wait for it", async () => {
    const { server, clock, signer, publish, verdict } = await setUpKeys();
    const known = signer("known");
    publish(known);
    await verdict(await known.token());
    server.answer = faults["hangs before a word"]!.answer;
    clock.advance(600_000);
    await server.requests.take(2);
    expect(await verdict(await known.token())).toBe("accepted");
  });

  test("CVE-2025-64527: many tokens whose fetch fails are many refusals and one fetch", async () => {
    const { server, signer, verdict } = await setUpKeys();
    server.answer = faults["resets the connection"]!.answer;
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, at) => signer(`k${at}`).token()));
    for (const outcome of await Promise.all(tokens.map(verdict))) expect(outcome).toMatch(UNAVAILABLE);
    expect(server.requests.items).toHaveLength(1);
  });

  test("a listener that throws stops nothing", async () => {
    const { server, clock, signer, publish, verdict } = await setUpKeys({
      onFailure: () => {
        throw new Error("out of order");
      },
    });
    const key = signer("a");
    server.answer = faults["answers 500"]!.answer;
    expect(await verdict(await key.token())).toMatch(UNAVAILABLE);
    publish(key);
    clock.advance(1000);
    expect(await verdict(await key.token())).toBe("accepted");
  });
});

describe("answers that take the old keys away", () => {
  test.each([
    ["none at all", () => []],
    ["a private key", (known: Signer) => [known.jwk, known.privateKey.export({ format: "jwk" })]],
    ["a shared secret", (known: Signer) => [known.jwk, { kty: "oct", k: "AAAA", kid: "s" }]],
    ["none that could be used", () => [{ kty: "EC", crv: "P-521", kid: "known" }]],
  ])("%s: nobody's token passes, and nobody is told to sign in again", async (_what, keysOf) => {
    const { server, clock, signer, publish, verdict } = await setUpKeys();
    const known = signer("known");
    publish(known);
    const token = await known.token({ exp: 2_000_000_000 });
    expect(await verdict(token)).toBe("accepted");
    server.answer = json({ keys: keysOf(known) });
    clock.advance(600_000);
    await until(() => clock.pending.includes(1000));
    expect(await verdict(token)).toMatch(UNAVAILABLE);
    publish(known);
    clock.advance(1000);
    expect(await verdict(token)).toBe("accepted");
  });

  test("too many keys are an outage: those known serve on", async () => {
    const { server, clock, signer, publish, verdict, failures } = await setUpKeys({ maxKeys: 3 });
    const known = signer("known");
    publish(known, signer("b"), signer("c"));
    expect(await verdict(await known.token())).toBe("accepted");
    server.answer = json({ keys: Array.from({ length: 4 }, () => known.jwk) });
    clock.advance(600_000);
    await until(() => failures.length === 1);
    expect(await verdict(await known.token())).toBe("accepted");
    expect(await verdict(await signer("x").token())).toMatch(UNAVAILABLE);
  });
});
