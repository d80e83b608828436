/** A ward on real loopback sockets: what is handed to a socket is read off `net.Socket.write` itself. */

import { createServer } from "node:http";
import type { Socket } from "node:net";
import { attach } from "@hubward/server/node";
import { openWebSocket, type RawWebSocket } from "../support/raw-web-socket.js";
import { ask, bearer, listen, shut } from "../support/server.js";
import { History, type CredentialFacts } from "./history.js";
import { recordWrites } from "./recorded-writes.js";
import { createWardApp, HUB, ISSUER, WARDS, type WardApp } from "./ward-app.js";

export interface Member {
  readonly name: string;
  readonly credential: CredentialFacts;
  readonly socket: RawWebSocket;
}

export interface Fleet {
  readonly history: History;
  readonly ward: WardApp;
  readonly members: readonly Member[];
  close(): Promise<void>;
}

const systemTime = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
} as ConstructorParameters<typeof History>[0];

/** Starts a server and connects so many nurses, each in one ward. */
export async function startFleet(size: number): Promise<Fleet> {
  const history = new History(systemTime);
  const issued = new Map<string, CredentialFacts>();
  const names = new Map<string, string>();
  const byPort = new Map<number, string>();
  const ward = createWardApp(
    { history, nameOf: (id) => names.get(id) ?? id, issued, directory: new Map(), lag: () => undefined },
    // Its clients send no pings.
    { telemetry: () => undefined, clientTimeoutMs: 3_600_000 },
  );
  const server = createServer();
  attach(server, ward.app);
  server.on("connection", (socket: Socket) => recordWrites(socket, history, byPort));
  const port = await listen(server);
  const members: Member[] = [];

  async function enter(number: number): Promise<void> {
    const name = `c${number}`;
    const credential = credentialOf(number);
    const token = `eyJ-${number}`;
    issued.set(token, credential);
    const { body } = await ask(port, {
      method: "POST",
      path: `${HUB}/negotiate?negotiateVersion=1`,
      headers: bearer(token),
    });
    const { connectionId, connectionToken } = JSON.parse(body) as Record<string, string>;
    names.set(connectionId ?? "", name);
    const path = `${HUB}?id=${connectionToken}`;
    const socket = await openWebSocket({ port, path, headers: bearer(token) });
    socket.answersPings = true;
    byPort.set(socket.socket.localPort ?? 0, name);
    history.record({ type: "opened", connection: name, credential });
    await socket.shakeHands();
    for (const each of credential.wards) {
      history.record({ type: "joining", connection: name, ward: each });
      await socket.invoke(each, "Join", each);
    }
    void socket.closeFrame().then(() => socket.end());
    members.push({ name, credential, socket });
  }

  // As many at once as a listening socket's queue takes.
  for (let number = 0; number < size; number += 50)
    await Promise.all(Array.from({ length: Math.min(50, size - number) }, (_, offset) => enter(number + offset)));
  return {
    history,
    ward,
    members,
    async close() {
      for (const { socket } of members) socket.socket.destroy();
      await ward.app.close();
      await shut(server);
    },
  };
}

function credentialOf(number: number): CredentialFacts {
  const now = Math.floor(Date.now() / 1000) * 1000;
  return {
    id: `token-${number}`,
    issuer: ISSUER,
    subject: `nurse-${number}`,
    tenant: number % 2 === 0 ? "general" : "annex",
    sessionId: `session-${number}`,
    clientId: "ward-page",
    keyId: "key-1",
    issuedAt: now,
    expiresAt: now + 3_600_000,
    wards: [WARDS[number % WARDS.length] as string],
  };
}
