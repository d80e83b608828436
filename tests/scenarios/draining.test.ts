/** A server that goes away: told before, one after the other, and nobody is let in meanwhile. */

import { expect, test } from "vitest";
import { enterRooms, UpgradeRefused } from "../support/rooms-client.js";
import { outcomeOf, runApp } from "../support/running-app.js";

test("is told of, lets calls go on for half of the time, and ends connections over the other half", async () => {
  const running = await runApp(
    () => ({}),
    (app) => {
      const staff = app.policy("Staff", () => true);
      app.rooms();
      app
        .hub("/hub", { authenticationRefresh: true })
        .allow(staff)
        .methods((m) => ({ Ping: m.handle(() => "pong") }));
    },
  );
  const { app, clock, connect, issuer, port } = running;
  const token = await issuer.token("amara");
  const rooms = await Promise.all(Array.from({ length: 10 }, () => enterRooms(port, token)));
  const hub = await connect("/hub", "chidi", {}, ["hubward.notice"]);
  await hub.connection.invoke("hubward.notices");

  const closed = app.close({ noticeMs: 4_000 });
  for (const room of rooms)
    expect(await room.first("notice")).toEqual({ type: "notice", notice: "draining", closes_in: 4 });
  expect(await hub.heard.first()).toEqual(["hubward.notice", { kind: "draining", closesInSeconds: 4 }]);
  await expect(enterRooms(port, token)).rejects.toEqual(
    new UpgradeRefused(503, JSON.stringify({ error: "service_restart;action=retry-after;retry_after=2" })),
  );
  clock.advance(1_900);
  expect(await outcomeOf(hub.connection.invoke("Ping"))).toBe('"pong"');
  expect(app.connectionCount).toBe(11);

  clock.advance(100);
  const counts = [app.connectionCount];
  for (let tick = 0; tick < 19; tick++) {
    clock.advance(100);
    counts.push(app.connectionCount);
  }
  expect(counts).toEqual([...counts].sort((a, b) => b - a));
  expect(new Set(counts).size).toBeGreaterThan(9);
  expect(counts.at(-1)).toBe(0);
  for (const room of rooms) expect(await room.closed).toMatchObject({ code: 1001 });
  await closed;
});
