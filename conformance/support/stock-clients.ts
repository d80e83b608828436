/** The unmodified clients of Microsoft, every version in every encoding over every transport, behind one face. */

import "./worker-global.js";
import * as signalr1 from "@aspnet/signalr";
import * as messagepack1 from "@aspnet/signalr-protocol-msgpack";
import * as signalr10 from "@microsoft/signalr";
import * as messagepack10 from "@microsoft/signalr-protocol-msgpack";
import * as signalr3 from "signalr-3";
import * as signalr5 from "signalr-5";
import * as signalr6 from "signalr-6";
import * as signalr7 from "signalr-7";
import * as signalr8 from "signalr-8";
import * as signalr9 from "signalr-9";
import * as messagepack3 from "signalr-msgpack-3";
import * as messagepack5 from "signalr-msgpack-5";
import * as messagepack6 from "signalr-msgpack-6";
import * as messagepack7 from "signalr-msgpack-7";
import * as messagepack8 from "signalr-msgpack-8";
import * as messagepack9 from "signalr-msgpack-9";

export interface ConnectionOptions {
  readonly accessTokenFactory?: (() => string | Promise<string>) | undefined;
  /** Delays of automatic reconnect in milliseconds; without them, or where the client has none, it is off. */
  readonly reconnectDelays?: readonly number[] | undefined;
  readonly skipNegotiation?: boolean | undefined;
  /** Needs `stateful reconnect`. */
  readonly isResumable?: boolean | undefined;
  /** Needs `headers`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export type TransportName = "WebSockets" | "ServerSentEvents" | "LongPolling";
export type Encoding = "json" | "messagepack";

/** What not every client can do, with the version of Microsoft's that brought it. */
export const capabilities = {
  /** `withAutomaticReconnect`; before, the application starts the connection again itself. */
  "automatic reconnect": 3,
  /** `connection.connectionId`. */
  "connection id": 3,
  /** Ending a stream before its end: `dispose()`. Version 1 can in JSON only. */
  cancelling: 3,
  /** A stream as an argument: `Subject`. */
  uploads: 3,
  /** The client says what it is, so that a refusal can be put where it reads it: into a Close message. */
  "says what it is": 5,
  /** `start()` rejects with status and body of a refused negotiate; before, with the status text alone. */
  "reads refusals": 6,
  /** In Node the token of a WebSocket goes into a header; before, into the URL, as in browsers. */
  "token in a header": 7,
  /** Headers of one's own: `headers` of `withUrl`. */
  headers: 5,
  /** A handler's value is the answer to the server's call. */
  "client results": 7,
  /** `withStatefulReconnect`. */
  "stateful reconnect": 8,
  /** The connection is a WebSocket: no matter of versions, but some features have no other transport. */
  WebSockets: 0,
} as const;

export type Capability = keyof typeof capabilities;

export interface StockClient {
  /** `signalr 8, MessagePack`, and the transport where it is bound to one. */
  readonly name: string;
  /** `@microsoft/signalr 8.0.29`, as it is installed. */
  readonly library: LibraryName;
  readonly version: Library["version"];
  readonly encoding: Encoding;
  readonly transport: TransportName;
  can(capability: Capability): boolean;
  build(url: string, options: ConnectionOptions): signalr10.HubConnection;
  /** What this version uploads a stream with. Needs `uploads`. */
  createSubject<T>(): signalr10.Subject<T>;
}

export type LibraryName = `${"@microsoft" | "@aspnet"}/signalr ${number}.${number}.${number}`;

interface Library {
  readonly version: 1 | 3 | 5 | 6 | 7 | 8 | 9 | 10;
  readonly library: LibraryName;
  readonly signalr: typeof signalr10;
  readonly messagepack: typeof messagepack10;
}

/** Older versions have the same face in everything the scenarios use, as far as they can do it. */
const library = (version: Library["version"], name: LibraryName, signalr: unknown, messagepack: unknown): Library => ({
  version,
  library: name,
  signalr: signalr as typeof signalr10,
  messagepack: messagepack as typeof messagepack10,
});

const libraries = [
  library(10, `@microsoft/signalr ${signalr10.VERSION as "10.0.11"}`, signalr10, messagepack10),
  library(9, `@microsoft/signalr ${signalr9.VERSION as "9.0.19"}`, signalr9, messagepack9),
  library(8, `@microsoft/signalr ${signalr8.VERSION as "8.0.29"}`, signalr8, messagepack8),
  library(7, `@microsoft/signalr ${signalr7.VERSION as "7.0.14"}`, signalr7, messagepack7),
  library(6, `@microsoft/signalr ${signalr6.VERSION as "6.0.25"}`, signalr6, messagepack6),
  library(5, `@microsoft/signalr ${signalr5.VERSION as "5.0.17"}`, signalr5, messagepack5),
  library(3, `@microsoft/signalr ${signalr3.VERSION as "3.1.31"}`, signalr3, messagepack3),
  library(1, `@aspnet/signalr ${signalr1.VERSION as "1.1.4"}`, signalr1, messagepack1),
];

function stockClient(
  { version, library, signalr, messagepack }: Library,
  encoding: Encoding,
  transport: TransportName,
  isBound: boolean,
): StockClient {
  const name = `signalr ${version}, ${encoding === "json" ? "JSON" : "MessagePack"}`;
  return {
    name: isBound ? `${name}, ${transport}` : name,
    library,
    version,
    encoding,
    transport,
    can(capability) {
      if (capability === "WebSockets") return transport === "WebSockets";
      if (capability === "cancelling" && encoding === "json") return true;
      return version >= capabilities[capability];
    },
    createSubject: <T>() => new signalr.Subject<T>(),
    build(
      url: string,
      {
        accessTokenFactory,
        reconnectDelays,
        skipNegotiation = false,
        isResumable = false,
        headers = {},
      }: ConnectionOptions,
    ) {
      const builder = new signalr.HubConnectionBuilder().configureLogging(signalr.LogLevel.None).withUrl(url, {
        headers: { ...headers },
        ...(accessTokenFactory === undefined ? {} : { accessTokenFactory }),
        ...(isBound ? { transport: signalr.HttpTransportType[transport] } : {}),
        ...(skipNegotiation ? { skipNegotiation, transport: signalr.HttpTransportType.WebSockets } : {}),
      });
      if (reconnectDelays !== undefined && version >= capabilities["automatic reconnect"])
        builder.withAutomaticReconnect([...reconnectDelays]);
      if (encoding === "messagepack") builder.withHubProtocol(new messagepack.MessagePackHubProtocol());
      if (isResumable) builder.withStatefulReconnect();
      return builder.build();
    },
  };
}

/** Versions 10, 8 and 6 in both encodings, free to choose their transport, which is WebSockets where they can be had. */
export const stockClients: readonly StockClient[] = libraries
  .filter(({ version }) => version === 10 || version === 8 || version === 6)
  .flatMap((each) =>
    (["json", "messagepack"] as const).map((encoding) => stockClient(each, encoding, "WebSockets", false)),
  );

/** Every version over every transport, in the encodings that the transport can carry, bound to it. */
export const everyStockClient: readonly StockClient[] = libraries.flatMap((each) =>
  (["WebSockets", "ServerSentEvents", "LongPolling"] as const).flatMap((transport) => {
    const encodings = transport === "ServerSentEvents" ? (["json"] as const) : (["json", "messagepack"] as const);
    return encodings.map((encoding) => stockClient(each, encoding, transport, true));
  }),
);
