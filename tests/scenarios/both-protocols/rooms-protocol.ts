/** A bare `ws` client, and rooms, in either encoding. */

import { decode, encode } from "@msgpack/msgpack";
import { onTestFinished } from "vitest";
import type { ClientOptions } from "ws";
import { Recorder } from "../../support/recorder.js";
import { ask, bearer } from "../../support/server.js";
import { Refused, type FrameKind, type Peer, type Protocol, type Verdict, type Visitor } from "./protocol.js";
import { COOKIE, ROOMS } from "./places.js";
import { reasonIn, WatchedSocket } from "./watched-socket.js";

type Frame = Readonly<Record<string, unknown>>;

interface Encoding {
  readonly name: string;
  readonly subprotocol: string;
  readonly isBinary: boolean;
  read(data: Buffer): Frame;
  write(frame: Frame): string | Uint8Array;
}

export const roomsProtocol: Protocol = roomsIn({
  name: "JSON",
  subprotocol: "hubward.rooms.v1",
  isBinary: false,
  read: (data) => JSON.parse(data.toString("utf8")) as Frame,
  write: (frame) => JSON.stringify(frame),
});

/** Its other encoding. */
export const roomsVariants: readonly Protocol[] = [
  roomsIn({
    name: "MessagePack",
    subprotocol: "hubward.rooms.v1.msgpack",
    isBinary: true,
    read: (data) => decode(data) as Frame,
    write: (frame) => encode(frame),
  }),
];

function roomsIn(encoding: Encoding): Protocol {
  return {
    name: `rooms, ${encoding.name} over WebSockets`,
    kind: "rooms",
    transport: "WebSockets",
    ways: ["header", "ticket", "first frame", "cookie", "query"],
    // What came with the upgrade is judged before it; a page cannot read what is answered then.
    tellsInSocket: ({ way, origin }) => way === "first frame" || (origin !== undefined && way !== "ticket"),
    connect: (port, visitor) => connect(port, visitor, encoding),
  };
}

/** @throws (rejects with) Refused where no ticket is given */
async function targetOf(port: number, visitor: Visitor): Promise<{ readonly path: string; readonly headers: object }> {
  const { token, origin, way = "header", path = ROOMS } = visitor;
  const from = origin === undefined ? {} : { origin };
  if (token === undefined) return { path, headers: from };
  switch (way) {
    case "header":
      return { path, headers: { ...from, ...bearer(token) } };
    case "ticket": {
      const headers = { ...from, ...bearer(token) };
      const { status, body } = await ask(port, { method: "POST", path: `${path}/ticket`, headers });
      if (status !== 200) throw new Refused({ code: status, reason: reasonIn(body) });
      return { path: `${path}?ticket=${(JSON.parse(body) as { readonly ticket: string }).ticket}`, headers: from };
    }
    case "cookie":
      return { path, headers: { ...from, cookie: `${COOKIE}=${token}` } };
    case "query":
      return { path: `${path}?token=${token}`, headers: from };
    case "first frame":
      return { path, headers: from };
    default:
      throw new TypeError(`rooms: no way in called ${way}`);
  }
}

async function connect(port: number, visitor: Visitor, encoding: Encoding): Promise<Peer> {
  const { path, headers } = await targetOf(port, visitor);
  const options = { headers } as ClientOptions;
  const socket = new WatchedSocket(`ws://127.0.0.1:${port}${path}`, encoding.subprotocol, options);
  onTestFinished(() => socket.terminate());
  const frames = new Recorder<Frame>();
  const heard: Peer["heard"] = new Recorder();
  const notices: Peer["notices"] = new Recorder();
  socket.on("message", (data: Buffer, isBinary) => {
    if (isBinary !== encoding.isBinary) throw new TypeError(`rooms: a message that is no ${encoding.name}`);
    const frame = encoding.read(data);
    if (frame["type"] === "message") heard.push([String(frame["event"]), payloadOf(frame)]);
    const line = lineOf(frame);
    if (line !== undefined) notices.push(line);
    frames.push(frame);
  });
  const send = (frame: Frame): void => socket.send(encoding.write(frame));
  const isFirstFrame = visitor.way === "first frame" && visitor.token !== undefined;
  socket.once("open", () => isFirstFrame && send({ type: "auth", token: visitor.token }));
  const [beginning] = await Promise.race([
    frames.take(1),
    socket.refusal.then(({ status, body }): never => {
      throw new Refused({ code: status, reason: reasonIn(body) });
    }),
    socket.end.then((ending): never => {
      throw new Refused(ending);
    }),
  ]);
  if (beginning?.["type"] !== "ready") throw await refusalOf(beginning, socket);
  let asked = 0;
  const request = async (frame: Frame): Promise<Verdict> => {
    const id = `ask-${++asked}`;
    send({ ...frame, id });
    const isOver = socket.end.then(() => undefined);
    const answer = await Promise.race([frames.first((each) => each["id"] === id), isOver]);
    if (answer === undefined) return "the connection was closed";
    return answer["type"] === "error" ? verdictOf(answer) : "ok";
  };
  const room = (ward: string): string => `ward/${ward}`;
  return {
    id: String(beginning["connection_id"]),
    join: (ward) => request({ type: "join", room: room(ward) }),
    leave: (ward) => request({ type: "leave", room: room(ward) }),
    say: (ward, event, what) => request({ type: "publish", room: room(ward), event, payload: what }),
    order: (ward, what, command) =>
      request({ type: "publish", room: room(ward), event: "order", payload: what, command }),
    reauthenticate: (token) => request({ type: "auth", token }),
    subscribe: () => request({ type: "notices" }),
    heard,
    notices,
    // What the last frame says, and the code of the close behind it: the two must be of one reason.
    ended: socket.end.then(({ code, reason }) => {
      const last = frames.items.at(-1);
      if (last?.["type"] !== "closing") return { code, reason };
      if (last["code"] !== code || verdictOf(last) !== reason)
        throw new TypeError(`closing says ${verdictOf(last)}, the close ${code} ${reason}`);
      return { code, reason };
    }),
    frames: () => frames.items.slice(1).flatMap(kindsOf),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    // The WebSocket itself answers the server's pings.
    ping: () => undefined,
    cut: () => socket.terminate(),
  };
}

async function refusalOf(frame: Frame | undefined, socket: WatchedSocket): Promise<Error> {
  const { code, reason } = await socket.end;
  if (frame?.["type"] !== "closing" || frame["code"] !== code || verdictOf(frame) !== reason)
    return new TypeError(`rooms: began with ${JSON.stringify(frame)} and ended with ${code} ${reason}`);
  return new Refused({ code, reason });
}

function payloadOf(frame: Frame): unknown {
  return "payload" in frame ? frame["payload"] : frame["args"];
}

/** The members of an error or of last words, as a reason travels elsewhere. */
function verdictOf({ reason, action, retry_after: retryAfter, detail }: Frame): Verdict {
  const parts = [String(reason)];
  if (action !== undefined) parts.push(`action=${String(action)}`);
  if (retryAfter !== undefined) parts.push(`retry_after=${String(retryAfter)}`);
  return detail === undefined ? parts.join(";") : `${parts.join(";")}: ${String(detail)}`;
}

function lineOf(frame: Frame): string | undefined {
  const { type, notice, reason, action, grace, dropped, rooms = [], why, room } = frame;
  if (type === "left") return why === "lost" ? `lost ${String(room)}` : undefined;
  if (type !== "notice") return undefined;
  if (notice === "expired") return `expired ${verdictOf({ reason, action })} ${String(grace)}`;
  return notice === "gap" ? ["gap", dropped, ...(rooms as readonly string[])].join(" ") : String(notice);
}

function kindsOf({ type }: Frame): readonly FrameKind[] {
  switch (type) {
    case "message":
      return ["event"];
    case "ack":
    case "error":
      return ["answer"];
    case "joined":
    case "left":
      return ["membership"];
    case "notice":
      return ["notice"];
    case "closing":
      return ["end"];
    default:
      return [];
  }
}
