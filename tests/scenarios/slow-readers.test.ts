/** What those hear who stopped reading and read again, over each transport. */

import { expect, test } from "vitest";
import { openWebSocket, type RawWebSocket } from "../support/raw-web-socket.js";
import { runApp, type RunningApp } from "../support/running-app.js";
import { anything } from "../support/schemas.js";
import { bearer } from "../support/server.js";
import { until } from "../support/until.js";

const HUB = "/hubs/ward";
const chunk = "x".repeat(8_000);

interface Ward {
  readonly running: RunningApp<unknown>;
  /** Says so much to each group, one turn of the event loop after another. */
  flood(times: number): Promise<void>;
  enter(subject: string): Promise<RawWebSocket>;
}

async function runWard(): Promise<Ward> {
  let tell: (index: number) => void = () => undefined;
  const running = await runApp(
    () => ({}),
    (app) => {
      const anyone = app.policy("Anyone", () => true);
      const vitals = app.group("vitals", {}).allow(anyone).whenSlow("drop-oldest");
      const beds = app
        .group("beds", {})
        .events<{ bed: [bed: string, state: number, chunk: string]; alarm: [state: number] }>()
        .allow(anyone)
        .whenSlow({ latest: (event, args) => (event === "bed" ? args[0] : undefined) });
      const chat = app.group("chat", {}).allow(anyone);
      tell = (index) => {
        app.to(vitals()).emit("vitals", index, chunk);
        for (const bed of ["1", "2", "3"]) app.to(beds()).emit("bed", bed, index, chunk);
        if (index % 50 === 0) app.to(beds()).emit("alarm", index);
        if (index % 50 === 0) app.to(chat()).emit("chat", index);
      };
      app
        .hub(HUB, { authenticationRefresh: true })
        .allow(anyone)
        .methods((m) => ({
          Watch: m.handle(async (call) => {
            for (const group of [vitals(), beds(), chat()]) await call.groups.join(group);
          }),
          WatchChat: m.handle((call) => call.groups.join(chat())),
          Echo: m.args(anything).handle((_call, value) => value),
        }));
    },
    { outbox: { maxBytes: 512 * 1024 } },
  );
  return {
    running: running as unknown as RunningApp<unknown>,
    async flood(times) {
      for (let index = 1; index <= times; index++) {
        tell(index);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async enter(subject) {
      const { port, issuer } = running;
      const socket = await openWebSocket({ port, path: HUB, headers: bearer(await issuer.token(subject)) });
      await socket.shakeHands();
      await socket.invoke("n", "hubward.notices");
      return socket;
    },
  };
}

interface Event {
  readonly type: number;
  readonly target: string;
  readonly arguments: readonly unknown[];
}

const eventsOf = (socket: RawWebSocket): readonly Event[] =>
  socket.messages.items.filter(({ type }) => type === 1) as unknown as readonly Event[];
const numbers = (events: readonly Event[], target: string, at = 0): readonly unknown[] =>
  events.flatMap((event) => (event.target === target ? [event.arguments[at]] : []));
const range = (from: number, to: number, step = 1): readonly number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);

test("who stopped reading and reads again gets the newest, all that may not be dropped, and how much is missing", async () => {
  const { running, flood, enter } = await runWard();
  const stalled = await enter("stalled");
  await stalled.invoke("1", "Watch");
  stalled.answersPings = true;
  stalled.socket.pause();
  // Some 16 MB: more than its outbox and the kernels hold together.
  await flood(500);
  stalled.socket.resume();
  expect(await stalled.invoke("2", "Echo", "back")).toMatchObject({ result: "back" });
  const events = eventsOf(stalled);

  const vitals = numbers(events, "vitals") as readonly number[];
  const gaps = numbers(events, "hubward.notice") as readonly { kind: string; dropped: number; groups: string[] }[];
  expect(gaps.map(({ kind, groups }) => [kind, groups])).toEqual(gaps.map(() => ["gap", ["vitals"]]));
  expect(vitals.at(-1)).toBe(500);
  expect(vitals.length).toBeLessThan(500);
  expect(gaps.reduce((sum, { dropped }) => sum + dropped, 0)).toBe(500 - vitals.length);
  expect(vitals).toEqual(vitals.toSorted((a, b) => a - b));
  // Told where it is: as many are missing before each one as was said until then.
  let [told, heard] = [0, 0];
  for (const {
    target,
    arguments: [first],
  } of events) {
    if (target === "hubward.notice") told += (first as { dropped: number }).dropped;
    if (target === "vitals") expect(told + ++heard).toBe(first);
  }

  const states = events.filter(({ target }) => target === "bed");
  expect(states.length).toBeLessThan(1_500);
  for (const bed of ["1", "2", "3"]) {
    const own = states.filter(({ arguments: [of] }) => of === bed).map(({ arguments: [, state] }) => state as number);
    expect(own.at(-1)).toBe(500);
    expect(own).toEqual(own.toSorted((a, b) => a - b));
  }
  expect(numbers(events, "alarm")).toEqual(range(50, 500, 50));
  expect(numbers(events, "chat")).toEqual(range(50, 500, 50));
  expect(running.telemetry.items.some(({ event }) => event === "connection.closed")).toBe(false);
  stalled.socket.destroy();
});

test("who reads nothing for 30 s is ended all the same, and a neighbour misses nothing", async () => {
  const { running, flood, enter } = await runWard();
  const [stalled, neighbour] = [await enter("stalled"), await enter("neighbour")];
  for (const socket of [stalled, neighbour]) await socket.invoke("1", "Watch");
  neighbour.answersPings = true;
  stalled.socket.pause();
  await flood(100);
  await until(() => numbers(eventsOf(neighbour), "vitals").length === 100);
  for (let second = 0; second < 33; second++) {
    running.clock.advance(1_000);
    neighbour.sendJson({ type: 6 });
    await neighbour.invoke(`echo ${second}`, "Echo", second);
  }
  expect(await running.telemetry.first(({ event }) => event === "connection.closed")).toMatchObject({
    subject: "stalled",
  });
  expect(numbers(eventsOf(neighbour), "vitals")).toEqual(range(1, 100));
  expect(numbers(eventsOf(neighbour), "bed", 1)).toEqual(range(1, 100).flatMap((index) => [index, index, index]));
  stalled.socket.destroy();
  neighbour.socket.destroy();
});
