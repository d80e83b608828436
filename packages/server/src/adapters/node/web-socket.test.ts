import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { randomBytes } from "node:crypto";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { renderFrame } from "@hubward/wire";
import { afterEach, describe, expect, test } from "vitest";
import type { Socket, SocketListener } from "../../core/connection/socket.js";
import { certificate, key } from "../../../../../tests/support/certificate.js";
import {
  openWebSocket,
  opcodes,
  upgradeHeaders,
  type RawWebSocket,
} from "../../../../../tests/support/raw-web-socket.js";
import { Recorder } from "../../../../../tests/support/recorder.js";
import { listen, shut } from "../../../../../tests/support/server.js";
import { attach } from "./attach.js";

type Heard = "confirmed" | "drained" | "failed" | "closed" | "left" | `received ${string}`;

interface Ends {
  /** The server's end, as the core sees it. */
  readonly socket: Socket;
  readonly heard: Recorder<Heard>;
  readonly port: number;
}

let server: Server | undefined;
afterEach(async () => {
  if (server !== undefined) await shut(server);
  server = undefined;
});

/** A server that accepts every upgrade, and its end of the first one. */
async function serve(
  made: Server = createServer(),
  onFailed: (socket: Socket) => void = () => undefined,
  closesAsNormal = false,
): Promise<{ readonly port: number; readonly ends: Promise<Ends> }> {
  server = made;
  const heard = new Recorder<Heard>();
  const sockets = new Recorder<Socket>();
  const listener: SocketListener = {
    received: (data) => heard.push(`received ${Buffer.from(data).toString("latin1")}`),
    confirmed: () => heard.push("confirmed"),
    drained: () => heard.push("drained"),
    failed() {
      heard.push("failed");
      const [socket] = sockets.items;
      if (socket !== undefined) onFailed(socket);
    },
    closed(wasClean) {
      if (wasClean === true) heard.push("left");
      heard.push("closed");
    },
  };
  attach(made, {
    endpoint: {
      owns: () => true,
      request: () => Promise.resolve({ status: 404, headers: {}, body: "" }),
      upgrade: () =>
        Promise.resolve({
          accepted: true,
          closesAsNormal,
          open: (socket: Socket) => {
            sockets.push(socket);
            return listener;
          },
          abandon: () => undefined,
        }),
    },
  });
  const port = await listen(made);
  return { port, ends: sockets.first().then((socket) => ({ socket, heard, port })) };
}

async function open(): Promise<Ends & { readonly peer: RawWebSocket }> {
  const { port, ends } = await serve();
  const peer = await openWebSocket({ port, path: "/" });
  return { ...(await ends), peer };
}

const textFrame = (text: string): Uint8Array => renderFrame("text", Buffer.from(text));

describe("writing", () => {
  test("passes whole frames to the peer as they are, between pings and whatever the library says itself", async () => {
    const { socket, heard, peer } = await open();
    const frames = Array.from({ length: 500 }, (_, index) => `${index} ${"x".repeat(index)}`);
    for (const [index, text] of frames.entries()) {
      socket.write(textFrame(text));
      if (index % 7 === 0) socket.requestConfirmation();
      if (index % 11 === 0) peer.sendFrame({ opcode: opcodes.ping, payload: Buffer.from(String(index)) });
      if (index % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const received = await peer.frames.take(500, ({ opcode }) => opcode === opcodes.text);
    expect(received.map(({ payload }) => payload.toString())).toEqual(frames);
    const pongs = await peer.frames.take(46, ({ opcode }) => opcode === opcodes.pong);
    expect(pongs.map(({ payload }) => payload.toString()).slice(0, 3)).toEqual(["0", "11", "22"]);
    expect(heard.items).not.toContain("closed");
    peer.end();
  });

  test("is confirmed by the pong to the ping that asked, and by no other", async () => {
    const { socket, heard, peer } = await open();
    socket.requestConfirmation();
    const { payload } = await peer.frames.first(({ opcode }) => opcode === opcodes.ping);
    peer.sendFrame({ opcode: opcodes.pong });
    peer.sendFrame({ opcode: opcodes.pong, payload: Buffer.from(payload).reverse() });
    peer.sendText("behind the guesses");
    peer.sendFrame({ opcode: opcodes.pong, payload });
    peer.sendText("behind the answer");
    await heard.first((what) => what === "received behind the answer");
    expect(heard.items).toEqual(["received behind the guesses", "confirmed", "received behind the answer"]);
    peer.end();
  });

  test("shows what a peer that does not read has not taken, and says when it has", async () => {
    const { socket, heard, peer } = await open();
    peer.socket.pause();
    const chunk = textFrame("x".repeat(1 << 20));
    while (socket.queuedBytes === 0) socket.write(chunk);
    expect(socket.queuedBytes).toBeGreaterThan(0);
    peer.socket.resume();
    expect(await heard.first()).toBe("drained");
    expect(socket.queuedBytes).toBe(0);
    peer.end();
  });

  test("a Close frame without a code is answered with 1000", async () => {
    const { peer, heard } = await open();
    peer.sendFrame({ opcode: opcodes.close, payload: Buffer.alloc(0) });
    expect(await peer.closeFrame()).toEqual({ code: 1000, reason: "" });
    await heard.first((what) => what === "closed");
    expect(heard.items).toEqual(["left", "closed"]);
  });

  test("a Close frame with a code is answered with the same", async () => {
    const { peer } = await open();
    peer.sendFrame({ opcode: opcodes.close, payload: Buffer.from([0x0f, 0xa0]) });
    expect(await peer.closeFrame()).toEqual({ code: 4000, reason: "" });
  });

  test("does nothing once the socket closes", async () => {
    const { socket, peer } = await open();
    socket.close(textFrame("last"), 4401, "token_expired");
    socket.write(textFrame("too late"));
    socket.requestConfirmation();
    expect(await peer.closeFrame()).toEqual({ code: 4401, reason: "token_expired" });
    peer.end();
    await peer.closed;
    expect(peer.frames.items.map(({ opcode }) => opcode)).toEqual([opcodes.text, opcodes.close]);
  });
});

describe("closing", () => {
  test("hands over the last frames and the reason in one go", async () => {
    const { socket, heard, peer } = await open();
    socket.close(textFrame("goodbye"), 1001, "going_away");
    expect(await peer.closeFrame()).toEqual({ code: 1001, reason: "going_away" });
    expect(peer.frames.items[0]?.payload.toString()).toBe("goodbye");
    peer.end();
    await heard.first((what) => what === "closed");
    expect(heard.items).toEqual(["left", "closed"]);
  });

  test.each([
    ["behind last frames", textFrame("goodbye"), 1000],
    ["where nothing was said before", new Uint8Array(0), 4401],
  ])("with a peer that takes codes for failures gives the code %s", async (_, lastFrames, code) => {
    const { ends, port } = await serve(createServer(), undefined, true);
    const peer = await openWebSocket({ port, path: "/" });
    (await ends).socket.close(lastFrames, 4401, "token_expired");
    expect(await peer.closeFrame()).toEqual({ code, reason: "token_expired" });
    peer.end();
  });

  test.each([
    ["a reason longer than a close frame can carry", 4401, "x".repeat(124)],
    ["a code that may not be sent", 1006, ""],
    ["a code that is none", 2000, ""],
  ])("ends the socket also with %s", async (_, code, reason) => {
    const { socket, heard, peer } = await open();
    socket.close(new Uint8Array(0), code, reason);
    expect(await peer.closed).toEqual({ wasReset: true });
    await heard.first((what) => what === "closed");
  });

  test("resets a peer that does not answer, after two seconds", async () => {
    const { socket, heard, peer } = await open();
    socket.close(textFrame("goodbye"), 4410, "session_revoked");
    await peer.closeFrame();
    expect(await peer.closed).toEqual({ wasReset: true });
    await heard.first((what) => what === "closed");
  });

  test("twice is closing once", async () => {
    const { socket, peer } = await open();
    socket.close(textFrame("first"), 4401, "token_expired");
    socket.close(textFrame("second"), 1001, "going_away");
    expect(await peer.closeFrame()).toEqual({ code: 4401, reason: "token_expired" });
    peer.end();
    await peer.closed;
    expect(peer.frames.items).toHaveLength(2);
  });

  test("a peer that is held back hears of it, too", async () => {
    const { socket, heard, peer } = await open();
    socket.pause();
    peer.sendText("held back");
    socket.close(new Uint8Array(0), 1001, "going_away");
    await peer.closeFrame();
    peer.end();
    await heard.first((what) => what === "closed");
  });

  test("resetting takes back also what the kernel was given already", async () => {
    const { socket, heard, peer } = await open();
    peer.socket.pause();
    const chunk = textFrame("x".repeat(1 << 16));
    let written = 0;
    while (socket.queuedBytes === 0) {
      socket.write(chunk);
      written += chunk.length;
    }
    const takenByKernels = written - socket.queuedBytes;
    socket.reset();
    peer.socket.resume();
    await peer.closed;
    await heard.first((what) => what === "closed");
    expect(peer.socket.bytesRead).toBeLessThan(takenByKernels);
  });
});

describe("a peer", () => {
  test("is heard in the order it spoke, text and binary alike", async () => {
    const { heard, peer } = await open();
    peer.sendText("one");
    peer.sendBinary(Buffer.from("two"));
    peer.sendFrame({ opcode: opcodes.text, payload: Buffer.from("th"), isFinal: false });
    peer.sendFrame({ opcode: opcodes.continuation, payload: Buffer.from("ree") });
    await heard.take(3);
    expect(heard.items).toEqual(["received one", "received two", "received three"]);
    peer.end();
  });

  test("that is paused is heard again once it is resumed", async () => {
    const { socket, heard, peer } = await open();
    socket.pause();
    for (let index = 0; index < 100; index++) peer.sendText(String(index));
    socket.resume();
    await heard.take(100);
    expect(heard.items.at(-1)).toBe("received 99");
    peer.end();
  });

  test.each([
    ["an unmasked frame", { opcode: opcodes.text, payload: Buffer.from("x"), isMasked: false }, 1002],
    ["an unknown opcode", { opcode: 3 }, 1002],
    ["a fragmented ping", { opcode: opcodes.ping, isFinal: false }, 1002],
    ["a control frame over 125 bytes", { opcode: opcodes.ping, payload: Buffer.alloc(126) }, 1002],
    ["text that is no UTF-8", { opcode: opcodes.text, payload: Buffer.from([0xc3, 0x28]) }, 1007],
    ["a message over the limit", { opcode: opcodes.binary, payload: randomBytes(128 * 1024 + 1) }, 1009],
  ])("that sends %s has failed, and is told by the transport's own code", async (_, frame, code) => {
    const { heard, peer } = await open();
    peer.sendFrame(frame);
    expect((await peer.closeFrame()).code).toBe(code);
    await heard.first((what) => what === "failed");
    peer.end();
    await heard.first((what) => what === "closed");
    expect(new Set(heard.items)).toEqual(new Set(["failed", "closed"]));
    expect(heard.items.at(-1)).toBe("closed");
  });

  test("that breaks the rules hears the listener's last words before the transport's own code", async () => {
    const { ends, port } = await serve(createServer(), (socket) =>
      socket.close(textFrame("why"), 1002, "protocol_error"),
    );
    const peer = await openWebSocket({ port, path: "/" });
    await ends;
    peer.sendFrame({ opcode: opcodes.binary, payload: randomBytes(128 * 1024 + 1) });
    expect(await peer.closeFrame()).toEqual({ code: 1009, reason: "protocol_error" });
    expect(peer.frames.items.map(({ payload }) => payload.toString()).at(0)).toBe("why");
    peer.end();
  });

  test("that says goodbye has left, and one whose network ends has not", async () => {
    const polite = await open();
    polite.peer.end();
    await polite.heard.first((what) => what === "closed");
    expect(polite.heard.items).toEqual(["left", "closed"]);
    await shut(server as Server);
    const cut = await open();
    cut.peer.socket.end();
    await cut.heard.first((what) => what === "closed");
    expect(cut.heard.items).toEqual(["closed"]);
  });

  test("that vanishes is gone", async () => {
    const { heard, peer } = await open();
    peer.socket.resetAndDestroy();
    await heard.first((what) => what === "closed");
    expect(heard.items.filter((what) => what !== "failed")).toEqual(["closed"]);
  });
});

describe("over TLS", () => {
  async function openSecure(): Promise<
    Ends & { readonly peer: TLSSocket; readonly bytes: Recorder<Buffer>; readonly peerClosed: Promise<boolean> }
  > {
    const { port, ends } = await serve(createSecureServer({ key, cert: certificate }) as unknown as Server);
    const bytes = new Recorder<Buffer>();
    const peer = connectTls({ port, host: "127.0.0.1", ca: certificate, servername: "localhost" });
    const lines = Object.entries(upgradeHeaders(port)).map((line) => line.join(": "));
    peer.write(`GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    let wasReset = false;
    peer.on("error", (error: NodeJS.ErrnoException) => (wasReset ||= error.code === "ECONNRESET"));
    peer.on("data", bytes.push);
    const peerClosed = new Promise<boolean>((resolve) => peer.on("close", () => resolve(wasReset)));
    return { ...(await ends), peer, bytes, peerClosed };
  }

  test("what was written in this turn is not stuck, and what the kernel does not take is", async () => {
    const { socket, peer, peerClosed } = await openSecure();
    socket.write(textFrame("a ping, say"));
    expect([socket.queuedBytes > 0, socket.isStuck]).toEqual([true, false]);
    peer.pause();
    const chunk = textFrame("x".repeat(1 << 20));
    for (let count = 0; count < 64 && socket.isStuck !== true; count++) {
      socket.write(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(socket.isStuck).toBe(true);
    socket.reset();
    peer.resume();
    await peerClosed;
  });

  const said = ({ items }: Recorder<Buffer>): string => Buffer.concat(items).toString("latin1");

  test("frames arrive, and closing ends with a reset when nobody answers", async () => {
    const { socket, heard, bytes, peerClosed } = await openSecure();
    socket.write(textFrame("hello over tls"));
    await bytes.first(() => said(bytes).includes("hello over tls"));
    socket.close(textFrame("goodbye over tls"), 4401, "token_expired");
    await bytes.first(() => said(bytes).includes("token_expired"));
    expect(said(bytes)).toContain("goodbye over tls");
    expect(await peerClosed).toBe(true);
    await heard.first((what) => what === "closed");
  });
});
