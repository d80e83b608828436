/**
 * A WebSocket client on a bare TCP socket: does the upgrade itself, counts frames, answers pings, parses nothing.
 * All connections read into one shared buffer, so a process can hold thousands and take 200,000 frames a second.
 * (Sharing is safe where libuv reads on readiness: Linux and macOS, not Windows.)
 */

import { createHash, randomBytes } from "node:crypto";
import net from "node:net";
import { encodeMaskedFrame, opcodes, walkFrames } from "./frames.mjs";

const sharedReadBuffer = Buffer.allocUnsafe(256 * 1024);
const maxHeadBytes = 16 * 1024;
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 1.3
const nothing = Buffer.alloc(0);

/**
 * Opens a connection and resolves when the server has switched protocols.
 *
 * @param {object} options
 * @param {number} options.port on 127.0.0.1
 * @param {string} options.path with the query
 * @param {Readonly<Record<string, string>>} [options.headers]
 * @returns {Promise<RawWebSocket>} rejects with the status line where the upgrade is refused
 */
export function openRawWebSocket({ port, path, headers = {} }) {
  return new Promise((resolve, reject) => {
    new RawWebSocket({ port, path, headers, onOpen: resolve, onFailure: reject });
  });
}

class RawWebSocket {
  /** @type {((buffer: Buffer, start: number, end: number) => void) | null} */
  #onText = null;
  /** Text frames that came before anyone listened. @type {string[]} */
  #unread = [];
  /** @type {{ resolve: (text: string) => void, reject: (error: Error) => void } | null} */
  #reader = null;
  /** Of a message that comes in several frames. @type {Buffer[]} */
  #fragments = [];
  #carry = nothing;
  #head = nothing;
  #isOpen = false;
  #socket;
  #handshake;

  /** Why the connection ended, in words; null while it lives. @type {string | null} */
  ended = null;

  constructor({ port, path, headers, onOpen, onFailure }) {
    this.#handshake = { key: randomBytes(16).toString("base64"), onOpen, onFailure };
    this.#socket = net.connect({
      port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer: sharedReadBuffer,
        callback: (length, buffer) => {
          this.#receive(buffer, length);
          return true;
        },
      },
    });
    this.#socket.on("error", (error) => this.#end(`socket error: ${error.message}`));
    this.#socket.on("close", () => this.#end("the socket was closed"));
    const extra = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${this.#handshake.key}\r\nSec-WebSocket-Version: 13\r\n${extra.join("")}\r\n`,
    );
  }

  /** Sends one text frame. @param {string} text */
  sendText(text) {
    if (this.ended === null) this.#socket.write(encodeMaskedFrame(opcodes.text, Buffer.from(text)));
  }

  /** The next text frame, for handshakes. Only before `listen`. @returns {Promise<string>} */
  nextText() {
    const text = this.#unread.shift();
    if (text !== undefined) return Promise.resolve(text);
    if (this.ended !== null) return Promise.reject(new Error(this.ended));
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** From now on every text frame goes to `onText`, as a slice of a buffer that is reused after the call. */
  listen(onText) {
    this.#onText = onText;
    for (const text of this.#unread.splice(0)) {
      const payload = Buffer.from(text);
      onText(payload, 0, payload.length);
    }
  }

  /** Of its own end of the connection. @returns {number} */
  get localPort() {
    return this.#socket.localPort ?? 0;
  }

  /** Reads nothing until `resume`, not even a ping. */
  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  /** Begins the closing handshake (RFC 6455 7.1.2) with code 1000. */
  close() {
    if (this.ended === null) this.#socket.write(encodeMaskedFrame(opcodes.close, Buffer.from([0x03, 0xe8])));
  }

  /** Ends the connection at once. */
  destroy() {
    this.#end("ended by the load process");
    this.#socket.destroy();
  }

  #receive(buffer, length) {
    if (this.ended !== null) return;
    try {
      if (this.#isOpen) this.#receiveFrames(buffer, length);
      else this.#receiveHead(Buffer.concat([this.#head, buffer.subarray(0, length)]));
    } catch (error) {
      this.#end(`protocol: ${error.message}`);
      this.#socket.destroy();
    }
  }

  #receiveFrames(buffer, length) {
    const whole = this.#carry.length > 0 ? Buffer.concat([this.#carry, buffer.subarray(0, length)]) : buffer;
    const end = this.#carry.length + length;
    // What one read makes it say leaves in one write, or a process of many callers is what gets measured.
    this.#socket.cork();
    const rest = walkFrames(whole, 0, end, this.#onFrame);
    this.#socket.uncork();
    this.#carry = rest === end ? nothing : Buffer.from(whole.subarray(rest, end));
  }

  #onFrame = (opcode, buffer, start, end, isFinal) => {
    if (!isFinal || opcode === 0) {
      // ASP.NET Core splits a message where its own buffers end.
      this.#fragments.push(Buffer.from(buffer.subarray(start, end)));
      if (!isFinal) return;
      const whole = Buffer.concat(this.#fragments.splice(0));
      this.#onFrame(opcodes.text, whole, 0, whole.length, true);
    } else if (opcode === opcodes.text) {
      if (this.#onText) this.#onText(buffer, start, end);
      else this.#keepText(buffer.toString("utf8", start, end));
    } else if (opcode === opcodes.ping) {
      this.#socket.write(encodeMaskedFrame(opcodes.pong, buffer.subarray(start, end)));
    } else if (opcode === opcodes.close) {
      const code = end - start >= 2 ? buffer.readUInt16BE(start) : 1005;
      this.#end(`WebSocket close ${code} ${buffer.toString("utf8", Math.min(start + 2, end), end)}`.trim());
      this.#socket.end(encodeMaskedFrame(opcodes.close, buffer.subarray(start, end)));
    } else if (opcode !== opcodes.pong) {
      throw new Error(`unexpected opcode ${opcode}`);
    }
  };

  #keepText(text) {
    const reader = this.#reader;
    this.#reader = null;
    if (reader) reader.resolve(text);
    else this.#unread.push(text);
  }

  #receiveHead(head) {
    const headEnd = head.indexOf("\r\n\r\n");
    if (headEnd === -1) {
      if (head.length > maxHeadBytes) throw new Error("endless response head");
      this.#head = head;
      return;
    }
    const lines = head.toString("latin1", 0, headEnd).split("\r\n");
    const expected = createHash("sha1")
      .update(this.#handshake.key + acceptSuffix)
      .digest("base64");
    const accept = lines
      .find((line) => /^sec-websocket-accept:/i.test(line))
      ?.split(":", 2)[1]
      .trim();
    if (!lines[0].startsWith("HTTP/1.1 101") || accept !== expected) throw new Error(`upgrade refused: ${lines[0]}`);
    this.#isOpen = true;
    this.#head = nothing;
    this.#handshake.onOpen(this);
    const rest = head.subarray(headEnd + 4);
    if (rest.length > 0) this.#receiveFrames(rest, rest.length);
  }

  #end(reason) {
    if (this.ended !== null) return;
    this.ended = reason;
    const error = new Error(reason);
    this.#handshake.onFailure(error); // settles nothing once the connection was open
    this.#reader?.reject(error);
    this.#reader = null;
  }
}
