import { describe, expect, test } from "vitest";
import { createFakeClock } from "../../../../../tests/support/fake-clock.js";
import { faults } from "../../../../../tests/providers/support/key-server.js";
import { bearer, INVALID, issuer, setUpKeys } from "../../../../../tests/providers/support/key-setting.js";
import { createSigner } from "../../../../../tests/providers/support/signer.js";
import { jwt, publicKey } from "./index.js";

describe("reloading", () => {
  test("withdraws a key at once, asks again even inside the cooldown, and says that it worked", async () => {
    const { server, clock, signer, publish, verdict, authenticator } = await setUpKeys();
    const [stolen, fresh] = [signer("stolen"), signer("fresh")];
    publish(stolen);
    const token = await stolen.token();
    expect(await verdict(token)).toBe("accepted");
    publish(fresh);
    expect(await authenticator.reloadKeys()).toBe(true);
    expect(clock.pending, "one refresh waits, not two").toEqual([600_000]);
    expect(await verdict(token)).toBe(INVALID);
    expect(await verdict(await fresh.token())).toBe("accepted");
    expect(server.requests.items).toHaveLength(2);
  });

  test("says when it did not work; what was known serves on", async () => {
    const { server, clock, signer, publish, verdict, authenticator } = await setUpKeys();
    const known = signer("known");
    publish(known);
    await verdict(await known.token());
    server.answer = faults["hangs before a word"]!.answer;
    const reload = authenticator.reloadKeys();
    await server.requests.take(2);
    clock.advance(3000);
    expect(await reload).toBe(false);
    expect(await verdict(await known.token())).toBe("accepted");
  });

  test("a hundred at once are two fetches: the first one's, and one that began after the last call", async () => {
    const { server, signer, publish, authenticator } = await setUpKeys();
    publish(signer("a"));
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => authenticator.reloadKeys()));
    expect(new Set(outcomes)).toEqual(new Set([true]));
    expect(server.requests.items).toHaveLength(2);
  });

  test("an answer that was on its way before the call is not taken for a new one", async () => {
    const { server, clock, signer, publish, verdict, authenticator } = await setUpKeys();
    const [old, fresh] = [signer("old"), signer("fresh")];
    publish(old);
    const token = await old.token({ exp: 2_000_000_000 });
    await verdict(token);
    let release = (): void => undefined;
    const late = server.answer;
    server.answer = (request, response) => (release = () => late(request, response));
    clock.advance(600_000); // the refresh is under way, and its answer will still hold the old key
    await server.requests.take(2);
    const reload = authenticator.reloadKeys();
    publish(fresh);
    release();
    expect(await reload).toBe(true);
    expect(await verdict(token)).toBe(INVALID);
  });

  test("a token whose key is withdrawn just when it was found is refused", async () => {
    const { clock, signer, publish, verdict } = await setUpKeys();
    const key = signer("a");
    publish(key);
    const found = publicKey(key.jwk);
    let holds = true;
    const keys = {
      ...found,
      holds: () => holds,
      find: async (...args: Parameters<typeof found.find>) => (holds ? found.find(...args) : undefined),
    };
    const racing = jwt({ issuer, audience: "hub", keys, clock });
    const verdictOfRace = racing.authenticate(bearer(await key.token()));
    holds = false;
    await expect(verdictOfRace).rejects.toMatchObject({ reason: "invalid_token" });
    expect(await verdict(await key.token())).toBe("accepted");
  });

  test("keys that the application holds itself have nothing to reload", async () => {
    const key = createSigner("a", { issuer, clock: createFakeClock() });
    expect(await jwt({ issuer, audience: "hub", keys: publicKey(key.jwk) }).reloadKeys()).toBe(true);
  });
});
