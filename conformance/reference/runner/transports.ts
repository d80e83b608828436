/** The three transports under one face, raw: what goes out is what the script says, what comes in is not judged. */

import { opcodes, RawWebSocket } from "../../../tests/support/raw-web-socket.js";
import { ask, askUpgrade, open, readReply, type Reply } from "./http.js";

export type TransportName = "WebSockets" | "ServerSentEvents" | "LongPolling";

/** The transport was not opened. */
export class Refused extends Error {
  readonly reply: Reply;
  constructor(reply: Reply) {
    super(`refused with ${reply.status}`);
    this.reply = reply;
  }
}

/** What a line tells its peer. */
export interface LineListener {
  /** One frame, one event or one poll's body. */
  payload(bytes: Buffer, isBinary: boolean): void;
  /** The last thing that comes. */
  ended(how: string): void;
}

export interface Line {
  send(bytes: Uint8Array, isBinary: boolean): void;
  /** Ends it the way the transport means it. */
  close(code?: number): void;
  /** Cuts it. */
  cut(): void;
  /** From here on nothing that comes is answered. WebSockets only. */
  mute(): void;
}

export interface LineOptions {
  readonly port: number;
  /** Hub path and query, the connection token in it. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly listener: LineListener;
}

/** Resolves once the transport is open: the hub's handshake is still to come. */
export const openLine: Readonly<Record<TransportName, (options: LineOptions) => Promise<Line>>> = {
  WebSockets: openWebSocketLine,
  ServerSentEvents: openServerSentEventsLine,
  LongPolling: openLongPollingLine,
};

async function openWebSocketLine({ port, path, headers, listener }: LineOptions): Promise<Line> {
  const socket = await askUpgrade(port, { path, headers });
  if (!(socket instanceof RawWebSocket)) throw new Refused(socket);
  socket.answersPings = true;
  void readFrames(socket, listener);
  return {
    send: (payload, isBinary) => socket.sendFrame({ opcode: isBinary ? opcodes.binary : opcodes.text, payload }),
    close(code) {
      const payload = code === undefined ? Buffer.alloc(0) : Buffer.from([code >> 8, code & 0xff]);
      socket.sendFrame({ opcode: opcodes.close, payload });
    },
    cut: () => void socket.socket.destroy(),
    mute: () => void socket.socket.pause(),
  };
}

async function readFrames(socket: RawWebSocket, listener: LineListener): Promise<void> {
  let closeFrame: string | undefined;
  let isClosed = false;
  const closed = socket.closed.then(({ wasReset }) => {
    isClosed = true;
    return wasReset;
  });
  for (let count = 0; ; count++) {
    await Promise.race([socket.frames.take(count + 1), closed]);
    const frame = socket.frames.items[count];
    if (frame === undefined) break;
    if (frame.opcode === opcodes.close) {
      const code = frame.payload.length < 2 ? "without a code" : frame.payload.readUInt16BE(0);
      closeFrame = `${code} ${JSON.stringify(frame.payload.toString("utf8", 2))}`;
      if (!isClosed) socket.end();
    } else if (frame.opcode <= opcodes.binary) {
      // A continuation brings more of what is not whole yet.
      listener.payload(frame.payload, frame.opcode === opcodes.binary);
    }
  }
  listener.ended(closeFrame === undefined ? "cut without a close frame" : `close frame ${closeFrame}`);
}

async function openServerSentEventsLine({ port, path, headers, listener }: LineOptions): Promise<Line> {
  const response = await open(port, { path, headers: { ...headers, accept: "text/event-stream" } });
  if (response.statusCode !== 200) throw new Refused(await readReply(response));
  let received = "";
  response.setEncoding("utf8");
  response.on("data", (chunk: string) => {
    const events = (received + chunk).split("\r\n\r\n");
    received = events.pop() ?? "";
    for (const event of events) {
      const lines = event.split("\r\n").filter((line) => line.startsWith("data: "));
      if (lines.length > 0) listener.payload(Buffer.from(lines.map((line) => line.slice(6)).join("\n")), false);
    }
  });
  response.on("error", () => undefined);
  response.on("close", () => listener.ended("the event stream ended"));
  return {
    send: sendByPost({ port, path, headers, listener }),
    close: () => void response.destroy(),
    cut: () => void response.destroy(),
    mute: () => undefined,
  };
}

async function openLongPollingLine(options: LineOptions): Promise<Line> {
  const { port, path, headers, listener } = options;
  const first = await ask(port, { path, headers });
  if (first.status !== 200) throw new Refused(first);
  let isCut = false;
  const poll = async (): Promise<void> => {
    for (;;) {
      const reply = await ask(port, { path, headers }).catch(() => undefined);
      if (isCut) return;
      if (reply?.status !== 200) return listener.ended(`a poll was answered ${reply?.status ?? "nothing"}`);
      if (reply.body.length > 0) listener.payload(reply.body, false);
    }
  };
  void poll();
  return {
    send: sendByPost(options),
    close: () => void ask(port, { method: "DELETE", path, headers }).catch(() => undefined),
    cut() {
      isCut = true;
      void ask(port, { method: "DELETE", path, headers }).catch(() => undefined);
    },
    mute: () => undefined,
  };
}

/** One POST after the other, so that the order is the script's. */
function sendByPost({ port, path, headers, listener }: LineOptions): Line["send"] {
  let last: Promise<unknown> = Promise.resolve();
  return (body) => {
    last = last.then(async () => {
      const reply = await ask(port, { method: "POST", path, headers, body }).catch(() => undefined);
      if (reply?.status !== 200) listener.ended(`a send was answered ${reply?.status ?? "nothing"}`);
    });
  };
}
