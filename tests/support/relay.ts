/** A TCP relay in front of a server, which fails the way networks fail, when it is told to. */

import { createServer, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { carryTo } from "./carry.js";

export interface Relay {
  readonly port: number;
  /** From now until {@link cut} nothing the server says arrives, while what the client says goes through. */
  mute(): void;
  /** Takes nothing more from the server until {@link goOn}, so that it has to keep what it says. */
  stall(): void;
  goOn(): void;
  /** New connections are taken but lead nowhere until {@link letThrough}. */
  holdBack(): void;
  letThrough(): void;
  /** Cuts every connection, those held back excepted. */
  cut(): void;
  /** Cuts the clients off; the server notices nothing. */
  dropClients(): void;
}

/** Ended with the test. */
export async function startRelay(target: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  const dropped = new WeakSet<Socket>();
  let held: (() => void)[] | undefined;
  const servers = new Set<Socket>();
  let isMuted = false;
  let isStalled = false;

  function carry(client: Socket): void {
    const server = carryTo(target, client, sockets, (one) => !dropped.has(one));
    client.on("close", () => clients.delete(client));
    server.on("close", () => servers.delete(server));
    clients.add(client);
    servers.add(server);
    client.on("data", (chunk: Buffer) => server.write(chunk));
    server.on("data", (chunk: Buffer) => {
      if (!isMuted) client.write(chunk);
    });
    if (isStalled) server.pause();
  }

  const listener = createServer((client) => {
    if (held === undefined) return carry(client);
    client.on("error", () => undefined);
    held.push(() => carry(client));
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));

  const relay: Relay = {
    port: (listener.address() as AddressInfo).port,
    mute: () => void (isMuted = true),
    stall() {
      isStalled = true;
      for (const server of servers) server.pause();
    },
    goOn() {
      isStalled = false;
      for (const server of servers) server.resume();
    },
    holdBack: () => void (held ??= []),
    letThrough() {
      const waiting = held ?? [];
      held = undefined;
      for (const go of waiting) go();
    },
    cut() {
      isMuted = false;
      for (const socket of sockets) socket.destroy();
    },
    dropClients() {
      isMuted = false;
      for (const client of clients) {
        dropped.add(client);
        client.destroy();
      }
    },
  };
  onTestFinished(async () => {
    const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
    relay.letThrough();
    relay.cut();
    await closed;
  });
  return relay;
}
