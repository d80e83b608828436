/** Both directions of a resumable connection against a model, with cuts anywhere: each message once, in order. */

import { MemorySocket } from "@hubward/testing";
import { decodeLimitDefaults, encodeHandshakeRequest, jsonCodec, messageType, type HubMessage } from "@hubward/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, createFixture, type Staff } from "../../test/connection-fixture.js";
import { hubOf, methodOf, textSchema } from "../../test/hub-fixture.js";
import { readInstant } from "../core/clock.js";
import { outboxDefaults } from "../core/connection/outbox-options.js";
import type { ReplayOutbox } from "../core/connection/replay-outbox.js";
import { ConnectionCall } from "../core/dispatch/connection-call.js";
import { createDispatcher } from "../core/dispatch/dispatcher.js";
import { Publication } from "../core/publication.js";
import { createMemoryIdempotencyStore } from "../memory/idempotency-store.js";
import { systemDigest } from "../platform/system-crypto.js";
import { SignalRHandler } from "./handler.js";
import { limiterOf } from "../../test/limits-fixture.js";
import { patientWatch } from "../../test/policy-watch.js";

const MAX_REPLAY_BYTES = 400;

/** A client as the protocol describes it: counts, keeps, acknowledges, says its Sequence, sends again. */
class ModelClient {
  readonly heard: string[] = [];
  socket: MemorySocket | undefined;
  /** Sent on this transport, still on its way. */
  #up: HubMessage[] = [];
  #readBytes = 0;
  #kept: { readonly id: number; readonly message: HubMessage }[] = [];
  #sentId = 0;
  #nextId = 1;
  #latestId = 0;
  #isWaiting = false;

  say(words: string): void {
    const message: HubMessage = { type: messageType.invocation, target: "Take", arguments: [words] };
    this.#kept.push({ id: ++this.#sentId, message });
    if (this.socket !== undefined) this.#up.push(message);
  }

  acknowledge(): void {
    if (this.socket !== undefined && !this.#isWaiting) {
      this.#up.push({ type: messageType.ack, sequenceId: this.#latestId });
    }
  }

  /** The network carries so many messages to the server. */
  deliver(count: number): void {
    for (const message of this.#up.splice(0, count)) this.socket?.peerSends(jsonCodec.encode(message));
  }

  /** The client reads so many messages; the rest is still on its way. */
  read(count: number): void {
    const unread = [...this.#unread().matchAll(/\{(?:"type":.*?)?\}(?=\x1e)/gs)].slice(0, count);
    for (const match of unread) this.#take(match[0]);
    const last = unread.at(-1);
    if (last !== undefined) this.#readBytes += last.index + last[0].length + 1;
    // A pong says that everything before its ping was read.
    if (this.#unread() === "") while (this.socket?.confirm() === true);
  }

  /** Whatever is on its way is lost. */
  lose(): MemorySocket | undefined {
    const lost = this.socket;
    this.socket = undefined;
    this.#up = [];
    return lost;
  }

  come(socket: MemorySocket): void {
    this.socket = socket;
    this.#readBytes = 0;
    this.#isWaiting = true;
    const sequenceId = this.#kept[0]?.id ?? this.#sentId + 1;
    this.#up.push({ type: messageType.sequence, sequenceId }, ...this.#kept.map(({ message }) => message));
  }

  #unread(): string {
    // One character a byte, so that places in the text are places in the bytes.
    return Array.from(this.socket?.written.subarray(this.#readBytes) ?? [], (byte) => String.fromCharCode(byte)).join(
      "",
    );
  }

  #take(body: string): void {
    if (body === "{}") return;
    const message = jsonCodec.decode(bytes(body)) as HubMessage;
    if (this.#isWaiting && message.type !== messageType.sequence) throw new Error("said before its Sequence");
    if (message.type === messageType.sequence) {
      // As the stock client does it: against its place in a replay before, not against what it has.
      if (message.sequenceId > this.#nextId) throw new Error("a Sequence greater than what was received");
      this.#isWaiting = false;
      this.#nextId = message.sequenceId;
    } else if (message.type === messageType.ack) {
      const { sequenceId } = message;
      if (sequenceId > this.#sentId) throw new Error("an acknowledgement of what was never sent");
      this.#kept = this.#kept.filter(({ id }) => id > sequenceId);
    } else if (message.type === messageType.invocation) {
      const id = this.#nextId++;
      if (id <= this.#latestId) return;
      this.#latestId = id;
      this.heard.push(message.arguments[0] as string);
    }
  }
}

function createBench() {
  const taken: string[] = [];
  const fixture = createFixture();
  const { clock } = fixture;
  const take = methodOf("Take", { schemas: [textSchema()], handle: (_call, words: string) => void taken.push(words) });
  const base = hubOf([take]);
  const hub = { ...base, settings: { ...base.settings, maxReplayBytes: MAX_REPLAY_BYTES } };
  const limiter = limiterOf(clock, false);
  const dispatch = createDispatcher<Staff>({
    limiter,
    idempotency: createMemoryIdempotencyStore({ clock }),
    digest: systemDigest,
    createCall: (connection, method, control) => new ConnectionCall(connection, method, control, fixture),
    watch: patientWatch(),
  });
  const client = new ModelClient();
  const { connection, socket } = fixture.connect({ isOpen: false, isMute: true });
  connection.speak(
    new SignalRHandler({
      connection,
      hub,
      dispatch,
      limiter,
      clock,
      telemetry: () => undefined,
      decodeLimits: decodeLimitDefaults,
      isResumable: true,
      bind: () => true,
    }),
  );
  client.socket = socket;
  socket.peerSends(encodeHandshakeRequest({ protocol: "json", version: 2 }));

  async function comeBack(): Promise<void> {
    client.lose()?.end();
    expect(await connection.resumption?.reclaim()).toBe("ready");
    const next = new MemorySocket();
    next.listen(connection.resumption?.attach(next, undefined) ?? connection);
    client.come(next);
  }

  const commands = {
    "server says": (count: number, words: () => string) => {
      for (let said = 0; said < count; said++)
        connection.deliver(new Publication("note", [words()], undefined), undefined);
    },
    "client says": (count: number, words: () => string) => {
      for (let said = 0; said < count; said++) client.say(words());
    },
    "network carries up": (count: number) => client.deliver(count),
    "client reads": (count: number) => {
      while (clock.pendingTurn > 0) clock.endTurn();
      client.read(count);
    },
    "client acknowledges": () => client.acknowledge(),
    "server beats": () => connection.beat(readInstant(clock)),
    "network fails": () => client.lose()?.end(),
    "client comes back": () => comeBack(),
    "client comes back and acknowledges in the midst of the replay": async (count) => {
      await comeBack();
      commands["client reads"](count);
      client.acknowledge();
      client.deliver(Infinity);
    },
  } satisfies Record<string, (count: number, words: () => string) => void | Promise<void>>;

  return { taken, client, connection, commands, comeBack, clock };
}

const commandNames = Object.keys(createBench().commands) as (keyof ReturnType<typeof createBench>["commands"])[];
const history = fc.array(fc.tuple(fc.constantFrom(...commandNames), fc.integer({ min: 1, max: 6 })), { maxLength: 60 });

describe("a resumable connection", () => {
  it("carries every message once and in order in both directions, wherever its transports are cut", async () => {
    let resumptions = 0;
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const { taken, client, connection, commands, comeBack } = createBench();
        const expected: Record<string, string[]> = { "server says": [], "client says": [] };
        for (const [name, count] of steps) {
          const said = expected[name];
          await commands[name](count, () => {
            const words = `${name} ${(said?.length ?? 0) + 1}`;
            said?.push(words);
            return words;
          });
          const { keptBytes } = connection.outbox as ReplayOutbox;
          expect(keptBytes).toBeLessThanOrEqual(MAX_REPLAY_BYTES + outboxDefaults.maxBytes);
          if (name.startsWith("client comes back")) resumptions++;
        }
        await comeBack();
        // Each acknowledgement makes room for at least one more; the first may be of what came again.
        for (let round = 0; round <= (expected["server says"]?.length ?? 0); round++) {
          commands["client reads"](Infinity);
          client.acknowledge();
          client.deliver(Infinity);
        }
        client.deliver(Infinity);
        commands["server beats"]();
        commands["client reads"](Infinity);
        expect(client.heard).toEqual(expected["server says"]);
        expect(taken).toEqual(expected["client says"]);
        client.acknowledge();
        client.deliver(Infinity);
        expect((connection.outbox as ReplayOutbox).keptBytes).toBe(0);
      }),
      { numRuns: 500 },
    );
    expect(resumptions).toBeGreaterThan(0);
  });
});
