/**
 * A relay between browser and demo, which ends TLS where it is asked to, as a proxy does. It notes the head of every request, as a proxy's access log would see it, and
 * fails the way networks fail, when it is told to.
 */

import { createServer, type AddressInfo, type Socket } from "node:net";
import { createServer as createSecureServer } from "node:tls";
import { carryTo } from "../../support/carry.js";
import { certificate, key } from "../../support/certificate.js";

/** Of the address that browsers know. */
export type Scheme = "http" | "https";

export const schemes: readonly Scheme[] = ["http", "https"];

export interface RequestHead {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

export interface Relay {
  /** What to give the demo as `PUBLIC_ORIGIN`. */
  readonly origin: string;
  /** Every request so far, in order of arrival. */
  readonly heads: readonly RequestHead[];
  /** Tells where the demo listens. */
  aim(port: number): void;
  /** Cuts every connection. New ones are welcome. */
  cut(): void;
  /** From now until {@link cut} nothing the demo says reaches the browser, while what the browser says goes through. */
  swallowReplies(): void;
  /** Cuts the next so many connections that ask for an upgrade, before the demo hears of it. */
  dropUpgrades(count: number): void;
  close(): Promise<void>;
}

/** `https` has a certificate that no browser trusts by itself. */
export async function startRelay(scheme: Scheme): Promise<Relay> {
  const heads: RequestHead[] = [];
  const sockets = new Set<Socket>();
  let target = 0;
  let isSwallowing = false;
  let upgradesToDrop = 0;

  function take(client: Socket): void {
    const server = carryTo(target, client, sockets);
    const read = createHeadReader();
    client.on("data", (chunk: Buffer) => {
      for (const head of read(chunk)) {
        heads.push(head);
        if (!head.headers.has("upgrade") || upgradesToDrop === 0) continue;
        upgradesToDrop -= 1;
        client.destroy();
        return;
      }
      server.write(chunk);
    });
    server.on("data", (chunk: Buffer) => {
      if (!isSwallowing) client.write(chunk);
    });
  }

  const listener = scheme === "https" ? createSecureServer({ key, cert: certificate }, take) : createServer(take);
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));

  function cut(): void {
    isSwallowing = false;
    for (const socket of sockets) socket.destroy();
  }

  return {
    origin: `${scheme}://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    heads,
    aim: (port) => void (target = port),
    cut,
    swallowReplies: () => void (isSwallowing = true),
    dropUpgrades: (count) => void (upgradesToDrop = count),
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        cut();
      }),
  };
}

/** Finds the heads in one connection's bytes. Bodies have a length (browsers send no others); after an upgrade all is body. */
function createHeadReader(): (chunk: Buffer) => readonly RequestHead[] {
  let waiting = Buffer.alloc(0);
  let bodyBytes = 0;
  return (chunk) => {
    const found: RequestHead[] = [];
    waiting = Buffer.concat([waiting, chunk]);
    for (;;) {
      const skipped = Math.min(bodyBytes, waiting.length);
      bodyBytes -= skipped;
      waiting = waiting.subarray(skipped);
      const end = waiting.indexOf("\r\n\r\n");
      if (bodyBytes > 0 || end < 0) return found;
      const head = parseHead(waiting.subarray(0, end).toString("latin1"));
      waiting = waiting.subarray(end + 4);
      bodyBytes = head.headers.has("upgrade") ? Infinity : Number(head.headers.get("content-length") ?? 0);
      found.push(head);
    }
  };
}

function parseHead(text: string): RequestHead {
  const [requestLine = "", ...lines] = text.split("\r\n");
  const [method = "", target = ""] = requestLine.split(" ");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return { method, target, headers: new Map(headers) };
}
