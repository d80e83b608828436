/** The stock `@microsoft/signalr` client against a hub. */

import { HttpTransportType, HubConnectionBuilder, LogLevel, type IHttpConnectionOptions } from "@microsoft/signalr";
import { parseReason } from "@hubward/wire";
import { onTestFinished } from "vitest";
import { Recorder } from "../../support/recorder.js";
import { Refused, type FrameKind, type Peer, type Protocol, type Verdict, type Visitor } from "./protocol.js";
import { COOKIE, EVENTS, HUB } from "./places.js";
import { reasonIn, WatchedSocket } from "./watched-socket.js";

const ON_CLOSE = "Server returned an error on close: ";

export const hubProtocol: Protocol = {
  name: "hub",
  ways: ["ticket", "header", "cookie", "query"],
  // Only a connection that was negotiated for can be opened to say why there is none.
  tellsInSocket: ({ way = "ticket" }, isLasting) => isLasting && (way === "ticket" || way === "cookie"),
  connect,
};

function optionsOf({ token, origin, way = "ticket" }: Visitor): IHttpConnectionOptions {
  const headers: Record<string, string> = origin === undefined ? {} : { origin };
  const skip = { skipNegotiation: true, transport: HttpTransportType.WebSockets } as const;
  if (token === undefined) return way === "header" ? { headers, ...skip } : { headers };
  switch (way) {
    case "ticket":
      return { headers, accessTokenFactory: () => token };
    case "header":
      return { headers, accessTokenFactory: () => token, ...skip };
    case "cookie":
      return { headers: { ...headers, cookie: `${COOKIE}=${token}` } };
    case "query":
      return { headers, ...skip };
    default:
      throw new TypeError(`hub: no way in called ${way}`);
  }
}

async function connect(port: number, visitor: Visitor): Promise<Peer> {
  const sockets: WatchedSocket[] = [];
  class Socket extends WatchedSocket {
    constructor(...args: ConstructorParameters<typeof WatchedSocket>) {
      super(...args);
      sockets.push(this);
    }
  }
  const query = visitor.way === "query" && visitor.token !== undefined ? `?access_token=${visitor.token}` : "";
  // A custom WebSocket is taken by the client, and left out of its published types.
  const options = { ...optionsOf(visitor), WebSocket: Socket };
  const connection = new HubConnectionBuilder()
    .configureLogging(LogLevel.None)
    .withUrl(`http://127.0.0.1:${port}${visitor.path ?? HUB}${query}`, options)
    .build();
  onTestFinished(() => connection.stop());
  const heard: Peer["heard"] = new Recorder();
  const notices: Peer["notices"] = new Recorder();
  for (const event of EVENTS) connection.on(event, (payload: unknown) => heard.push([event, payload]));
  connection.on("hubward.notice", (notice: HubNotice) => linesOf(notice).forEach(notices.push));
  const lastWords = new Promise<string>((resolve) => connection.onclose((error) => resolve(error?.message ?? "")));
  try {
    await connection.start();
  } catch (error) {
    throw await refusalOf(error, sockets.at(-1));
  }
  const socket = sockets.at(-1) as WatchedSocket;
  const first = socket.frames.items.length;
  const invoke = (method: string, ...args: readonly unknown[]): Promise<Verdict> =>
    connection.invoke(method, ...args).then(
      () => "ok",
      (error: unknown) => verdictOf((error as Error).message),
    );
  return {
    id: visitor.way === "header" || visitor.way === "query" ? undefined : (connection.connectionId ?? undefined),
    join: (ward) => invoke("Join", ward),
    leave: (ward) => invoke("Leave", ward),
    say: (ward, event, what) => invoke(event, ward, what),
    order: (ward, what, command) => invoke("order", ward, what, command),
    reauthenticate: (token) => invoke("hubward.reauthenticate", token),
    subscribe: () => invoke("hubward.notices"),
    heard,
    notices,
    // What the client's own user gets to see, and the code that came with it.
    ended: Promise.all([lastWords, socket.end]).then(([text, { code }]) => ({ code, reason: stripped(text) })),
    frames: () => socket.frames.items.slice(first).flatMap(kindsOf),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    // What the client itself sends every 15 s of a real clock.
    ping: () => socket.send('{"type":6}\x1e'),
    cut: () => socket.terminate(),
  };
}

function stripped(text: string): string {
  return text.startsWith(ON_CLOSE) ? text.slice(ON_CLOSE.length) : text;
}

async function refusalOf(error: unknown, socket: WatchedSocket | undefined): Promise<Error> {
  const { message } = error as Error;
  const status = /Status code '(\d{3})'/.exec(message)?.[1];
  if (status !== undefined) return new Refused({ code: Number(status), reason: reasonIn(message) });
  // What a negotiate says of its own client's kind, which shows that text and no status.
  if (socket === undefined && parseReason(message) !== undefined) return new Refused({ code: 200, reason: message });
  if (socket === undefined) return error as Error;
  if (message.startsWith(ON_CLOSE)) return new Refused({ code: (await socket.end).code, reason: stripped(message) });
  const { status: code, body } = await socket.refusal;
  return new Refused({ code, reason: reasonIn(body) });
}

/** Where hubs have words of .NET's for what the catalogue has a name for (docs/signalr.md, Calls). */
function verdictOf(message: string): Verdict {
  if (/^Failed to invoke '[^']+' due to an error on the server\. HubException: Method does not exist\.$/.test(message))
    return "method_not_found;action=fix-request";
  if (/^Failed to invoke '[^']+' due to an error on the server\.$/.test(message))
    return "bad_arguments;action=fix-request";
  const thrown = /^An unexpected error occurred invoking '[^']+' on the server\.(?: HubException: (.*))?$/.exec(
    message,
  );
  if (thrown === null) return message;
  return thrown[1] === undefined ? "internal_error;action=retry-after" : `application_error: ${thrown[1]}`;
}

interface HubNotice {
  readonly kind: string;
  readonly reason?: string;
  readonly graceSeconds?: number;
  readonly dropped?: number;
  readonly lost?: readonly string[];
}

function linesOf({ kind, reason, graceSeconds, dropped, lost }: HubNotice): readonly string[] {
  switch (kind) {
    case "expired":
      return [`expired ${reason} ${graceSeconds}`];
    case "gap":
      return [`gap ${dropped}`];
    case "memberships-changed":
      return (lost ?? []).map((name) => `lost ${name}`);
    default:
      return [kind];
  }
}

/** A message of the WebSocket holds several of the hub protocol's, each ended by 0x1E. */
function kindsOf(text: string): readonly FrameKind[] {
  return text
    .split("\x1e")
    .filter((record) => record !== "")
    .flatMap((record): readonly FrameKind[] => {
      const { type, target } = JSON.parse(record) as { readonly type?: number; readonly target?: string };
      if (type === 1) return [target === "hubward.notice" ? "notice" : "event"];
      if (type === 3) return ["answer"];
      return type === 7 ? ["end"] : [];
    });
}
