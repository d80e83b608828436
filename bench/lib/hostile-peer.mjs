/** A peer on a bare TCP socket that does what it is told: HTTP or WebSocket, in pieces, without manners, cut off at will. */

import { randomBytes } from "node:crypto";
import net from "node:net";
import { encodeMaskedFrame, opcodes, walkFrames } from "./frames.mjs";

const nothing = Buffer.alloc(0);

export class HostilePeer {
  /** 0 until the server has answered. */
  status = 0;
  /** Of an answer that is no WebSocket. */
  body = "";
  /** What the server's Close frame said, `<code> <reason>`. */
  closing = "";
  /** Texts of frames. @type {string[]} */
  texts = [];
  /** Whether texts are kept; they are counted anyway. */
  keeps = true;
  /** @type {((text: string) => void) | undefined} */
  onText;
  heard = 0;
  answersPings = true;
  answersClose = true;
  isGone = false;
  #waiting = [];
  #rest = nothing;
  #head = "";

  /** @param {number} port @param {{ path?: string, method?: string, headers?: Record<string, string>, body?: string, isUpgrade?: boolean, isSilent?: boolean, localAddress?: string }} [request] */
  constructor(
    port,
    { path = "/rooms", method = "GET", headers = {}, body = "", isUpgrade = true, isSilent = false, localAddress } = {},
  ) {
    this.socket = net.connect({ port, host: "127.0.0.1", noDelay: true, localAddress });
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.isGone = true;
      this.#wake();
    });
    this.socket.on("data", (chunk) => {
      if (this.status === 101) this.#readFrames(chunk);
      else this.#readHead(chunk);
      this.#wake();
    });
    if (isSilent) return;
    const own = isUpgrade
      ? {
          connection: "Upgrade",
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": randomBytes(16).toString("base64"),
        }
      : { connection: "close", "content-length": String(Buffer.byteLength(body)) };
    const lines = Object.entries({ host: "127.0.0.1", ...own, ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    this.socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
  }

  /** Resolves when it holds, or the socket is gone. @param {(peer: HostilePeer) => boolean} holds */
  until(holds) {
    if (this.isGone || holds(this)) return Promise.resolve(this);
    return new Promise((resolve) => this.#waiting.push({ holds, resolve }));
  }

  answered() {
    return this.until(({ status }) => status !== 0);
  }

  gone() {
    return this.until(() => false);
  }

  say(frame, separator = "") {
    this.send(opcodes.text, Buffer.from(JSON.stringify(frame) + separator));
  }

  send(opcode, payload = nothing) {
    if (!this.socket.destroyed) this.socket.write(encodeMaskedFrame(opcode, payload));
  }

  write(bytes) {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /** How it ended or stands, in a few words: what it was refused with, what it was told at last. */
  get outcome() {
    if (this.closing !== "") return this.closing;
    if (this.status === 101) return this.isGone ? "cut off" : "open";
    if (this.status === 0) return this.isGone ? "cut off before an answer" : "no answer";
    return `HTTP ${this.status} ${/"error":"([^"]*)"/.exec(this.body)?.[1] ?? ""}`.trim();
  }

  /** Says goodbye as a client should. */
  close() {
    this.send(opcodes.close, Buffer.from([0x03, 0xe8]));
    this.socket.end();
  }

  reset() {
    this.socket.resetAndDestroy();
  }

  #wake() {
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter(({ holds, resolve }) => {
      if (!this.isGone && !holds(this)) return true;
      resolve(this);
      return false;
    });
  }

  #readHead(chunk) {
    this.#head += chunk.toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    if (end === -1) return;
    const status = Number(this.#head.slice(9, 12));
    const rest = this.#head.slice(end + 4);
    if (status === 101) {
      this.status = status;
      this.#head = "";
      this.#readFrames(Buffer.from(rest, "latin1"));
      return;
    }
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#head)?.[1] ?? 0);
    if (rest.length < length) return;
    this.status = status;
    this.body = rest;
  }

  #readFrames(chunk) {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = walkFrames(bytes, 0, bytes.length, (opcode, buffer, start, stop) => {
      if (opcode === opcodes.ping && this.answersPings)
        this.send(opcodes.pong, Buffer.from(buffer.subarray(start, stop)));
      if (opcode === opcodes.close) {
        this.closing =
          stop - start < 2 ? "" : `${buffer.readUInt16BE(start)} ${buffer.toString("utf8", start + 2, stop)}`;
        if (this.answersClose) this.close();
      }
      if (opcode !== opcodes.text) return;
      this.heard++;
      if (this.keeps) this.texts.push(buffer.toString("utf8", start, stop));
      this.onText?.(buffer.toString("utf8", start, stop));
    });
    this.#rest = end === bytes.length ? nothing : Buffer.from(bytes.subarray(end));
  }
}

/** One HTTP request on a connection of its own. @returns {Promise<{ status: number, body: string }>} status 0: cut off */
export async function request(port, method, path, headers = {}, body = "") {
  const peer = await new HostilePeer(port, { method, path, headers, body, isUpgrade: false }).answered();
  const { status } = peer;
  peer.socket.destroy();
  return { status, body: peer.body };
}
