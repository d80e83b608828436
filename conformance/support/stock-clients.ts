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

export interface StockClient {
  /** `signalr 8, MessagePack`. */
  readonly name: string;
  readonly version: 6 | 8 | 10;
  readonly encoding: "json" | "messagepack";
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

export const stockClients: readonly StockClient[] = libraries.flatMap(({ version, signalr, messagepack }) =>
  (["json", "messagepack"] as const).map((encoding) => ({
    name: `signalr ${version}, ${encoding === "json" ? "JSON" : "MessagePack"}`,
    version,
    encoding,
    createSubject: <T>() => new signalr.Subject<T>(),
    build(
      url: string,
      { accessTokenFactory, reconnectDelays, skipNegotiation = false, headers = {} }: ConnectionOptions,
    ) {
      const builder = new signalr.HubConnectionBuilder().configureLogging(signalr.LogLevel.None).withUrl(url, {
        headers: { ...headers },
        ...(accessTokenFactory === undefined ? {} : { accessTokenFactory }),
        ...(skipNegotiation ? { skipNegotiation, transport: signalr.HttpTransportType.WebSockets } : {}),
      });
      if (reconnectDelays !== undefined) builder.withAutomaticReconnect([...reconnectDelays]);
      if (encoding === "messagepack") builder.withHubProtocol(new messagepack.MessagePackHubProtocol());
      return builder.build();
    },
  })),
);
