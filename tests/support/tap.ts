/** A wire tap: a TCP relay in front of a server that keeps what clients send, byte for byte. */

import { createServer, type AddressInfo, type Socket } from "node:net";
import { carryTo } from "./carry.js";

export interface Tap {
  readonly port: number;
  /** Every request line that passed: `GET /hubs/clinical?id=… HTTP/1.1`. */
  requestLines(): readonly string[];
  /** Cuts every connection that passes through, as a failing network would. */
  cut(): void;
  close(): Promise<void>;
}

const REQUEST_LINE = /(?:^|\n)([A-Z]+ \S+ HTTP\/1\.[01])\r\n/g;

export async function startTap(target: number): Promise<Tap> {
  const recordings: Buffer[][] = [];
  const sockets = new Set<Socket>();

  const relay = createServer((client) => {
    const recording: Buffer[] = [];
    recordings.push(recording);
    const server = carryTo(target, client, sockets);
    client.on("data", (chunk: Buffer) => recording.push(chunk));
    client.pipe(server);
    server.pipe(client);
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));

  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (relay.address() as AddressInfo).port,
    requestLines: () =>
      recordings.flatMap((chunks) =>
        [...Buffer.concat(chunks).toString("latin1").matchAll(REQUEST_LINE)].map((match) => match[1] as string),
      ),
    cut,
    close: () =>
      new Promise((resolve) => {
        relay.close(() => resolve());
        cut();
      }),
  };
}
