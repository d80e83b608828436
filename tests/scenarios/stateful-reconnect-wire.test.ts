/** Stateful reconnect byte for byte: what a client that says exactly what it is told to gets to see. */

import { expect, onTestFinished, test } from "vitest";
import { opcodes, openWebSocket, upgrade, type RawWebSocket, type UpgradeOptions } from "../support/raw-web-socket.js";
import { runApp } from "../support/running-app.js";
import { ask, bearer } from "../support/server.js";
import { text } from "../support/schemas.js";
import { until } from "../support/until.js";

const HUB = "/hubs/ward";
/** Bytes of one event. */
const EVENT_BYTES = 10_000;

type Message = Readonly<Record<string, unknown>>;

async function runWard() {
  const started: string[] = [];
  let openGate: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (openGate = resolve));
  const running = await runApp(
    () => ({ roles: [] }),
    (app) => {
      const anyone = app.policy("Anyone", () => true);
      app
        .hub(HUB, { statefulReconnect: true })
        .allow(anyone)
        .methods((m) => ({
          Echo: m.args(text).handle((_call, words) => words),
          Wait: m.args(text).handle(async (_call, words) => {
            started.push(words);
            await gate;
            return words;
          }),
        }));
    },
  );
  const { port, issuer, app, telemetry, clock } = running;

  async function negotiate(subject: string): Promise<{ readonly path: string; readonly ticket: string }> {
    const token = await issuer.token(subject);
    const path = `${HUB}/negotiate?negotiateVersion=1&useStatefulReconnect=true`;
    const { body } = await ask(port, { method: "POST", path, headers: bearer(token) });
    const reply = JSON.parse(body) as { readonly [name: string]: string };
    return { path: `${HUB}?id=${reply["connectionToken"]}`, ticket: reply["accessToken"] ?? "" };
  }

  /** Ended with the test, before its server. */
  async function open(attempt: UpgradeOptions): Promise<RawWebSocket> {
    const socket = await openWebSocket(attempt);
    onTestFinished(() => void socket.socket.resetAndDestroy());
    return socket;
  }

  async function enter(subject: string) {
    const { path, ticket } = await negotiate(subject);
    const attempt = { port, path, headers: bearer(ticket) };
    const socket = await open(attempt);
    socket.sendJson({ protocol: "json", version: 2 });
    await socket.frames.first();
    return { path, ticket, socket, attempt, comeBack: () => open(attempt) };
  }

  /** Cuts a client off, without a goodbye. */
  async function lose(socket: RawWebSocket): Promise<void> {
    const before = telemetry.items.length;
    socket.socket.resetAndDestroy();
    await until(() => telemetry.items.slice(before).some(({ event }) => event === "connection.detached"));
  }

  const say = (words: string): void => app.toPrincipal({ subject: "ada" }).emit("note", words);
  return { port, issuer, app, telemetry, clock, enter, lose, say, started, openGate };
}

const echo = (id: string): Message => ({ type: 1, invocationId: id, target: "Echo", arguments: [id] });
const answer = (id: string): Message => ({ type: 3, invocationId: id, result: id });
const ack = (sequenceId: number): Message => ({ type: 8, sequenceId });
const sequence = (sequenceId: number): Message => ({ type: 9, sequenceId });

/** Everything said behind the handshake, in order. */
async function heard({ messages }: RawWebSocket, count: number): Promise<readonly Message[]> {
  const isHandshake = (message: Message): boolean => Object.keys(message).length === 0;
  return messages.take(count, (message) => !isHandshake(message));
}

/** Whatever was sent before has been read when this is answered. */
async function fence(socket: RawWebSocket): Promise<void> {
  socket.sendFrame({ opcode: opcodes.ping });
  await socket.frames.first(({ opcode }) => opcode === opcodes.pong);
}

test("what was received is acknowledged once a second, when there is something to acknowledge", async () => {
  const { enter, clock } = await runWard();
  const { socket } = await enter("ada");
  socket.sendJson(echo("1"), echo("2"), { type: 6 });
  await heard(socket, 2);
  clock.advance(3_000);
  socket.sendJson(echo("3"));
  await heard(socket, 4);
  clock.advance(1_000);
  expect(await heard(socket, 5)).toEqual([answer("1"), answer("2"), ack(2), answer("3"), ack(3)]);
});

test("much that was received is acknowledged at once: a client waits for it", async () => {
  const { enter } = await runWard();
  const { socket } = await enter("ada");
  for (const id of ["1", "2"]) {
    socket.sendJson({ type: 1, invocationId: id, target: "Echo", arguments: ["x".repeat(30_000)] });
  }
  expect(await heard(socket, 3)).toContainEqual(ack(2));
});

test.each<[string, Message[], number, readonly string[]]>([
  ["nothing was acknowledged: the first message's, and all come again", [], 1, ["1", "2"]],
  ["the first was acknowledged: the second's, and it comes again", [ack(1)], 2, ["2"]],
  ["all were acknowledged: the next one's, and none comes again", [ack(2)], 3, []],
  ["more was acknowledged than was ever sent: the next one's", [ack(100)], 3, []],
])("the Sequence where %s", async (_, acks, sequenceId, again) => {
  const { enter, lose } = await runWard();
  const { socket, comeBack } = await enter("ada");
  socket.sendJson(echo("1"), echo("2"));
  await heard(socket, 2);
  socket.sendJson(...acks, { type: 6 });
  await fence(socket);
  await lose(socket);
  const next = await comeBack();
  next.sendJson(sequence(3), echo("3"));
  const expected = [sequence(sequenceId), ...again.map(answer), answer("3")];
  expect(await heard(next, expected.length)).toEqual(expected);
});

test("nothing was ever said: both begin with 1", async () => {
  const { enter, lose } = await runWard();
  const { socket, comeBack } = await enter("ada");
  await lose(socket);
  const next = await comeBack();
  next.sendJson(sequence(1), echo("1"));
  expect(await heard(next, 2)).toEqual([sequence(1), answer("1")]);
});

test("calls that are sent again are not made again, and those before the Sequence not at all", async () => {
  const { enter, lose } = await runWard();
  const { socket, comeBack } = await enter("ada");
  socket.sendJson(echo("1"));
  await heard(socket, 1);
  await lose(socket);
  const next = await comeBack();
  next.sendJson(echo("dropped"), sequence(1), echo("1"), echo("2"));
  expect(await heard(next, 3)).toEqual([sequence(1), answer("1"), answer("2")]);
});

test("half a message on the lost transport is not the beginning of one on the next", async () => {
  const { enter, lose } = await runWard();
  const { socket, comeBack } = await enter("ada");
  socket.sendText('{"type":1,"invocationId":"1","target":"Ec');
  socket.sendJson();
  await lose(socket);
  const next = await comeBack();
  next.sendJson(sequence(1), echo("1"));
  expect(await heard(next, 2)).toEqual([sequence(1), answer("1")]);
});

test("a call that runs when the transport is lost is answered on the next", async () => {
  const { enter, lose, started, openGate } = await runWard();
  const { socket, comeBack } = await enter("ada");
  socket.sendJson({ type: 1, invocationId: "1", target: "Wait", arguments: ["1"] });
  await until(() => started.length === 1);
  await lose(socket);
  openGate();
  const next = await comeBack();
  expect(await heard(next, 2)).toEqual([sequence(1), answer("1")]);
});

test.each([
  ["that leaves messages out", 3],
  ["that begins before the first", 0],
])("a Sequence %s ends the connection", async (_, sequenceId) => {
  const { enter, lose } = await runWard();
  const { socket, comeBack } = await enter("ada");
  socket.sendJson(echo("1"));
  await heard(socket, 1);
  await lose(socket);
  const next = await comeBack();
  next.sendJson(sequence(sequenceId));
  expect((await heard(next, 3)).at(-1)).toEqual({ type: 7, error: "bad_request;action=fix-request" });
  expect((await next.closeFrame()).code).toBe(4400);
});

test("a client that reads everything and acknowledges nothing is told so much and no more, then given up", async () => {
  const { enter, say, telemetry } = await runWard();
  const { socket } = await enter("ada");
  socket.answersPings = true;
  const event = "x".repeat(EVENT_BYTES - 60);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  let said = 0;
  while (!telemetry.items.some(({ event: name }) => name === "connection.closed")) {
    if (said < 200) say(event);
    said++;
    await turn();
  }
  expect((await socket.closed).wasReset).toBe(true);
  const notes = socket.messages.items.filter(({ type }) => type === 1);
  // As many as 100000 bytes hold; the rest waited in 1 MiB.
  expect(notes).toHaveLength(Math.floor(100_000 / EVENT_BYTES));
  expect(telemetry.items.at(-1)).toMatchObject({ event: "connection.closed", reason: "slow_consumer" });
});

test("a stolen id is worth nothing: others get what an unknown id gets, and the owner goes on", async () => {
  const { enter, lose, issuer, port } = await runWard();
  const { path, socket, comeBack } = await enter("ada");
  const eve = { port, path, headers: bearer(await issuer.token("eve")) };
  const unknown = await upgrade({ ...eve, path: `${HUB}?id=unknown` });
  expect(unknown).toMatchObject({ isOpen: false, status: 404 });
  expect(await upgrade(eve)).toEqual(unknown);
  socket.sendJson(echo("1"));
  expect(await heard(socket, 1)).toEqual([answer("1")]);
  await lose(socket);
  expect(await upgrade(eve)).toEqual(unknown);
  const next = await comeBack();
  expect(await heard(next, 2)).toEqual([sequence(1), answer("1")]);
});

test("of several sockets that come back at once one has the connection, whichever", async () => {
  const { enter, lose, app, telemetry } = await runWard();
  const { socket, attempt } = await enter("ada");
  await lose(socket);
  const outcomes = await Promise.all(Array.from({ length: 5 }, () => upgrade(attempt)));
  const open = outcomes.flatMap((outcome) => (outcome.isOpen ? [outcome.webSocket] : []));
  for (const outcome of outcomes) if (!outcome.isOpen) expect(outcome.status).toBe(409);
  const ended = new Set<RawWebSocket>();
  for (const each of open) void each.closed.then(() => ended.add(each));
  await until(() => ended.size === open.length - 1);
  const [winner] = open.filter((each) => !ended.has(each));
  winner?.sendJson(sequence(1), echo("1"));
  expect(await winner?.messages.first(({ type }) => type === 3)).toEqual(answer("1"));
  onTestFinished(() => void winner?.socket.resetAndDestroy());
  expect([app.connectionCount, telemetry.items.filter(({ event }) => event === "connection.closed")]).toEqual([1, []]);
});

test.each<[string, (socket: RawWebSocket) => void | Promise<void>]>([
  [
    "a Close message",
    async (socket) => {
      socket.sendJson({ type: 7 });
      await socket.closeFrame();
      socket.end();
    },
  ],
  ["a Close frame", (socket) => socket.end()],
])("after %s there is no way back", async (_, end) => {
  const { enter, telemetry } = await runWard();
  const { socket, attempt } = await enter("ada");
  await end(socket);
  await telemetry.first(({ event }) => event === "connection.closed");
  // Its ticket has died with it.
  expect(await upgrade(attempt)).toMatchObject({ isOpen: false, status: 401 });
});
