import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { Socket, SocketListener } from "../../core/connection/socket.js";
import { certificate, key } from "../../../../../tests/support/certificate.js";
import { encodeFrame, openWebSocket, opcodes, upgradeHeaders } from "../../../../../tests/support/raw-web-socket.js";
import { Recorder } from "../../../../../tests/support/recorder.js";
import { listen, shut } from "../../../../../tests/support/server.js";
import { attach, type AttachOptions } from "./attach.js";
import { INTAKE_BYTES } from "./intake.js";

let server: Server | undefined;
afterEach(async () => {
  if (server !== undefined) await shut(server);
  server = undefined;
});

/** What the first peer did, and what the second: `a 17`, `b hello`, `a closed`. */
type Heard = Recorder<string>;

interface Setup {
  readonly server?: Server;
  readonly options?: AttachOptions;
  /** In the middle of what a message is about. */
  readonly onMessage?: (what: string, socket: Socket) => void;
}

async function serve({ server: made = createServer(), options, onMessage }: Setup = {}) {
  server = made;
  const heard: Heard = new Recorder();
  let peers = 0;
  const open = (socket: Socket): SocketListener => {
    const name = peers++ === 0 ? "a" : "b";
    const tell = (what: string): void => heard.push(`${name} ${what}`);
    return {
      received(data) {
        const text = Buffer.from(data).toString("latin1");
        tell(text.length < 20 ? text : String(text.length));
        onMessage?.(`${name} ${text}`, socket);
      },
      confirmed: () => undefined,
      drained: () => undefined,
      failed() {
        tell("failed");
        socket.reset();
      },
      closed: () => tell("closed"),
    };
  };
  const answer = { accepted: true, closesAsNormal: false, open, abandon: () => undefined } as const;
  attach(
    made,
    {
      endpoint: {
        owns: () => true,
        request: () => Promise.resolve({ status: 404, headers: {}, body: "" }),
        upgrade: () => Promise.resolve(answer),
      },
    },
    options,
  );
  const port = await listen(made);
  return { heard, port, dial: () => openWebSocket({ port, path: "/" }) };
}

const text = (what: string): Buffer => encodeFrame({ opcode: opcodes.text, payload: Buffer.from(what) });
const COUNT = 4_000;
/** Small messages that one read may bring, many times what is handed on at once. */
const flood = Buffer.concat(Array.from({ length: COUNT }, (_, index) => text(String(index))));
const all = Array.from({ length: COUNT }, (_, index) => `a ${index}`);

describe("what a peer sends", () => {
  test("arrives whole and in order, whatever its size", async () => {
    const { dial, heard } = await serve();
    const peer = await dial();
    const large = [INTAKE_BYTES - 6, INTAKE_BYTES, INTAKE_BYTES * 2, 100_000].map((size) => "x".repeat(size));
    peer.socket.write(Buffer.concat([flood, ...large.map(text), text("end")]));
    await heard.first((what) => what === "a end");
    expect(heard.items).toEqual([...all, ...large.map(({ length }) => `a ${length}`), "a end"]);
    peer.end();
  });

  test("arrives whole where it comes in pieces that end anywhere", async () => {
    const { dial, heard } = await serve();
    const peer = await dial();
    for (let at = 0, size = 1; at < flood.length; at += size, size = (size * 7) % 5_003) {
      peer.socket.write(flood.subarray(at, at + size));
      if (size % 5 === 0) await turn();
    }
    await heard.take(COUNT);
    expect(heard.items).toEqual(all);
    peer.end();
  });

  test("arrives whole over TLS", async () => {
    const { port, heard } = await serve({ server: createSecureServer({ key, cert: certificate }) as Server });
    const socket = await new Promise<TLSSocket>((resolve, reject) => {
      const dialled = connectTls({ port, host: "127.0.0.1", ca: certificate, servername: "localhost" }, () =>
        resolve(dialled),
      );
      dialled.once("error", reject);
    });
    const lines = Object.entries(upgradeHeaders(port)).map(([name, value]) => `${name}: ${value}\r\n`);
    // With the upgrade itself: what stands behind its head is the WebSocket's already.
    socket.write(Buffer.concat([Buffer.from(`GET / HTTP/1.1\r\n${lines.join("")}\r\n`), flood]));
    await heard.take(COUNT);
    expect(heard.items).toEqual(all);
    socket.destroy();
  });

  test("may be larger than all the pieces that one small message may come in", async () => {
    const size = 1_500 * INTAKE_BYTES;
    const { dial, heard } = await serve({ options: { maxPayloadBytes: size } });
    const peer = await dial();
    peer.socket.write(text("x".repeat(size)));
    expect(await heard.first()).toBe(`a ${size}`);
    peer.end();
  });

  test("is all heard of a peer that leaves right behind it", async () => {
    const { dial, heard } = await serve();
    const peer = await dial();
    peer.socket.end(flood);
    await heard.first((what) => what === "a closed");
    expect(heard.items).toEqual([...all, "a closed"]);
  });

  test("waits behind what others ask, where it is much", async () => {
    const { dial, heard } = await serve({
      onMessage(what) {
        // The other one asks while the flood is being read, which takes long.
        if (what === "a 0") other.sendText("here");
        const until = performance.now() + 0.2;
        while (what.startsWith("a ") && performance.now() < until);
      },
    });
    const peer = await dial();
    const other = await dial();
    peer.socket.write(flood);
    await heard.take(COUNT + 1);
    const at = heard.items.indexOf("b here");
    expect(at).toBeGreaterThan(0);
    // One read is 64 KiB: all of the flood, and one that had it at once would be over before anybody else is read.
    expect(at).toBeLessThan(COUNT / 2);
    expect(heard.items.filter((what) => what !== "b here")).toEqual(all);
    peer.end();
    other.end();
  });

  test("is not handed on while the socket is paused", async () => {
    const paused: Socket[] = [];
    const { dial, heard } = await serve({
      onMessage(what, socket) {
        if (what !== "a 10") return;
        socket.pause();
        paused.push(socket);
      },
    });
    const peer = await dial();
    peer.socket.write(flood);
    await heard.first((what) => what === "a 10");
    for (let count = 0; count < 20; count++) await turn();
    const meanwhile = heard.items.length;
    // What was handed over together with the one that made it pause, and nothing behind that.
    expect(meanwhile).toBeLessThan(INTAKE_BYTES / 6);
    for (let count = 0; count < 20; count++) await turn();
    expect(heard.items).toHaveLength(meanwhile);
    paused[0]?.resume();
    await heard.take(COUNT);
    expect(heard.items).toEqual(all);
    peer.end();
  });

  test("is not looked at any more once the connection was reset", async () => {
    const { dial, heard } = await serve({
      onMessage(what, socket) {
        if (what === "a 10") socket.reset();
      },
    });
    const peer = await dial();
    peer.socket.write(flood);
    await heard.first((what) => what === "a closed");
    expect(heard.items.length).toBeLessThan(INTAKE_BYTES / 6);
    expect(heard.items.slice(0, 11)).toEqual(all.slice(0, 11));
    expect(await peer.closed).toEqual({ wasReset: true });
  });

  test("makes no sense behind what breaks the rules", async () => {
    const { dial, heard } = await serve();
    const peer = await dial();
    const broken = encodeFrame({ opcode: opcodes.text, payload: Buffer.from("x"), isMasked: false });
    peer.socket.write(Buffer.concat([text("before"), broken, flood]));
    await heard.first((what) => what === "a closed");
    expect([...new Set(heard.items)]).toEqual(["a before", "a failed", "a closed"]);
  });

  test("is over behind a Close frame", async () => {
    const { dial, heard } = await serve();
    const peer = await dial();
    const close = encodeFrame({ opcode: opcodes.close, payload: Buffer.from([0x03, 0xe8]) });
    peer.socket.write(Buffer.concat([text("before"), close, flood]));
    expect(await peer.closeFrame()).toEqual({ code: 1000, reason: "" });
    await heard.first((what) => what === "a closed");
    expect(heard.items).toEqual(["a before", "a closed"]);
  });

  test("of a hundred pings too many costs the rest of them nothing", async () => {
    const { dial, heard } = await serve();
    const peer = await dial();
    const pings = Buffer.concat(Array.from({ length: 10_000 }, () => encodeFrame({ opcode: opcodes.ping })));
    peer.socket.write(Buffer.concat([pings, text("behind them")]));
    await heard.first((what) => what === "a closed");
    expect(heard.items).toEqual(["a failed", "a closed"]);
  });
});
