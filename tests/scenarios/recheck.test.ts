/** Rights that change without a new token: what a client gets to see, over every transport and with a slow reader. */

import type { Socket } from "node:net";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { hasRole, HubwardError, type App, type GroupReference, type Policy, type Principal } from "@hubward/server";
import type { RevocationListener, RevocationLog } from "@hubward/server/ports";
import { describe, expect, onTestFinished, test } from "vitest";
import { Recorder } from "../support/recorder.js";
import { openWebSocket, upgrade } from "../support/raw-web-socket.js";
import { outcomeOf, runApp, type RunOptions } from "../support/running-app.js";
import { ask, bearer } from "../support/server.js";
import { until } from "../support/until.js";

const HUB = "/hubs/ward";
type Staff = Principal<object>;

/** A ward for nurses on a hub for everybody, and a directory that says who is what. */
async function runWard(options: RunOptions = {}) {
  const directory = new Map<string, readonly string[]>();
  const load = { now: 0, most: 0, asked: 0 };
  const declared: { readonly anybody: Policy<Staff>; readonly icu: GroupReference<Staff> }[] = [];
  const running = await runApp<object>(
    async ({ subject }) => {
      load.asked++;
      load.most = Math.max(load.most, ++load.now);
      await new Promise((resolve) => setImmediate(resolve));
      load.now--;
      const roles = directory.get(subject) ?? ["nurse"];
      return roles.includes("nobody") ? null : { roles };
    },
    (app: App<Staff>) => {
      const nurses = app.policy("Nurses", hasRole("nurse"));
      const anybody = app.policy("Anybody", () => true);
      const group = app.group("ward", {}).allow(nurses);
      declared.push({ anybody, icu: group() });
      app
        .hub(HUB, { statefulReconnect: true })
        .allow(anybody)
        .methods((m) => ({
          Join: m.handle((call) => call.groups.join(group())),
          Watch: m.allow(nurses).stream(async function* (call) {
            yield "watching";
            await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
          }),
        }));
    },
    options,
  );
  const [ward] = declared;
  if (ward === undefined) throw new TypeError("nothing was declared");
  return { ...running, ...ward, directory, load };
}

/** A log of revocations without an entry, which may be away. */
function createAbsentLog() {
  const listeners = new Set<RevocationListener>();
  let isAway = false;
  const log: RevocationLog = {
    isDurable: false,
    append: () => Promise.reject(new HubwardError("not_durable")),
    read: async () => {
      if (isAway) throw new HubwardError("auth_unavailable");
      return { logId: "empty", entries: [], upTo: 0, head: 0 };
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: () => Promise.resolve(),
  };
  return {
    log,
    goAway() {
      isAway = true;
      for (const listener of listeners) listener.interrupted(new Error("the log went away"));
    },
    comeBack: () => void (isAway = false),
  };
}

const transports = ["WebSockets", "ServerSentEvents", "LongPolling"] as const;

describe.each(transports)("over %s", (transport) => {
  test("a role that is taken away ends stream and membership, and no frame of the group follows", async () => {
    const { app, directory, icu, issuer, port } = await runWard();
    const connection = new HubConnectionBuilder()
      .configureLogging(LogLevel.None)
      .withUrl(`http://127.0.0.1:${port}${HUB}`, {
        transport: HttpTransportType[transport],
        accessTokenFactory: () => issuer.token("ada"),
      })
      .build();
    const heard = new Recorder<string>();
    connection.on("vitals", (value: string) => heard.push(value));
    connection.on("marker", () => heard.push("marker"));
    await connection.start();
    onTestFinished(() => connection.stop());
    await connection.invoke("Join");
    const items = new Recorder<unknown>();
    const streamed = outcomeOf(
      new Promise((resolve, reject) => {
        connection.stream("Watch").subscribe({ next: items.push, complete: () => resolve("completed"), error: reject });
      }),
    );
    await items.first();
    app.to(icu).emit("vitals", "in time");
    await heard.first((value) => value === "in time");
    directory.set("ada", ["clerk"]);
    const rechecking = app.recheck({ subject: "ada" });
    app.to(icu).emit("vitals", "meanwhile");
    expect(await rechecking).toEqual({ matched: 1, lost: 1, ended: 0, unavailable: 0 });
    app.to(icu).emit("vitals", "too late");
    app.toPrincipal({ subject: "ada" }).emit("marker");
    await heard.first((value) => value === "marker");
    expect(heard.items.filter((value) => value === "too late")).toEqual([]);
    expect(await streamed).toContain("forbidden");
    expect(connection.state).toBe("Connected");
  });

  test("asked for while nobody can say who was revoked, it is done before the connection goes on", async () => {
    const disk = createAbsentLog();
    const { app, clock, directory, icu, issuer, port, telemetry } = await runWard({ revocations: disk.log });
    await app.ready();
    const connection = new HubConnectionBuilder()
      .configureLogging(LogLevel.None)
      .withUrl(`http://127.0.0.1:${port}${HUB}`, {
        transport: HttpTransportType[transport],
        accessTokenFactory: () => issuer.token("ada"),
      })
      .build();
    const heard = new Recorder<string>();
    connection.on("vitals", (value: string) => heard.push(value));
    connection.on("marker", () => heard.push("marker"));
    await connection.start();
    onTestFinished(() => connection.stop());
    await connection.invoke("Join");
    disk.goAway();
    clock.advance(5_000);
    expect(await outcomeOf(connection.invoke("Join"))).toContain("auth_unavailable");
    directory.set("ada", ["clerk"]);
    expect(await app.recheck({ subject: "ada" })).toMatchObject({ matched: 1, unavailable: 1 });
    app.to(icu).emit("vitals", "meanwhile");
    disk.comeBack();
    clock.advance(300);
    await telemetry.first(({ event }) => event === "connection.restored");
    app.to(icu).emit("vitals", "later");
    app.toPrincipal({ subject: "ada" }).emit("marker");
    await heard.first((value) => value === "marker");
    expect(heard.items).toEqual(["marker"]);
    expect(await outcomeOf(connection.invoke("Join"))).toContain("forbidden");
  });

  test("who may not be here any more is told so and does not come back", async () => {
    const { app, directory, issuer, port } = await runWard();
    const connection = new HubConnectionBuilder()
      .configureLogging(LogLevel.None)
      .withUrl(`http://127.0.0.1:${port}${HUB}`, {
        transport: HttpTransportType[transport],
        accessTokenFactory: () => issuer.token("ada"),
      })
      .withAutomaticReconnect([0, 0])
      .build();
    const closed = new Promise<Error | undefined>((resolve) => connection.onclose(resolve));
    await connection.start();
    directory.set("ada", ["nobody"]);
    expect(await app.recheck({ subject: "ada" })).toMatchObject({ matched: 1, ended: 1 });
    expect((await closed)?.message).toContain("forbidden");
  });
});

test("a reader that has stopped hears of the lost group only what its kernel had when the recheck resolved", async () => {
  const { app, directory, icu, issuer, port, server } = await runWard({ outbox: { maxBytes: 4 * 1024 * 1024 } });
  const accepted: Socket[] = [];
  server.on("connection", (socket: Socket) => accepted.push(socket));
  const slow = await openWebSocket({ port, path: HUB, headers: bearer(await issuer.token("slow")) });
  await slow.shakeHands();
  await slow.invoke("1", "Join");
  slow.socket.pause();
  const chunk = "x".repeat(32 * 1024);
  const published = 48;
  for (let number = 0; number < published; number++) {
    app.to(icu).emit("vitals", number, chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  directory.set("slow", []);
  expect(await app.recheck({ subject: "slow" })).toMatchObject({ matched: 1, lost: 1 });
  const [socket] = accepted;
  if (socket === undefined) throw new TypeError("nobody came");
  const kernelBytes = socket.bytesWritten - socket.writableLength;
  for (let number = 0; number < 5; number++) app.to(icu).emit("vitals", published + number, "late");
  app.toPrincipal({ subject: "slow" }).emit("marker");
  slow.answersPings = true;
  slow.socket.resume();
  await slow.messages.first(({ target }) => target === "marker");
  const numbers = slow.messages.items.flatMap(({ target, arguments: args }) =>
    target === "vitals" ? [(args as readonly number[])[0]] : [],
  );
  // What arrived is what was said first, without a gap, and not more than had left by then.
  expect(numbers).toEqual(numbers.map((_, index) => index));
  expect(numbers.length).toBeGreaterThan(0);
  expect(numbers.length * chunk.length).toBeLessThanOrEqual(kernelBytes);
  // More than a mebibyte was still waiting, and never came.
  expect((published - numbers.length) * chunk.length).toBeGreaterThan(1024 * 1024);
  slow.end();
});

test("a client that comes back over a new transport is not sent the lost group's frames again", async () => {
  const { app, directory, icu, issuer, port, telemetry } = await runWard();
  const token = await issuer.token("ada");
  const path = `${HUB}/negotiate?negotiateVersion=1&useStatefulReconnect=true`;
  const { body } = await ask(port, { method: "POST", path, headers: bearer(token) });
  const reply = JSON.parse(body) as { readonly [name: string]: string };
  const attempt = { port, path: `${HUB}?id=${reply["connectionToken"]}`, headers: bearer(reply["accessToken"] ?? "") };
  const first = await openWebSocket(attempt);
  first.sendJson({ protocol: "json", version: 2 });
  await first.frames.first();
  await first.invoke("1", "Join");
  app.to(icu).emit("vitals", "unacknowledged");
  await first.messages.first(({ target }) => target === "vitals");
  first.socket.resetAndDestroy();
  await until(() => telemetry.items.some(({ event }) => event === "connection.detached"));
  directory.set("ada", []);
  expect(await app.recheck({ subject: "ada" })).toMatchObject({ matched: 1, lost: 1 });
  // What it may have seen cannot be taken out of its count: it may not come back here, and connects anew.
  expect((await upgrade(attempt)).isOpen).toBe(false);
});

test("a thousand connections are asked about, a bounded number at a time", async () => {
  const { anybody, app, directory, icu, issuer, load, port } = await runWard();
  const tokens = await Promise.all(Array.from({ length: 1_000 }, (_, index) => issuer.token(`person-${index % 500}`)));
  for (let index = 0; index < tokens.length; index += 100) {
    await Promise.all(
      tokens.slice(index, index + 100).map(async (token) => {
        const socket = await openWebSocket({ port, path: HUB, headers: bearer(token) });
        await socket.shakeHands();
        onTestFinished(() => void socket.socket.resetAndDestroy());
      }),
    );
  }
  await until(() => app.connectionCount === 1_000);
  await Promise.all(Array.from({ length: 500 }, (_, index) => app.groups.add({ subject: `person-${index}` }, icu)));
  expect(app.groups.count(icu)).toBe(1_000);
  for (let index = 0; index < 500; index += 2) directory.set(`person-${index}`, ["clerk"]);
  Object.assign(load, { most: 0, asked: 0 });
  expect(await app.recheck({ policy: anybody })).toEqual({ matched: 1_000, lost: 500, ended: 0, unavailable: 0 });
  expect([load.most, load.asked, app.groups.count(icu)]).toEqual([32, 1_000, 500]);
}, 60_000);
