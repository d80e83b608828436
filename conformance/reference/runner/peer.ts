/** One scripted client: writes down what it sends and what it is sent, and waits for nothing it was not told to. */

import { Inbox, NothingCame } from "./inbox.js";
import {
  encodeJson,
  encodeMessagePack,
  invoke,
  splitBinary,
  splitText,
  type Encoding,
  type Message,
} from "./hub-messages.js";
import type { Names } from "./names.js";
import type { Line, LineListener } from "./transports.js";

/** A script that cannot go on; what was written down until then is its transcript. */
export class RunStopped extends Error {}

type Came =
  | { readonly kind: "message"; readonly line: string; readonly type: unknown; readonly value: unknown }
  | { readonly kind: "ended"; readonly how: string };

/** Pings and acknowledgements come when a timer says so. */
const UNASKED: readonly unknown[] = [6, 8];
const FENCE = "fence";

export class Peer {
  readonly name: string;
  readonly encoding: Encoding;
  readonly #write: (entry: string) => void;
  readonly #names: Names;
  readonly #inbox: Inbox<Came>;
  #line: Line | undefined;
  #left: Buffer = Buffer.alloc(0);
  #isShaken = false;
  #hasEnded = false;
  /** Counts transports: what an old one still says is not heard. */
  #epoch = 0;

  constructor(name: string, encoding: Encoding, write: (entry: string) => void, names: Names, patienceMs: number) {
    this.#inbox = new Inbox(patienceMs);
    this.#names = names;
    this.name = name;
    this.encoding = encoding;
    this.#write = write;
  }

  /** Who hears the next transport. */
  listener(): LineListener {
    const epoch = ++this.#epoch;
    this.#left = Buffer.alloc(0);
    this.#hasEnded = false;
    return {
      payload: (bytes, isBinary) => {
        if (epoch === this.#epoch) this.#payload(bytes, isBinary);
      },
      ended: (how) => {
        if (epoch === this.#epoch) this.#ended(how);
      },
    };
  }

  attach(line: Line): void {
    this.#line = line;
  }

  #payload(bytes: Buffer, isBinary: boolean): void {
    const all = Buffer.concat([this.#left, bytes]);
    // The answer to the handshake is JSON in either encoding.
    const isText = this.encoding === "json" || !this.#isShaken;
    const { messages, left } = isText ? splitText(all) : splitBinary(all);
    for (const [index, message] of messages.entries()) {
      if (!this.#isShaken && index === 0 && this.encoding === "messagepack") {
        this.#isShaken = true;
        this.#inbox.push({ kind: "message", ...message });
        const rest = all.subarray(Buffer.byteLength(message.line) + 1);
        this.#left = Buffer.alloc(0);
        if (rest.length > 0) this.#payload(rest, isBinary);
        return;
      }
      this.#isShaken = true;
      this.#inbox.push({ kind: "message", ...message });
    }
    this.#left = left;
  }

  #ended(how: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#left.length > 0) {
      const line = `(not a whole message) ${this.#left.toString("hex")}`;
      this.#inbox.push({ kind: "message", line, type: undefined, value: undefined });
    }
    this.#inbox.push({ kind: "ended", how });
  }

  /** One payload of all these messages. */
  send(...messages: readonly Message[]): void {
    this.#log(">", messages.map((message) => JSON.stringify(message, showBytes)).join(" ␞ "));
    this.#sendQuietly(...messages);
  }

  /** Bytes as they are. */
  sendRaw(bytes: string | Uint8Array, { isBinary = typeof bytes !== "string" } = {}): void {
    const shown = typeof bytes === "string" ? bytes.replaceAll("\x1e", "␞") : Buffer.from(bytes).toString("hex");
    this.#log("> raw", shown);
    this.#line?.send(typeof bytes === "string" ? Buffer.from(bytes) : bytes, isBinary);
  }

  /** Begins the protocol and takes the answer; written down only when it is not the usual one. */
  async shakeHands(version: number): Promise<void> {
    this.#line?.send(encodeJson({ protocol: this.encoding, version }), false);
    const came = await this.#take();
    if (came.kind !== "message" || came.line !== "{}") {
      this.#logCame(came);
      throw new RunStopped();
    }
  }

  /** The next messages, pings and acknowledgements left out. The last one's content is returned. */
  async expect(count = 1): Promise<unknown> {
    let last: unknown;
    for (let done = 0; done < count; done++) last = (await this.#next(UNASKED)).value;
    return last;
  }

  /** The next message of a type, others that are asked for nothing left out. */
  async expectType(type: number): Promise<unknown> {
    return (await this.#next(UNASKED.filter((each) => each !== type))).value;
  }

  /** So many pings, written down as one line: how many come in a time is nobody's promise. */
  async expectPings(count: number): Promise<void> {
    for (let heard = 0; heard < count;) {
      const came = await this.#take();
      if (came.kind === "message" && came.type === 6) {
        heard++;
        continue;
      }
      this.#logCame(came);
      if (came.kind === "ended") throw new RunStopped();
    }
    this.#log("<", "(pings)");
  }

  /** Everything up to and with the next Completion. */
  async expectCompletion(): Promise<void> {
    while ((await this.#next(UNASKED)).type !== 3);
  }

  /** Everything until these calls are completed, sorted by call: they may end in any order. */
  async expectCompletions(...ids: readonly string[]): Promise<void> {
    const open = new Set(ids);
    const came: Came[] = [];
    while (open.size > 0) {
      const next = await this.#take();
      if (next.kind === "ended") {
        this.#logCame(next);
        throw new RunStopped();
      }
      if (UNASKED.includes(next.type)) continue;
      came.push(next);
      if (next.type === 3) open.delete(idOf(next.value));
    }
    for (const id of ids)
      for (const each of came) if (each.kind === "message" && idOf(each.value) === id) this.#logCame(each);
  }

  /** A call of the server's. Returns its id. */
  async expectCall(): Promise<string> {
    return idOf((await this.#next(UNASKED)).value);
  }

  /** Everything until the transport ends. */
  async expectEnd(): Promise<void> {
    for (;;) {
      const came = await this.#take();
      if (came.kind === "message" && UNASKED.includes(came.type)) continue;
      this.#logCame(came);
      if (came.kind === "ended") return;
    }
  }

  /** Writes down what came so far, by a call that is answered behind it. Needs a free invocation. */
  async fence(): Promise<void> {
    this.#sendQuietly(invoke(FENCE, "Echo", FENCE));
    for (;;) {
      const came = await this.#take();
      if (came.kind === "message" && isFence(came.value)) return;
      if (came.kind === "message" && UNASKED.includes(came.type)) continue;
      this.#logCame(came);
      if (came.kind === "ended") throw new RunStopped();
    }
  }

  /** Ends the transport. WebSockets: a Close frame with this code, or without one. */
  close(code?: number): void {
    this.#log(">", code === undefined ? "(closes)" : `close frame ${code}`);
    this.#line?.close(code);
  }

  /** Cuts the connection as a failing network would; what it still says is not heard. */
  cut(): void {
    this.#epoch++;
    this.#log(">", "(cuts the connection)");
    this.#line?.cut();
  }

  /** Leaves the old connection as it is, open and unread, for a new one. */
  abandon(): void {
    this.#epoch++;
    this.#log(">", "(leaves the connection open)");
    this.#line?.mute();
  }

  /** At the end of a script: what nobody waited for is written down, too. */
  finish(): void {
    for (const came of this.#inbox.rest()) {
      if (came.kind === "message" && !UNASKED.includes(came.type)) this.#logCame(came, " (unasked)");
    }
    this.#epoch++;
    this.#line?.cut();
  }

  #sendQuietly(...messages: readonly Message[]): void {
    const encode = this.encoding === "json" ? encodeJson : encodeMessagePack;
    this.#line?.send(Buffer.concat(messages.map(encode)), this.encoding === "messagepack");
  }

  async #next(skipped: readonly unknown[]): Promise<Came & { readonly kind: "message" }> {
    for (;;) {
      const came = await this.#take();
      if (came.kind === "message" && skipped.includes(came.type)) continue;
      this.#logCame(came);
      if (came.kind === "ended") throw new RunStopped();
      return came;
    }
  }

  async #take(): Promise<Came> {
    try {
      return await this.#inbox.take();
    } catch (error) {
      if (!(error instanceof NothingCame)) throw error;
      this.#log("<", "(nothing came)");
      throw new RunStopped();
    }
  }

  #logCame(came: Came, note = ""): void {
    if (came.kind === "message" && came.type === 1) {
      const id = idOf(came.value);
      if (id !== "") this.#names.learnCall(id);
    }
    this.#log(`<${note}`, came.kind === "message" ? came.line : `(${came.how})`);
  }

  #log(direction: string, text: string): void {
    this.#write(`${this.name}${direction} ${text}`);
  }
}

function isFence(value: unknown): boolean {
  return idOf(value) === FENCE;
}

/** The id in a message of either encoding; empty where there is none. */
function idOf(value: unknown): string {
  const id = Array.isArray(value)
    ? (value as readonly unknown[])[2]
    : (value as { readonly invocationId?: unknown } | undefined)?.invocationId;
  return typeof id === "string" ? id : "";
}

function showBytes(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? { bin: Buffer.from(value).toString("hex") } : value;
}
