/** Sockets of rooms that have not said who they are, and those who are just saying it. */

import type { Socket } from "node:net";
import { HubwardError } from "@hubward/wire";
import { describe, expect, test } from "vitest";
import { encodeFrame, opcodes, type RawWebSocket } from "../support/raw-web-socket.js";
import { until } from "../support/until.js";
import { endingOf } from "./ending-of.js";
import { comeIn, hear, knock, refusalOf, say, told } from "./rooms-peer.js";
import { underAttack, type Target } from "./target.js";

const text = (frame: object): Buffer => Buffer.from(JSON.stringify(frame));
const TOO_EARLY = "4400 handshake_required;action=fix-request";

/** An authenticator that waits until it is let go on. */
function createGate(): { readonly entered: Promise<void>; open: () => void; readonly opened: Promise<void> } & {
  enter: () => void;
} {
  let enter = (): void => undefined;
  let open = (): void => undefined;
  const entered = new Promise<void>((resolve) => (enter = resolve));
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { entered, opened, enter: () => enter(), open: () => open() };
}

/** Swaps the authenticator for one with a gate, for subjects from now on. */
function gated(attack: (target: Target, gate: ReturnType<typeof createGate>) => Promise<void>): () => Promise<void> {
  const gate = createGate();
  let isShut = false;
  return underAttack(
    async (target) => {
      isShut = true;
      await attack(target, gate);
      isShut = false;
      gate.open();
    },
    {
      async principal() {
        if (!isShut) return {};
        gate.enter();
        await gate.opened;
        return {};
      },
    },
  );
}

const opened = ({ telemetry }: Target): number =>
  telemetry.items.filter((event) => event.event === "connection.opened" && event.hub === "/rooms").length;

async function refusals({ telemetry }: Target, count: number): Promise<readonly unknown[]> {
  const found = await telemetry.take(count, ({ event }) => event === "connection.refused");
  return found.map((event) => (event.event === "connection.refused" ? event.reason : undefined));
}

describe("who has not said who they are is refused for", () => {
  const broken: readonly (readonly [string, (socket: RawWebSocket, token: string) => void, string])[] = [
    ["a join", (socket) => say(socket, { type: "join", room: "room/one" }), TOO_EARLY],
    ["a ping of the protocol's own", (socket) => say(socket, { type: "ping" }), TOO_EARLY],
    ["a token that is no text", (socket) => say(socket, { type: "auth", token: [] }), TOO_EARLY],
    ["an empty token", (socket) => say(socket, { type: "auth", token: "" }), TOO_EARLY],
    ["an id that is an object", (socket, token) => say(socket, { type: "auth", id: {}, token }), TOO_EARLY],
    [
      "a token that is none",
      (socket) => say(socket, { type: "auth", token: "x.y.z" }),
      "4414 invalid_token;action=relogin",
    ],
    [
      "two auth frames in one segment",
      (socket, token) => {
        const frame = encodeFrame({ opcode: opcodes.text, payload: text({ type: "auth", token }) });
        socket.socket.write(Buffer.concat([frame, frame]));
      },
      TOO_EARLY,
    ],
    ["what is no JSON", (socket) => socket.sendText("hello"), "4400 bad_request;action=fix-request"],
    ["an empty frame", (socket) => socket.sendText(""), "4400 bad_request;action=fix-request"],
    ["a list", (socket) => socket.sendText("[]"), "4400 bad_request;action=fix-request"],
    [
      "a member called __proto__",
      (socket) => socket.sendText('{"type":"auth","__proto__":{"token":"x"}}'),
      "4400 bad_request;action=fix-request",
    ],
    [
      "a token twice",
      (socket) => socket.sendText('{"type":"auth","token":"a","token":"b"}'),
      "4400 bad_request;action=fix-request",
    ],
    [
      "10,000 levels",
      (socket) => socket.sendText(`{"type":"auth","x":${"[".repeat(10_000)}`),
      "4400 too_deep;action=fix-request",
    ],
    [
      "MessagePack where JSON was agreed",
      (socket) => socket.sendBinary(Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff])),
      "4400 malformed_unicode;action=fix-request",
    ],
    [
      "a first frame of 64 KiB and a byte",
      (socket) => socket.sendText(`{"type":"auth","token":"${"x".repeat(65_536)}"}`),
      "1009 message_too_big;action=fix-request",
    ],
    [
      "10 MB without an end",
      (socket) =>
        socket.socket.write(
          Buffer.concat([Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0xa0, 0, 0, 1, 2, 3, 4]), Buffer.alloc(1_000_000)]),
        ),
      "1009 protocol_error;action=fix-request",
    ],
    [
      "60,000 fragments",
      (socket) => {
        socket.sendFrame({ opcode: opcodes.text, payload: Buffer.from("{"), isFinal: false });
        const piece = encodeFrame({ opcode: opcodes.continuation, payload: Buffer.from(" "), isFinal: false });
        socket.socket.write(Buffer.concat(Array.from({ length: 60_000 }, () => piece)));
      },
      "1008 protocol_error;action=fix-request",
    ],
    [
      "an unmasked frame",
      (socket) =>
        socket.sendFrame({ opcode: opcodes.text, payload: text({ type: "auth", token: "t" }), isMasked: false }),
      "1002 protocol_error;action=fix-request",
    ],
    [
      "text that is no UTF-8",
      (socket) => socket.sendFrame({ opcode: opcodes.text, payload: Buffer.from([0xff]) }),
      "1007 protocol_error;action=fix-request",
    ],
  ];

  test.each(broken)("%s", (_, attack, ending) =>
    underAttack(async (target) => {
      const socket = await knock(target);
      attack(socket, await target.strangersToken());
      expect(await endingOf(socket)).toBe(ending);
      // Told once, and nothing else.
      expect(told(socket).map(({ type }) => type)).toEqual(["closing"]);
      expect(await refusals(target, 1)).toEqual([String(told(socket)[0]?.["reason"])]);
      expect(opened(target)).toBe(0);
    })(),
  );

  test(
    "silence, however slowly a first frame drips and however often it pings",
    underAttack(async (target) => {
      const { clock, strangersToken } = target;
      const silent = await knock(target);
      const dripping = await knock(target);
      const whole = encodeFrame({
        opcode: opcodes.text,
        payload: text({ type: "auth", token: await strangersToken() }),
      });
      for (let at = 0; at < 9; at++) {
        dripping.socket.write(whole.subarray(at, at + 1));
        dripping.socket.write("");
        silent.sendFrame({ opcode: opcodes.ping, payload: Buffer.from([at]) });
        await silent.frames.take(at + 1, ({ opcode }) => opcode === opcodes.pong);
        clock.advance(555);
      }
      clock.advance(5);
      for (const socket of [silent, dripping]) expect(await endingOf(socket)).toMatch(/^4408 handshake_timeout/);
      expect(opened(target)).toBe(0);
    }),
  );
});

test(
  "an auth frame in fragments, with pings between them, is one auth frame",
  underAttack(async (target) => {
    const socket = await knock(target);
    const whole = text({ type: "auth", id: 7, token: await target.strangersToken() });
    const pieces = Array.from({ length: 50 }, (_, index) =>
      whole.subarray((index * whole.length) / 50, ((index + 1) * whole.length) / 50),
    );
    for (const [index, payload] of pieces.entries()) {
      socket.sendFrame({ opcode: index === 0 ? opcodes.text : opcodes.continuation, payload, isFinal: index === 49 });
      socket.sendFrame({ opcode: opcodes.ping });
    }
    expect(await hear(socket, ({ type }) => type === "ready")).toMatchObject({ id: 7 });
  }),
);

describe("while a token is judged", () => {
  test(
    "frames end it, and who was judged good is not let in after that",
    gated(async (target, gate) => {
      const socket = await knock(target);
      say(socket, { type: "auth", token: await target.strangersToken() });
      await gate.entered;
      say(socket, { type: "join", room: "room/one" });
      expect(await endingOf(socket)).toBe(TOO_EARLY);
      gate.open();
      await new Promise((resolve) => setImmediate(resolve));
      expect(opened(target)).toBe(0);
    }),
  );

  test.each(["closes", "resets", "half-closes"])("a peer that %s leaves nothing", (how) =>
    gated(async (target, gate) => {
      // As the server sees it.
      const isGone = new Promise<void>((resolve) =>
        target.server.once("connection", (accepted) => accepted.once("close", () => resolve())),
      );
      const socket = await knock(target);
      say(socket, { type: "auth", token: await target.strangersToken() });
      await gate.entered;
      if (how === "closes") socket.end();
      else if (how === "resets") socket.socket.resetAndDestroy();
      else socket.socket.end();
      await isGone;
      gate.open();
      await new Promise((resolve) => setImmediate(resolve));
      expect(opened(target)).toBe(0);
      expect(told(socket).filter(({ type }) => type === "ready")).toEqual([]);
    })(),
  );

  test(
    "a token that ends meanwhile is not let in",
    gated(async (target, gate) => {
      const socket = await knock(target);
      say(socket, { type: "auth", token: await target.issuer.token("ada", { lifetime: 60 }) });
      await gate.entered;
      target.clock.jump(61_000);
      gate.open();
      expect(await endingOf(socket)).toMatch(/^4401 token_expired/);
    }),
  );
});

test(
  "sockets that say nothing are as many as allowed, one more is refused with a reason, and they give their places back",
  underAttack(
    async (target) => {
      const silent = await Promise.all(Array.from({ length: 8 }, () => knock(target)));
      const crowded = '503 {"error":"try_again_later;action=retry-after;retry_after=5"}';
      expect(await refusalOf(target)).toBe(crowded);
      // Those who say who they are with the upgrade are no part of the crowd.
      await comeIn(target);
      silent[0]?.socket.resetAndDestroy();
      silent[1]?.end();
      say(silent[2] as RawWebSocket, { type: "join", room: "x" });
      (silent[2] as RawWebSocket).answersPings = false;
      await endingOf(silent[2] as RawWebSocket);
      await Promise.all(silent.slice(0, 2).map((socket) => socket.closed));
      const again: RawWebSocket[] = [];
      while (again.length < 3) {
        const outcome = await knock(target).catch(() => undefined);
        if (outcome !== undefined) again.push(outcome);
      }
      expect(await refusalOf(target)).toBe(crowded);
      for (const socket of [...silent, ...again]) socket.socket.destroy();
    },
    {},
    { rooms: { maxUnauthenticated: 8 } },
  ),
);

test(
  "one that was refused and never answers the Close frame is reset",
  underAttack(async (target) => {
    const socket = await knock(target);
    socket.sendText("x");
    await socket.closeFrame();
    // Goes on as if nothing had happened.
    say(socket, { type: "auth", token: await target.strangersToken() });
    expect(await socket.closed).toEqual({ wasReset: true });
    expect(opened(target)).toBe(0);
  }),
);

test(
  "one that was refused and goes on sending is not read for long",
  underAttack(async (target) => {
    let accepted: Socket | undefined;
    target.server.once("connection", (socket) => (accepted = socket));
    const socket = await knock(target);
    socket.sendText("x");
    await socket.closeFrame();
    const piece = encodeFrame({ opcode: opcodes.text, payload: Buffer.alloc(60_000, 0x20) });
    for (let sent = 0; sent < 20_000_000 && !socket.socket.destroyed; sent += piece.length) {
      socket.socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await socket.closed;
    await until(() => accepted?.destroyed === true);
    expect(accepted?.bytesRead).toBeLessThan(2_000_000);
  }),
);

test.each([true, false])("who pings and reads no answers is cut off, and that is told (in already: %s)", (isIn) =>
  underAttack(async (target) => {
    const { telemetry } = target;
    const socket = isIn ? await comeIn(target) : await knock(target);
    socket.socket.pause();
    const pings = Buffer.concat(Array.from({ length: 2_000 }, () => encodeFrame({ opcode: opcodes.ping })));
    const isOver = telemetry.first(
      (event) => event.event === "connection.closed" || event.event === "connection.refused",
    );
    let reason: unknown;
    void isOver.then((event) => (reason = "reason" in event ? event.reason : undefined));
    for (let burst = 0; burst < 1_000 && reason === undefined; burst++) {
      socket.socket.write(pings);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(reason).toBe("protocol_error");
    socket.socket.destroy();
  })(),
);

test(
  "MessagePack bombs of a few bytes",
  underAttack(async (target) => {
    for (const digits of [
      "ddffffffff",
      "dfffffffff",
      "81a161ddffffffff",
      "81a161dbffffffff",
      "81dbffffffff",
      "c9ffffffffff",
    ]) {
      const socket = await knock(target, { headers: { "sec-websocket-protocol": "hubward.rooms.v1.msgpack" } });
      socket.sendBinary(Buffer.from(digits, "hex"));
      expect(await endingOf(socket)).toBe("4400 bad_request;action=fix-request");
    }
  }),
);

test(
  "an authenticator that says why in its own words is believed, and its words are not told",
  underAttack(
    async (target) => {
      const socket = await knock(target);
      say(socket, { type: "auth", token: await target.issuer.token("mallory") });
      expect(await endingOf(socket)).toBe("4403 forbidden");
      expect(JSON.stringify(told(socket))).not.toContain("secret");
    },
    {
      principal({ subject }) {
        if (subject === "mallory") throw new HubwardError("forbidden", { detail: "secret" });
        return {};
      },
    },
  ),
);
