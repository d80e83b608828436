/** Whatever a provider does in place of answering, a hub's clients hear that they should wait, and never sign in again. */

import { discover, issuers, jwks, jwt } from "@hubward/server/jose";
import type { EpochMs } from "@hubward/server/ports";
import { describe, expect, test } from "vitest";
import { createFakeClock } from "../support/fake-clock.js";
import { faults, json, startKeyServer } from "./support/key-server.js";
import { runHub } from "./support/hub.js";
import { createSigner } from "./support/signer.js";

const systemTime = { now: () => Date.now() as EpochMs };
const WAIT = "auth_unavailable;action=retry-after;retry_after=1";

describe("a provider that fails", () => {
  test.each(Object.entries(faults))("%s: the route, the door and the stock client hear 503", async (_what, fault) => {
    const keyClock = createFakeClock();
    const server = await startKeyServer(fault.answer);
    const key = createSigner("a", { issuer: server.origin, clock: systemTime });
    const keys = discover(server.origin, { allowLoopbackHttp: true, clock: keyClock });
    const hub = await runHub(jwt({ issuer: server.origin, audience: "hub", keys }));
    const token = await key.token({ roles: ["doctor"] });

    const client = hub.build(() => token);
    const outcomes = Promise.all([
      hub.getMe(token),
      hub.negotiate(token),
      client.start().then(
        () => "connected",
        (error: unknown) => String(error),
      ),
    ]);
    await server.requests.first();
    // The other two may arrive while the fetch hangs or after it failed: a pause covers those.
    if (fault.lasts) keyClock.advance(3000);
    const [route, door, refusal] = await outcomes;
    for (const reply of [route, door]) {
      expect(reply).toMatchObject({ status: 503, body: JSON.stringify({ error: WAIT }) });
      expect(reply.headers["retry-after"]).toBe("1");
      expect(reply.headers["www-authenticate"]).toBeUndefined();
    }
    expect(refusal).toContain(WAIT);
    expect(server.requests.items).toEqual(["GET /.well-known/openid-configuration"]);
  });
});

describe("several issuers on one hub", () => {
  test("the tokens of one connect while the other is down, and those of a third are refused", async () => {
    const keyClock = createFakeClock();
    const start = async (name: string) => {
      const issuer = `https://${name}.example/`;
      const key = createSigner("kid", { issuer, clock: systemTime });
      const server = await startKeyServer(json({ keys: [key.jwk] }));
      const keys = jwks(`${server.origin}/jwks`, { allowLoopbackHttp: true, clock: keyClock });
      return { key, server, authenticator: jwt({ issuer, audience: "hub", keys }) };
    };
    const [staff, partners, stranger] = [await start("staff"), await start("partners"), await start("stranger")];
    staff.server.answer = faults["resets the connection"]!.answer;
    const hub = await runHub(issuers(staff.authenticator, partners.authenticator));

    const token = await partners.key.token({ roles: ["nurse"] });
    expect((await hub.getMe(await staff.key.token({ roles: ["doctor"] }))).status).toBe(503);
    expect(await (await hub.connect(token)).invoke("WhoAmI")).toBe("alice: nurse");
    expect((await hub.negotiate(await stranger.key.token())).status).toBe(401);
    expect(stranger.server.requests.items).toEqual([]);
  });
});
