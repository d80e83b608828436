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
}

async function runWard(options: RunOptions = {}) {
  const counted: number[] = [];
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
          Leave: m.args(word).handle((call, name) => call.groups.leave(ward({ ward: name }))),
          Tell: m.args(word, word).handle((call, name, words) => call.to(ward({ ward: name })).emit("note", words)),
        }));
    },
    options,
  );
  const relay = await startRelay(running.port);
  /** A stock client behind the relay. */
  async function enter(
    subject: string,
    protocol: IHubProtocol = new JsonHubProtocol(),
    livesMs?: number,
  ): Promise<Client> {
    const accessTokenFactory = (): Promise<string> =>
      running.issuer.token(subject, livesMs === undefined ? {} : { livesMs });
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
    connection.on("note", notes.push);
    connection.onreconnecting(() => states.push("reconnecting"));
    connection.onreconnected(() => states.push("reconnected"));
    connection.onclose(() => states.push("closed"));
    await connection.start();
    return { connection, notes, states };
  }
  const say = (words: string): void => running.app.toPrincipal({ subject: "ada" }).emit("note", words);
  const told = (event: string): Promise<unknown> => running.telemetry.first((each) => each.event === event);
  return { ...running, relay, enter, say, told, counted };
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
});
