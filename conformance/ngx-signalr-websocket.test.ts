/**
 * A client that is not Microsoft's: ngx-signalr-websocket, WebSockets and JSON only. It puts its token into the URLs
 * of negotiate and WebSocket, so its application fetches a ticket first: no JWT stands in a URL.
 */

import { DefaultHttpPostClient, SignalrClient, type SignalrConnection } from "ngx-signalr-websocket";
import { firstValueFrom } from "rxjs";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { startTap } from "../tests/support/tap.js";
import { holdsJwt } from "../tests/support/tokens.js";
import { Recorder } from "../tests/support/recorder.js";
import { negotiateTicket } from "./support/plain-http.js";
import { createWorld, failure, HUB_PATH, type World } from "./support/world.js";

// It was written for browsers: it wants their globals.
const browser = globalThis as { WebSocket?: unknown; window?: unknown };
browser.WebSocket ??= WebSocket;
browser.window ??= { location: { href: "http://127.0.0.1/" } };

interface Ngx {
  readonly connection: SignalrConnection;
  readonly heard: Recorder<string>;
  readonly ended: Recorder<string>;
}

async function connect(world: World, port: number = world.port, lifetime = 300): Promise<Ngx> {
  const token = await world.issuer.token("ada", { roles: ["room-one"], lifetime });
  const { ticket } = await negotiateTicket({ port }, token);
  const client = SignalrClient.create(new DefaultHttpPostClient());
  const connection = await firstValueFrom(client.connect(`http://127.0.0.1:${port}${HUB_PATH}`, ticket));
  onTestFinished(() => connection.close());
  const heard = new Recorder<string>();
  const ended = new Recorder<string>();
  connection.on<[string]>("said").subscribe({
    next: ([what]) => heard.push(what),
    error: () => ended.push("error"),
    complete: () => ended.push("complete"),
  });
  return { connection, heard, ended };
}

describe("ngx-signalr-websocket", () => {
  test("connects with a ticket, calls, is refused, hears its group, and puts no JWT into a URL", async () => {
    const world = await createWorld();
    const tap = await startTap(world.port);
    const { connection, heard } = await connect(world, tap.port);
    const call = (method: string, ...args: unknown[]): Promise<unknown> =>
      firstValueFrom(connection.invoke(method, ...args));
    expect(await call("WhoAmI")).toMatchObject({ subject: "ada" });
    expect(await call("Add", 20, 22)).toBe(42);
    expect(await call("Nothing")).toBeNull();
    expect((await failure(call("Doctors"))).message).toBe("forbidden");
    expect((await failure(call("Missing"))).message).toContain("HubException: Method does not exist.");
    await call("Join", "one");
    await call("TellRoom", "one", "in the room");
    connection.send("TellMe", "sent");
    expect(await heard.take(2)).toEqual(["in the room", "sent"]);
    expect(tap.requestLines().filter(holdsJwt)).toEqual([]);
    connection.close();
    await world.telemetry.first(({ event }) => event === "connection.closed");
    expect(world.app.connectionCount).toBe(0);
    await tap.close();
  });

  test("is ended when its token expires, though it does not read why", async () => {
    const world = await createWorld();
    const { connection, ended } = await connect(world, world.port, 20);
    expect(await firstValueFrom(connection.invoke("Add", 1, 1))).toBe(2);
    world.clock.jump(19_999);
    world.clock.advance(1);
    expect(await ended.first()).toBe("complete");
    expect(await world.telemetry.first(({ event }) => event === "connection.closed")).toMatchObject({
      reason: "token_expired",
    });
  });
});
