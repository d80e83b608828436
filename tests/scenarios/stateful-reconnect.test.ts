/** Networks that fail under stock clients with stateful reconnect, and what arrives all the same. */

import {
  HubConnectionBuilder,
  JsonHubProtocol,
  LogLevel,
  type HubConnection,
  type IHubProtocol,
} from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { describe, expect, onTestFinished, test } from "vitest";
import { Recorder } from "../support/recorder.js";
import { startRelay, type Relay } from "../support/relay.js";
import { runApp, type RunOptions } from "../support/running-app.js";
import { word } from "../support/schemas.js";
import { until } from "../support/until.js";

const HUB = "/hubs/ward";

interface Client {
  readonly connection: HubConnection;
  /** Arguments of every `note`. */
  readonly notes: Recorder<string>;
  /** `reconnecting`, `reconnected`, `closed`. */
  readonly states: Recorder<string>;
  /** Why it was reconnecting. */
  readonly reasons: Recorder<string | undefined>;
}

async function runWard(options: RunOptions = {}) {
  const counted: number[] = [];
  const entered = new Recorder<string>();
  let tellGroup: (name: string, words: string) => void = () => undefined;
  /** What `LeaveLater` waits for. */
  let openGate: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (openGate = resolve));
  const running = await runApp(
    () => ({ roles: [] }),
    (app) => {
      const anyone = app.policy("Anyone", () => true);
      const ward = app.group("ward/{ward}", { ward: word }).allow(anyone);
      app
        .hub(HUB, { statefulReconnect: true })
        .allow(anyone)
        .methods((m) => ({
          Count: m.handle(() => counted.push(counted.length + 1)),
          Join: m.args(word).handle((call, name) => call.groups.join(ward({ ward: name }))),
          LeaveLater: m.args(word).handle(async (call, name) => {
            entered.push("LeaveLater");
            await gate;
            return call.groups.leave(ward({ ward: name }));
          }),
        }));
      tellGroup = (name, words) => app.to(ward({ ward: name })).emit("note", words);
    },
    options,
  );
  const relay = await startRelay(running.port);
  /** A stock client behind the relay. */
  async function enter(
    subject: string,
    protocol: IHubProtocol = new JsonHubProtocol(),
    lifetime = 300,
  ): Promise<Client> {
    const accessTokenFactory = (): Promise<string> => running.issuer.token(subject, { lifetime });
    const connection = new HubConnectionBuilder()
      .configureLogging(LogLevel.None)
      .withUrl(`http://127.0.0.1:${relay.port}${HUB}`, { accessTokenFactory })
      .withHubProtocol(protocol)
      .withAutomaticReconnect([0, 0, 0])
      .withStatefulReconnect()
      .build();
    onTestFinished(() => connection.stop());
    const notes = new Recorder<string>();
    const states = new Recorder<string>();
    const reasons = new Recorder<string | undefined>();
    connection.on("note", notes.push);
    connection.onreconnecting((error) => {
      states.push("reconnecting");
      reasons.push(error?.message);
    });
    connection.onreconnected(() => states.push("reconnected"));
    connection.onclose(() => states.push("closed"));
    await connection.start();
    return { connection, notes, states, reasons };
  }
  const say = (words: string): void => running.app.toPrincipal({ subject: "ada" }).emit("note", words);
  const told = (event: string): Promise<unknown> => running.telemetry.first((each) => each.event === event);
  return { ...running, relay, enter, say, told, counted, entered, tellGroup, openGate };
}

/** Cuts the network, and lets nobody through for now. */
async function lose({ relay, told }: { readonly relay: Relay; told(event: string): Promise<unknown> }): Promise<void> {
  relay.holdBack();
  relay.cut();
  await told("connection.detached");
}

describe("a client whose network is cut", () => {
  test.each<[string, () => IHubProtocol]>([
    ["JSON", () => new JsonHubProtocol()],
    ["MessagePack", () => new MessagePackHubProtocol()],
  ])("gets every event and every answer once and in order, and every call is made once (%s)", async (_, protocol) => {
    const ward = await runWard();
    const { connection, notes, states } = await ward.enter("ada", protocol());
    const id = connection.connectionId;
    ward.say("before");
    await notes.first();
    ward.relay.mute();
    ward.say("lost on the way");
    const first = connection.invoke<number>("Count");
    await until(() => ward.counted.length === 1);
    ward.say("lost behind the answer");
    await lose(ward);
    ward.say("while it is away");
    const second = connection.invoke<number>("Count");
    expect(notes.items).toEqual(["before"]);
    ward.relay.letThrough();
    expect(await Promise.all([first, second])).toEqual([1, 2]);
    ward.say("after");
    await notes.take(5);
    expect(notes.items).toEqual(["before", "lost on the way", "lost behind the answer", "while it is away", "after"]);
    expect([ward.counted, states.items, connection.connectionId]).toEqual([[1, 2], [], id]);
    const names = ward.telemetry.items.map(({ event }) => event);
    expect(names).toEqual(["connection.opened", "connection.detached", "connection.resumed"]);
  });

  test("goes on where it was when the server has not noticed yet: the old socket is cancelled", async () => {
    const ward = await runWard();
    const { connection, notes, states } = await ward.enter("ada");
    ward.relay.mute();
    ward.say("one");
    ward.relay.dropClients();
    await ward.told("connection.resumed");
    ward.say("two");
    await notes.take(2);
    expect([notes.items, states.items, await connection.invoke("Count")]).toEqual([["one", "two"], [], 1]);
    expect(ward.app.connectionCount).toBe(1);
  });

  test("again and again loses nothing", async () => {
    const ward = await runWard();
    const { connection, notes, states } = await ward.enter("ada");
    const expected: string[] = [];
    for (let round = 1; round <= 10; round++) {
      ward.relay.mute();
      for (const words of [`${round} written`, `${round} cut off`]) {
        ward.say(words);
        expected.push(words);
      }
      const answer = connection.invoke("Count");
      ward.relay.cut();
      expect(await answer).toBe(round);
    }
    await notes.take(expected.length);
    expect([notes.items, states.items]).toEqual([expected, []]);
  });

  test("gets a new connection when it comes back too late", async () => {
    const ward = await runWard();
    const { connection, states } = await ward.enter("ada");
    const id = connection.connectionId;
    await lose(ward);
    ward.clock.advance(15_000);
    expect(await ward.told("connection.closed")).toMatchObject({ reason: "normal", connectionId: id });
    ward.relay.letThrough();
    await states.first((state) => state === "reconnected");
    expect([states.items, await connection.invoke("Count")]).toEqual([["reconnecting", "reconnected"], 1]);
    expect([connection.connectionId === id, ward.app.connectionCount]).toEqual([false, 1]);
  });

  test("gets a new connection, with a new token, when its credential ended meanwhile", async () => {
    const ward = await runWard();
    const { connection, notes, states } = await ward.enter("ada", undefined, 12);
    await lose(ward);
    ward.say("not for an expired credential");
    ward.clock.advance(12_000);
    expect(await ward.told("connection.closed")).toMatchObject({ reason: "token_expired" });
    ward.relay.letThrough();
    await states.first((state) => state === "reconnected");
    ward.say("for the new one");
    await notes.first();
    expect([notes.items, await connection.invoke("Count")]).toEqual([["for the new one"], 1]);
  });

  test("gets a new connection when it lost a group that it may have missed something of", async () => {
    const ward = await runWard();
    const { connection, notes, states } = await ward.enter("ada");
    const id = connection.connectionId;
    await connection.invoke("Join", "icu");
    ward.relay.mute();
    ward.tellGroup("icu", "secret");
    // A call that runs goes on without its transport.
    const leaving = connection.invoke("LeaveLater", "icu").catch(() => "lost");
    await ward.entered.first();
    await lose(ward);
    ward.openGate();
    ward.relay.letThrough();
    await states.first((state) => state === "reconnected");
    expect([notes.items, states.items, await leaving]).toEqual([[], ["reconnecting", "reconnected"], "lost"]);
    expect(connection.connectionId).not.toBe(id);
    expect(await ward.told("connection.refused")).toMatchObject({ reason: "not_found" });
  });

  test("is told why its connection ends, though it tries to come back to that first", async () => {
    const ward = await runWard();
    const { connection, reasons, states } = await ward.enter("ada", undefined, 20);
    ward.clock.jump(20_000);
    ward.clock.advance(1_000);
    await states.first((state) => state === "reconnected");
    expect(reasons.items).toEqual(["Server returned an error on close: token_expired;action=refresh"]);
    expect(await connection.invoke("Count")).toBe(1);
  });

  test("does not hold up a server that goes away", async () => {
    const ward = await runWard();
    await ward.enter("ada");
    await lose(ward);
    await ward.app.close();
    expect(await ward.told("connection.closed")).toMatchObject({ reason: "going_away" });
  });
});
