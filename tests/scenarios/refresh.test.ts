/** `POST {hub}/refresh`, row by row, over real sockets: what it answers, and what it leaves behind. */

import type { Authenticator } from "@hubward/server/ports";
import { HubwardError } from "@hubward/wire";
import { describe, expect, onTestFinished, test } from "vitest";
import { openWebSocket } from "../support/raw-web-socket.js";
import { runApp } from "../support/running-app.js";
import { ask, bearer } from "../support/server.js";
import { createIssuer } from "../support/tokens.js";
import { HUB, lifetimeIn, runWard, short } from "./refreshing.js";

const json = { "content-type": "application/json", "cache-control": "no-store" };

describe("the switch", () => {
  test("off, the route is none of ours, negotiate names no lifetime, and the hub has no such method", async () => {
    const { port, negotiate, enter, token } = await runWard({
      authenticationRefresh: false,
      listener: (_request, response) => void response.writeHead(418).end("the application's own"),
    });
    const path = `${HUB}/refresh?id=x`;
    expect(short(await ask(port, { method: "POST", path }))).toBe("418 the application's own");
    const { reply } = await negotiate(await token());
    expect(Object.keys(reply)).not.toContain("tokenLifetimeSeconds");
    const { socket, who } = await enter("ada");
    const { error } = await socket.invoke("1", "hubward.reauthenticate", await token("ada", { lifetime: 900 }));
    const { error: unknown } = await socket.invoke("2", "NoSuchMethod");
    expect(error).toBe(String(unknown).replace("NoSuchMethod", "hubward.reauthenticate"));
    expect(await who()).toMatchObject({ expiresInSeconds: 300 });
  });

  test("on, negotiate says how long the credential lasts: never more than there is, and not the same to all", async () => {
    const { negotiate, token } = await runWard();
    const jwt = await token("ada", { lifetime: 600 });
    const told: number[] = [];
    for (let round = 0; round < 40; round++) told.push((await negotiate(jwt)).reply["tokenLifetimeSeconds"] as number);
    expect(told.every((seconds) => Number.isInteger(seconds) && seconds <= 600 && seconds >= 540)).toBe(true);
    expect(new Set(told).size).toBeGreaterThan(20);
  });
});

describe("a later credential", () => {
  test("takes the place of the present one, whole, without another socket and without another ticket", async () => {
    const { enter, refresh, token, clock, outcomes, telemetry } = await runWard();
    const { id, who } = await enter("ada", { roles: ["nurse"], lifetime: 60, claims: { sid: "one" } });
    clock.advance(10_000);
    const later = await token("ada", { roles: ["doctor"], lifetime: 300, claims: { sid: "two" } });
    const reply = await refresh(id, later);
    expect(reply).toMatchObject({ status: 200, headers: json });
    expect(Object.keys(JSON.parse(reply.body) as object)).toEqual(["tokenLifetimeSeconds"]);
    expect(lifetimeIn(reply)).toBeGreaterThanOrEqual(270);
    expect(lifetimeIn(reply)).toBeLessThanOrEqual(300);
    expect(await who()).toEqual({ subject: "ada", roles: ["doctor"], expiresInSeconds: 300 });
    clock.advance(60_000);
    expect(await who()).toMatchObject({ subject: "ada", expiresInSeconds: 240 });
    expect(outcomes()).toEqual(["taken ada two"]);
    expect(telemetry.items.filter(({ event }) => event === "connection.opened")).toHaveLength(1);
  });

  test("the same one again changes nothing and is answered with what is left", async () => {
    const { refresh, token, enterWith, clock, outcomes } = await runWard();
    const jwt = await token("ada", { lifetime: 200 });
    const { id } = await enterWith(jwt);
    clock.advance(100_000);
    const left = lifetimeIn(await refresh(id, jwt));
    expect(left).toBeGreaterThanOrEqual(90);
    expect(left).toBeLessThanOrEqual(100);
    expect(outcomes()).toEqual([]);
  });

  test("one that ends sooner never shortens what the connection has", async () => {
    const { enter, refresh, token } = await runWard();
    const { id, who } = await enter("ada", { roles: ["doctor"], lifetime: 300 });
    const reply = await refresh(id, await token("ada", { roles: ["nurse"], lifetime: 120 }));
    expect(lifetimeIn(reply)).toBeGreaterThan(120);
    expect(await who()).toMatchObject({ roles: ["doctor"], expiresInSeconds: 300 });
  });

  test("of two at once the one that ends later stays, whichever comes first", async () => {
    const { enter, refresh, token } = await runWard();
    for (const lifetimes of [
      [500, 900],
      [900, 500],
    ]) {
      const { id, who } = await enter("ada");
      const tokens = await Promise.all(lifetimes.map((lifetime) => token("ada", { lifetime })));
      const replies = await Promise.all(tokens.map((each) => refresh(id, each)));
      expect(replies.map(({ status }) => status)).toEqual([200, 200]);
      expect(await who()).toMatchObject({ expiresInSeconds: 900 });
    }
  });
});

describe("refused, and the connection is as it was", () => {
  test("another method is answered before anybody is asked who they are", async () => {
    const { enter, refresh, token, who } = await withOne();
    for (const method of ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"]) {
      const reply = await refresh("whatever", null, { method });
      expect([method, reply.status, reply.headers.allow, reply.body]).toEqual([method, 405, "POST", ""]);
    }
    const { id } = await enter("ada");
    expect((await refresh(id, await token("ada", { lifetime: 900 }), { method: "GET" })).status).toBe(405);
    expect(await who()).toMatchObject({ expiresInSeconds: 300 });
  });

  test("nobody, a stranger's token and an aged one get 401, whatever id they ask for", async () => {
    const { refresh, clock, one, token, who } = await withOne();
    const stranger = await createIssuer(clock, { issuer: "https://elsewhere.test/" });
    const aged = await token("ada", { lifetime: -5, age: 60 });
    for (const id of [one.id, "unknown", null]) {
      expect(short(await refresh(id, null))).toBe('401 {"error":"invalid_token"}');
      expect(short(await refresh(id, "no.jwt.atall"))).toBe('401 {"error":"invalid_token"}');
      expect(short(await refresh(id, await stranger.token("ada")))).toBe('401 {"error":"invalid_token"}');
      expect(short(await refresh(id, aged))).toBe('401 {"error":"token_expired;action=refresh"}');
      clock.advance(30_000);
    }
    expect(await who()).toMatchObject({ subject: "ada", expiresInSeconds: 210 });
  });

  test("401 says how to come in, and says so of the token only where there was one", async () => {
    const { refresh, one } = await withOne();
    expect((await refresh(one.id, null)).headers["www-authenticate"]).toBe("Bearer");
    expect((await refresh(one.id, "no.jwt.atall")).headers["www-authenticate"]).toBe('Bearer error="invalid_token"');
  });

  test("a token without an end is no token", async () => {
    const { refresh, one, token, who } = await withOne();
    const endless = await token("ada", { lifetime: null });
    expect(short(await refresh(one.id, endless))).toBe('401 {"error":"invalid_token"}');
    expect(await who()).toMatchObject({ expiresInSeconds: 300 });
  });

  test("the ticket names the connection and says nothing about who somebody is by now", async () => {
    const { refresh, one, who, outcomes } = await withOne();
    expect(short(await refresh(one.id, one.ticket ?? ""))).toBe('401 {"error":"invalid_token"}');
    expect(short(await refresh(one.id, null, { query: `id=${one.id}&access_token=${one.ticket}` }))).toBe(
      '401 {"error":"invalid_token"}',
    );
    expect(await who()).toMatchObject({ expiresInSeconds: 300 });
    expect(outcomes()).toEqual([]);
  });

  test("a JWT in the query counts no more here than elsewhere", async () => {
    const { refresh, one, token, who } = await withOne();
    const query = `id=${one.id}&access_token=${await token("ada", { lifetime: 900 })}`;
    expect(short(await refresh(null, null, { query }))).toBe('401 {"error":"invalid_token"}');
    expect(await who()).toMatchObject({ expiresInSeconds: 300 });
  });

  test("somebody else, or the same person by another client, is 403, and the connection stays with its own", async () => {
    const { refresh, one, token, who, outcomes } = await withOne();
    const mismatch = '403 {"error":"principal_mismatch"}';
    expect(short(await refresh(one.id, await token("eve", { lifetime: 900 })))).toBe(mismatch);
    const otherClient = await token("ada", { lifetime: 900, claims: { client_id: "another" } });
    expect(short(await refresh(one.id, otherClient))).toBe(mismatch);
    expect(outcomes()).toEqual(["principal_mismatch", "principal_mismatch"]);
    expect(await who()).toMatchObject({ subject: "ada", expiresInSeconds: 300 });
  });

  test("no id is 400 and an unknown one 404, to those who are somebody", async () => {
    const { refresh, token, negotiate, port } = await withOne();
    const jwt = await token("ada", { lifetime: 900 });
    expect(short(await refresh(null, jwt))).toBe('400 {"error":"missing_connection_token"}');
    expect(short(await refresh("", jwt))).toBe('400 {"error":"missing_connection_token"}');
    const notFound = '404 {"error":"connection_not_found"}';
    expect(short(await refresh("unknown", jwt))).toBe(notFound);
    expect(short(await refresh("__proto__", jwt))).toBe(notFound);
    // Negotiated and not yet a connection: there is nothing to refresh.
    expect(short(await refresh((await negotiate(jwt)).id, jwt))).toBe(notFound);
    // Its secret is not the id that everybody may know.
    const { reply } = await negotiate(jwt);
    expect(short(await refresh(String(reply["connectionId"]), jwt))).toBe(notFound);
    expect((await ask(port, { method: "POST", path: `${HUB}/REFRESH/?ID=unknown`, headers: bearer(jwt) })).status).toBe(
      404,
    );
  });

  test("a client of version 0 is told so, its own one only", async () => {
    const { enterWith, refresh, token } = await runWard();
    const { id, who } = await enterWith(await token("ada"), "");
    const own = await token("ada", { lifetime: 900 });
    expect(short(await refresh(id, own))).toBe('400 {"error":"unsupported_negotiate_version"}');
    expect(short(await refresh(id, await token("eve")))).toBe('404 {"error":"connection_not_found"}');
    expect(await who()).toMatchObject({ expiresInSeconds: 300 });
  });

  test("a connection that is over is unknown", async () => {
    const { refresh, one, token, telemetry } = await withOne();
    one.socket.end();
    await telemetry.first(({ event }) => event === "connection.closed");
    expect(short(await refresh(one.id, await token("ada", { lifetime: 900 })))).toBe(
      '404 {"error":"connection_not_found"}',
    );
  });

  test("a hub knows its own connections only", async () => {
    const { issuer, port } = await runApp(
      () => ({}),
      (app) => {
        const anyone = app.policy("Anyone", () => true);
        for (const path of ["/hubs/one", "/hubs/two"])
          app
            .hub(path, { authenticationRefresh: true })
            .allow(anyone)
            .methods(() => ({}));
      },
    );
    const jwt = await issuer.token("ada");
    const { body } = await ask(port, {
      method: "POST",
      path: "/hubs/one/negotiate?negotiateVersion=1",
      headers: bearer(jwt),
    });
    const { connectionToken, accessToken } = JSON.parse(body) as Record<string, string>;
    const socket = await openWebSocket({
      port,
      path: `/hubs/one?id=${connectionToken}`,
      headers: bearer(accessToken ?? ""),
    });
    onTestFinished(() => void socket.socket.resetAndDestroy());
    await socket.shakeHands();
    const at = (hub: string) =>
      ask(port, { method: "POST", path: `${hub}/refresh?id=${connectionToken}`, headers: bearer(jwt) });
    expect((await at("/hubs/two")).status).toBe(404);
    expect((await at("/hubs/one")).status).toBe(200);
  });

  test("whom the new claims do not let in is told so and ended, because keeping the old rights would be worse", async () => {
    for (const role of ["visitor", "unmapped"]) {
      const { refresh, one, token, telemetry } = await withOne();
      const reply = await refresh(one.id, await token("ada", { roles: [role], lifetime: 900 }));
      expect(short(reply)).toBe('403 {"error":"permission_change_rejected"}');
      expect(await one.socket.closeFrame()).toMatchObject({ code: 4403 });
      one.socket.end();
      expect(one.socket.messages.items.at(-1)).toEqual({ type: 7, error: "forbidden" });
      expect(await telemetry.first(({ event }) => event === "connection.closed")).toMatchObject({
        reason: "forbidden",
      });
    }
  });

  test("too many attempts are 429 with the time to wait, for this connection alone", async () => {
    const { refresh, one, enter, token, clock, who } = await withOne();
    const eve = await token("eve");
    for (let attempt = 0; attempt < 5; attempt++) expect((await refresh(one.id, eve)).status).toBe(403);
    const later = await token("ada", { lifetime: 900 });
    const reply = await refresh(one.id, later);
    expect(short(reply)).toBe('429 {"error":"rate_limited;action=retry-after;retry_after=3"}');
    expect(reply.headers["retry-after"]).toBe("3");
    const other = await enter("ada");
    expect((await refresh(other.id, later)).status).toBe(200);
    clock.advance(10_000);
    expect((await refresh(one.id, later)).status).toBe(200);
    expect(await who()).toMatchObject({ expiresInSeconds: 890 });
  });

  test("a provider that does not answer is 503 with the time to wait, and the credential is kept", async () => {
    let isDown = false;
    const clockless: { authenticator?: Authenticator } = {};
    const authenticator: Authenticator = {
      authenticate: (credential) => {
        if (isDown) throw new HubwardError("auth_unavailable", { retryAfterSeconds: 3 });
        return (clockless.authenticator as Authenticator).authenticate(credential);
      },
    };
    const ward = await runWard({ authenticator });
    clockless.authenticator = ward.issuer.authenticator;
    const { id, who } = await ward.enter("ada");
    isDown = true;
    const later = await ward.token("ada", { lifetime: 900 });
    const reply = await ward.refresh(id, later);
    expect(short(reply)).toBe('503 {"error":"auth_unavailable;action=retry-after;retry_after=3"}');
    expect(reply.headers["retry-after"]).toBe("3");
    expect(await who()).toMatchObject({ expiresInSeconds: 300 });
    isDown = false;
    expect((await ward.refresh(id, later)).status).toBe(200);
    expect(await who()).toMatchObject({ expiresInSeconds: 900 });
  });
});

/** A ward with one connection of ada's. */
async function withOne() {
  const ward = await runWard();
  const live = await ward.enter("ada");
  return { ...ward, one: live, who: live.who };
}
