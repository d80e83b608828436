/** The stock `@microsoft/signalr` client against a hub, in each encoding and over each transport. */

import {
  HttpTransportType,
  HubConnectionBuilder,
  JsonHubProtocol,
  LogLevel,
  MessageType,
  type HubMessage,
  type IHttpConnectionOptions,
  type IHubProtocol,
} from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { parseReason, reasons } from "@hubward/wire";
import { onTestFinished } from "vitest";
import { Recorder } from "../../support/recorder.js";
import { startRelay } from "../../support/relay.js";
import { Refused, type Ending, type FrameKind, type Peer, type Protocol } from "./protocol.js";
import type { TransportName, Verdict, Visitor } from "./protocol.js";
import { COOKIE, EVENTS, HUB } from "./places.js";
import { reasonIn, WatchedSocket } from "./watched-socket.js";

type Encoding = "JSON" | "MessagePack";

const ON_CLOSE = "Server returned an error on close: ";

export const hubProtocol: Protocol = hubOver("WebSockets", "JSON");

/** Its other transports and its other encoding. Server-sent events are text: MessagePack does not go over them. */
export const hubVariants: readonly Protocol[] = [
  hubOver("WebSockets", "MessagePack"),
  hubOver("ServerSentEvents", "JSON"),
  hubOver("LongPolling", "JSON"),
];

function hubOver(transport: TransportName, encoding: Encoding): Protocol {
  return {
    name: `hub, ${encoding} over ${transport}`,
    kind: "hub",
    transport,
    // Only a WebSocket can be opened without negotiating for it.
    ways: transport === "WebSockets" ? ["ticket", "header", "cookie", "query"] : ["ticket", "cookie"],
    // Only a connection that was negotiated for can be opened to say why there is none.
    tellsInSocket: ({ way = "ticket" }, isLasting) => isLasting && (way === "ticket" || way === "cookie"),
    connect: (port, visitor) => connect(port, visitor, transport, encoding),
  };
}

function optionsOf({ token, origin, way = "ticket" }: Visitor, transport: TransportName): IHttpConnectionOptions {
  const headers: Record<string, string> = origin === undefined ? {} : { origin };
  const skip = { skipNegotiation: true, transport: HttpTransportType.WebSockets } as const;
  const bound = { headers, transport: HttpTransportType[transport] };
  if (token === undefined) return way === "header" ? { headers, ...skip } : bound;
  switch (way) {
    case "ticket":
      return { ...bound, accessTokenFactory: () => token };
    case "header":
      return { headers, accessTokenFactory: () => token, ...skip };
    case "cookie":
      return { ...bound, headers: { ...headers, cookie: `${COOKIE}=${token}` } };
    case "query":
      return { headers, ...skip };
    default:
      throw new TypeError(`hub: no way in called ${way}`);
  }
}

/** What goes on beneath the client: its WebSocket, or the network that its requests take. */
interface Line {
  readonly port: number;
  readonly socket: () => WatchedSocket | undefined;
  readonly WebSocket: typeof WatchedSocket;
  pause(): void;
  resume(): void;
  cut(): void;
}

async function lineOf(port: number, transport: TransportName): Promise<Line> {
  const sockets: WatchedSocket[] = [];
  class Socket extends WatchedSocket {
    constructor(...args: ConstructorParameters<typeof WatchedSocket>) {
      super(...args);
      sockets.push(this);
    }
  }
  const common = { socket: () => sockets.at(-1), WebSocket: Socket };
  if (transport === "WebSockets")
    return {
      ...common,
      port,
      pause: () => sockets.at(-1)?.pause(),
      resume: () => sockets.at(-1)?.resume(),
      cut: () => sockets.at(-1)?.terminate(),
    };
  const relay = await startRelay(port);
  return { ...common, port: relay.port, pause: relay.stall, resume: relay.goOn, cut: relay.cut };
}

async function connect(port: number, visitor: Visitor, transport: TransportName, encoding: Encoding): Promise<Peer> {
  const line = await lineOf(port, transport);
  const query = visitor.way === "query" && visitor.token !== undefined ? `?access_token=${visitor.token}` : "";
  // A custom WebSocket is taken by the client, and left out of its published types.
  const options = { ...optionsOf(visitor, transport), WebSocket: line.WebSocket };
  const frames: FrameKind[] = [];
  const spoken = encoding === "JSON" ? new JsonHubProtocol() : new MessagePackHubProtocol();
  const connection = new HubConnectionBuilder()
    .configureLogging(LogLevel.None)
    .withUrl(`http://127.0.0.1:${line.port}${visitor.path ?? HUB}${query}`, options)
    .withHubProtocol(watched(spoken, (message) => frames.push(...kindsOf(message))))
    .build();
  onTestFinished(() => {
    line.resume();
    return connection.stop();
  });
  const heard: Peer["heard"] = new Recorder();
  const notices: Peer["notices"] = new Recorder();
  for (const event of EVENTS) connection.on(event, (payload: unknown) => heard.push([event, payload]));
  connection.on("hubward.notice", (notice: HubNotice) => linesOf(notice).forEach(notices.push));
  const lastWords = new Promise<string>((resolve) => connection.onclose((error) => resolve(error?.message ?? "")));
  try {
    await connection.start();
  } catch (error) {
    throw await refusalOf(error, line.socket());
  }
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
    ended: lastWords.then((text) => endingOf(text, line.socket())),
    frames: () => frames,
    pause: line.pause,
    resume: line.resume,
    // What the client itself sends every 15 s of a real clock.
    ping: () => sendRaw(connection, spoken.writeMessage({ type: MessageType.Ping })),
    cut: line.cut,
  };
}

/** Tells of every message from the server; those of a handshake are none. */
function watched(protocol: IHubProtocol, seen: (message: HubMessage) => void): IHubProtocol {
  const { name, version, transferFormat } = protocol;
  return {
    name,
    version,
    transferFormat,
    parseMessages(input, logger) {
      const messages = protocol.parseMessages(input, logger);
      messages.forEach(seen);
      return messages;
    },
    writeMessage: (message) => protocol.writeMessage(message),
  };
}

/** By the transport beneath the client, which it keeps to itself. */
function sendRaw(client: unknown, data: string | ArrayBuffer): void {
  const { connection } = client as { readonly connection: { send(data: string | ArrayBuffer): Promise<void> } };
  void connection.send(data);
}

async function endingOf(text: string, socket: WatchedSocket | undefined): Promise<Ending> {
  const told = stripped(text);
  if (socket !== undefined) return { code: (await socket.end).code, reason: told };
  const reason = parseReason(told);
  // Whatever a client in Node has to say of a request that failed is no reason.
  return reason === undefined ? { code: 1006, reason: "" } : { code: codeOf(told), reason: told };
}

function codeOf(text: string): number {
  const reason = parseReason(text);
  return (reason && reasons[reason.name].closeCode) ?? 1006;
}

function stripped(text: string): string {
  return text.startsWith(ON_CLOSE) ? text.slice(ON_CLOSE.length) : text;
}

async function refusalOf(error: unknown, socket: WatchedSocket | undefined): Promise<Error> {
  const { message } = error as Error;
  const status = /Status code '(\d{3})'/.exec(message)?.[1];
  if (status !== undefined) return new Refused({ code: Number(status), reason: reasonIn(message) });
  if (message.startsWith(ON_CLOSE)) {
    const reason = stripped(message);
    return new Refused({ code: socket === undefined ? codeOf(reason) : (await socket.end).code, reason });
  }
  // What a negotiate says of its own client's kind, which shows that text and no status.
  if (socket === undefined && parseReason(message) !== undefined) return new Refused({ code: 200, reason: message });
  if (socket === undefined) return error as Error;
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
  readonly groups?: readonly string[];
  readonly lost?: readonly string[];
}

function linesOf({ kind, reason, graceSeconds, dropped, groups, lost }: HubNotice): readonly string[] {
  switch (kind) {
    case "expired":
      return [`expired ${reason} ${graceSeconds}`];
    case "gap":
      return [["gap", dropped, ...(groups ?? [])].join(" ")];
    case "memberships-changed":
      return (lost ?? []).map((name) => `lost ${name}`);
    default:
      return [kind];
  }
}

function kindsOf(message: HubMessage): readonly FrameKind[] {
  switch (message.type) {
    case MessageType.Invocation:
      return [message.target === "hubward.notice" ? "notice" : "event"];
    case MessageType.Completion:
      return ["answer"];
    case MessageType.Close:
      return ["end"];
    default:
      return [];
  }
}
