/** Which pages may talk to a hub. */

import { describe, expect, test } from "vitest";
import { openWebSocket } from "../tests/support/raw-web-socket.js";
import { bearer } from "../tests/support/server.js";
import { negotiateTicket, postNegotiate, told, tryUpgrade } from "./support/plain-http.js";
import { createWorld, HUB_PATH } from "./support/world.js";

const ALLOWED = "https://wards.example";
const DENIED = '403 {"error":"origin_denied;action=fix-request"}';

const foreign: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ["another origin", { origin: "https://evil.example" }],
  ["a port of its own", { origin: `${ALLOWED}:8443` }],
  ["another scheme", { origin: "http://wards.example" }],
  ["a name that begins alike", { origin: `${ALLOWED}.evil.example` }],
  ["a name in capitals, which no browser writes", { origin: "https://WARDS.example" }],
  ["an opaque origin", { origin: "null" }],
  ["an empty origin", { origin: "" }],
  ["two origins", { origin: `${ALLOWED}, https://evil.example` }],
  ["no origin, but a browser's site", { "sec-fetch-site": "cross-site" }],
  ["no origin, but a browser's own site", { "sec-fetch-site": "same-origin" }],
  [
    "another origin and a site that claims to be ours",
    { origin: "https://evil.example", "sec-fetch-site": "same-origin" },
  ],
];

const welcome: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ["the allowed origin", { origin: ALLOWED }],
  ["the allowed origin from another site", { origin: ALLOWED, "sec-fetch-site": "cross-site" }],
  ["no browser at all", {}],
  ["Node's fetch, which sends a mode and no site", { "sec-fetch-mode": "cors" }],
];

describe("a request from", () => {
  test.each(foreign)("%s is refused at negotiate and at the upgrade", async (_, headers) => {
    const world = await createWorld({ allowedOrigins: [ALLOWED] });
    const token = await world.issuer.token("ada");
    const reply = await postNegotiate(world, { ...bearer(token), ...headers });
    expect(`${reply.status} ${reply.body}`).toBe(DENIED);
    const { ticket, id } = await negotiateTicket(world, token);
    expect(told(await tryUpgrade(world, id, ticket, headers))).toBe(DENIED);
    expect(told(await tryUpgrade(world, id, token, headers))).toBe(DENIED);
    expect(world.telemetry.items).toHaveLength(3);
    expect(new Set(world.telemetry.items.map((event) => "hint" in event && event.hint))).toEqual(
      new Set(["a page of this origin is not in allowedOrigins"]),
    );
  });

  test.each(welcome)("%s is let in", async (_, headers) => {
    const world = await createWorld({ allowedOrigins: [ALLOWED] });
    const token = await world.issuer.token("ada");
    expect((await postNegotiate(world, { ...bearer(token), ...headers })).status).toBe(200);
    const { ticket, id } = await negotiateTicket(world, token);
    const path = `${HUB_PATH}?id=${id}`;
    const socket = await openWebSocket({ port: world.port, path, headers: { ...bearer(ticket), ...headers } });
    await socket.shakeHands();
    socket.end();
  });

  test("any browser is refused where no origin is allowed", async () => {
    const world = await createWorld();
    const token = await world.issuer.token("ada");
    const reply = await postNegotiate(world, { ...bearer(token), origin: `http://127.0.0.1:${world.port}` });
    expect(`${reply.status} ${reply.body}`).toBe(DENIED);
  });

  test("another origin is refused before its credential is looked at", async () => {
    const world = await createWorld();
    expect((await postNegotiate(world, { origin: "https://evil.example" })).status).toBe(403);
    expect((await postNegotiate(world, { origin: "https://evil.example", ...bearer("x") })).status).toBe(403);
  });
});
