/** A WebSocket client that does exactly what it is told, also what no client should. RFC 6455. */

import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { Recorder } from "./recorder.js";

export interface RawFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export interface FrameOptions {
  readonly opcode: number;
  readonly payload?: Uint8Array | undefined;
  readonly isFinal?: boolean | undefined;
  readonly isMasked?: boolean | undefined;
}

export interface UpgradeOptions {
  readonly port: number;
  readonly path: string;
  /** Header lines beyond the WebSocket's own; a null takes one of these away. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | null>> | undefined;
}

/** What the server made of an upgrade. */
export type UpgradeOutcome =
  | { readonly isOpen: true; readonly webSocket: RawWebSocket }
  | { readonly isOpen: false; readonly status: number; readonly head: string; readonly body: string };

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Asks for an upgrade on a connection of its own. */
export async function upgrade({ port, path, headers = {} }: UpgradeOptions): Promise<UpgradeOutcome> {
  const socket = await dial(port);
  const lines = { ...upgradeHeaders(port), ...headers };
  const head = Object.entries(lines).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((each) => `${name}: ${each}\r\n`),
  );
  socket.write(`GET ${path} HTTP/1.1\r\n${head.join("")}\r\n`);
  return readOutcome(socket);
}

/** The same, for those who expect to get in. */
export async function openWebSocket(options: UpgradeOptions): Promise<RawWebSocket> {
  const outcome = await upgrade(options);
  if (!outcome.isOpen) throw new Error(`the upgrade was refused: ${outcome.head}\n${outcome.body}`);
  return outcome.webSocket;
}

/** A bare TCP connection to the server. */
export function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
    socket.once("error", reject);
  });
}

export function upgradeHeaders(port: number): Readonly<Record<string, string>> {
  return {
    host: `127.0.0.1:${port}`,
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": randomBytes(16).toString("base64"),
  };
}

function readOutcome(socket: Socket): Promise<UpgradeOutcome> {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const refused = (): void => {
      const text = received.toString("latin1");
      const [head = "", body = ""] = text.split("\r\n\r\n", 2);
      resolve({ isOpen: false, status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), head, body });
    };
    const read = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf("\r\n\r\n");
      if (end === -1 || !received.toString("latin1", 0, 12).startsWith("HTTP/1.1 101")) return;
      socket.off("data", read);
      socket.off("close", refused);
      resolve({ isOpen: true, webSocket: new RawWebSocket(socket, received.subarray(end + 4)) });
    };
    socket.on("data", read);
    socket.on("close", refused);
    socket.on("error", () => undefined);
  });
}

export class RawWebSocket {
  readonly socket: Socket;
  readonly frames: Recorder<RawFrame> = new Recorder();
  /** Hub messages of text frames, parsed. */
  readonly messages: Recorder<Readonly<Record<string, unknown>>> = new Recorder();
  /** How the TCP connection ended. */
  readonly closed: Promise<{ readonly wasReset: boolean }>;
  /** Whether it answers pings, as clients must. Off by default. */
  answersPings = false;
  #unread: Buffer;

  constructor(socket: Socket, head: Buffer) {
    this.socket = socket;
    this.#unread = head;
    this.closed = new Promise((resolve) => {
      let wasReset = false;
      socket.on("error", (error: NodeJS.ErrnoException) => (wasReset ||= error.code === "ECONNRESET"));
      socket.on("close", () => resolve({ wasReset }));
    });
    socket.on("data", (chunk: Buffer) => {
      this.#unread = Buffer.concat([this.#unread, chunk]);
      this.#readFrames();
    });
    this.#readFrames();
  }

  /** Sends hub messages as one text frame, each ended by its separator. */
  sendJson(...messages: readonly object[]): void {
    this.sendText(messages.map((message) => `${JSON.stringify(message)}\x1e`).join(""));
  }

  sendText(text: string): void {
    this.sendFrame({ opcode: opcodes.text, payload: Buffer.from(text) });
  }

  sendBinary(payload: Uint8Array): void {
    this.sendFrame({ opcode: opcodes.binary, payload });
  }

  sendFrame(frame: FrameOptions): void {
    this.socket.write(encodeFrame(frame));
  }

  /** Begins the protocol and waits for the server's answer. */
  async shakeHands(protocol: "json" | "messagepack" = "json"): Promise<void> {
    this.sendJson({ protocol, version: 1 });
    await this.frames.first();
  }

  /** Calls a method and waits for its Completion. JSON only. */
  async invoke(id: string, target: string, ...args: readonly unknown[]): Promise<Readonly<Record<string, unknown>>> {
    this.sendJson({ type: 1, invocationId: id, target, arguments: args });
    return this.messages.first(({ type, invocationId }) => type === 3 && invocationId === id);
  }

  /** The code and reason of the server's Close frame. */
  async closeFrame(): Promise<{ readonly code: number; readonly reason: string }> {
    const { payload } = await this.frames.first(({ opcode }) => opcode === opcodes.close);
    return { code: payload.readUInt16BE(0), reason: payload.toString("utf8", 2) };
  }

  /** Answers a Close frame and ends. */
  end(): void {
    this.sendFrame({ opcode: opcodes.close, payload: Buffer.from([0x03, 0xe8]) });
    this.socket.end();
  }

  #readFrames(): void {
    for (let frame = this.#takeFrame(); frame !== undefined; frame = this.#takeFrame()) {
      this.frames.push(frame);
      if (this.answersPings && frame.opcode === opcodes.ping) {
        this.sendFrame({ opcode: opcodes.pong, payload: frame.payload });
      }
      if (frame.opcode !== opcodes.text || frame.payload.at(-1) !== 0x1e) continue;
      for (const text of frame.payload.toString("utf8", 0, frame.payload.length - 1).split("\x1e")) {
        this.messages.push(JSON.parse(text) as Record<string, unknown>);
      }
    }
  }

  #takeFrame(): RawFrame | undefined {
    const bytes = this.#unread;
    if (bytes.length < 2) return undefined;
    const short = (bytes[1] as number) & 0x7f;
    const headLength = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (bytes.length < headLength) return undefined;
    const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
    if (bytes.length < headLength + length) return undefined;
    this.#unread = bytes.subarray(headLength + length);
    return { opcode: (bytes[0] as number) & 0x0f, payload: bytes.subarray(headLength, headLength + length) };
  }
}

/** A client's frame; masked and final unless told otherwise. */
export function encodeFrame({
  opcode,
  payload = Buffer.alloc(0),
  isFinal = true,
  isMasked = true,
}: FrameOptions): Buffer {
  const first = (isFinal ? 0x80 : 0) | opcode;
  const maskBit = isMasked ? 0x80 : 0;
  const { length } = payload;
  let head: Buffer;
  if (length < 126) head = Buffer.from([first, maskBit | length]);
  else if (length < 65_536) head = Buffer.from([first, maskBit | 126, length >> 8, length & 0xff]);
  else {
    head = Buffer.alloc(10);
    head[0] = first;
    head[1] = maskBit | 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  if (!isMasked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  const masked = Buffer.from(payload);
  for (let index = 0; index < masked.length; index++)
    masked[index] = (masked[index] as number) ^ (mask[index % 4] as number);
  return Buffer.concat([head, mask, masked]);
}
