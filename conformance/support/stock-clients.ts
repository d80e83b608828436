/** The unmodified clients, each in both encodings, behind one way to build a connection. */

import * as signalr10 from "@microsoft/signalr";
import * as messagepack10 from "@microsoft/signalr-protocol-msgpack";
import * as signalr6 from "signalr-6";
import * as signalr8 from "signalr-8";
import * as messagepack6 from "signalr-msgpack-6";
import * as messagepack8 from "signalr-msgpack-8";

export interface ConnectionOptions {
  readonly accessTokenFactory?: (() => string | Promise<string>) | undefined;
  /** Delays of automatic reconnect in milliseconds; without them it is off. */
  readonly reconnectDelays?: readonly number[] | undefined;
  readonly skipNegotiation?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export type TransportName = "WebSockets" | "ServerSentEvents" | "LongPolling";

export interface StockClient {
  /** `signalr 8, MessagePack`, and the transport where it is not WebSockets. */
  readonly name: string;
  readonly version: 6 | 8 | 10;
  readonly encoding: "json" | "messagepack";
  /** The only one it may use, or undefined for its own choice: WebSockets, unless they cannot be had. */
  readonly transport: TransportName | undefined;
  build(url: string, options: ConnectionOptions): signalr10.HubConnection;
  /** What this version uploads a stream with. */
  createSubject<T>(): signalr10.Subject<T>;
}

/** Older versions have the same face in everything the scenarios use. */
const libraries = [
  { version: 10, signalr: signalr10, messagepack: messagepack10 },
  {
    version: 8,
    signalr: signalr8 as unknown as typeof signalr10,
    messagepack: messagepack8 as unknown as typeof messagepack10,
  },
  {
    version: 6,
    signalr: signalr6 as unknown as typeof signalr10,
    messagepack: messagepack6 as unknown as typeof messagepack10,
  },
] as const;

type Library = (typeof libraries)[number];

function stockClient(
  { version, signalr, messagepack }: Library,
  encoding: StockClient["encoding"],
  transport: TransportName | undefined,
): StockClient {
  const name = `signalr ${version}, ${encoding === "json" ? "JSON" : "MessagePack"}`;
  return {
    name: transport === undefined ? name : `${name}, ${transport}`,
    version,
    encoding,
    transport,
    createSubject: <T>() => new signalr.Subject<T>(),
    build(
      url: string,
      { accessTokenFactory, reconnectDelays, skipNegotiation = false, headers = {} }: ConnectionOptions,
    ) {
      const builder = new signalr.HubConnectionBuilder().configureLogging(signalr.LogLevel.None).withUrl(url, {
        headers: { ...headers },
        ...(accessTokenFactory === undefined ? {} : { accessTokenFactory }),
        ...(transport === undefined ? {} : { transport: signalr.HttpTransportType[transport] }),
        ...(skipNegotiation ? { skipNegotiation, transport: signalr.HttpTransportType.WebSockets } : {}),
      });
      if (reconnectDelays !== undefined) builder.withAutomaticReconnect([...reconnectDelays]);
      if (encoding === "messagepack") builder.withHubProtocol(new messagepack.MessagePackHubProtocol());
      return builder.build();
    },
  };
}

/** Every version in both encodings, free to choose its transport. */
export const stockClients: readonly StockClient[] = libraries.flatMap((library) =>
  (["json", "messagepack"] as const).map((encoding) => stockClient(library, encoding, undefined)),
);

/** Every version in the encodings that the transport can carry, bound to it. */
export function stockClientsOver(transport: TransportName): readonly StockClient[] {
  const encodings = transport === "ServerSentEvents" ? (["json"] as const) : (["json", "messagepack"] as const);
  return libraries.flatMap((library) => encodings.map((encoding) => stockClient(library, encoding, transport)));
}
