/** How peers reach the server without a network: requests, upgrades and what comes of them, in memory. */

import { Secret } from "@hubward/server/ports";
import type { FakeClock } from "@hubward/testing";
import { bodyOf, EventStreamLine, PollingLine, type Ask, type HttpAnswer, type Line } from "./line.js";
import type { Peer } from "./peer.js";
import type { Choices } from "./randomness.js";
import { RecordingSocket } from "./recording-socket.js";
import { readServerFrames } from "./server-frames.js";
import { HUB, type WardApp } from "./ward-app.js";

type HttpRequest = Parameters<WardApp["app"]["endpoint"]["request"]>[0];

/** By default a POST to the hub. */
export type Asked = Partial<HttpRequest> & { readonly token?: string; readonly queryToken?: string };

export type Transport = "WebSockets" | "ServerSentEvents" | "LongPolling" | "Rooms";

export interface NetworkSetup {
  readonly choices: Choices;
  readonly clock: FakeClock;
  /** Whoever serves now. */
  readonly server: () => WardApp;
  /** Whether its process lives. */
  readonly isAlive: (server: WardApp) => boolean;
}

export class Network {
  readonly #setup: NetworkSetup;

  constructor(setup: NetworkSetup) {
    this.#setup = setup;
  }

  /** A request and its answer. Undefined where the process died meanwhile, or the answer is given over time. */
  async ask(request: Asked): Promise<{ readonly status: number; readonly body: string } | undefined> {
    const answer = await this.#knock(request);
    return answer === undefined || "open" in answer ? undefined : answer;
  }

  /** Opens a WebSocket of a negotiated connection: with its ticket in the URL, or with a token. */
  async open(peer: Peer, accepted: () => void, token?: string): Promise<boolean> {
    const query = new Map([["id", peer.connectionToken]]);
    return this.dial({ query, ...(token === undefined ? { queryToken: peer.ticket } : { token }) }, peer, accepted);
  }

  /** Asks for an upgrade. `accepted` is called where the upgrade is, before anything is heard. */
  async dial(request: Asked, peer: Peer, accepted: () => void): Promise<boolean> {
    const { choices, clock, server, isAlive } = this.#setup;
    const asked = server();
    const answer = await asked.app.endpoint.upgrade(this.#request({ method: "GET", ...request }));
    if (!answer.accepted || !isAlive(asked)) return false;
    accepted();
    const socket = new RecordingSocket(
      (bytes) => {
        for (const { opcode, payload } of readServerFrames(bytes))
          if (opcode === 1 || opcode === 2) peer.hears(payload);
      },
      // Most peers answer a Close; for the others the adapter gives up after 2 s.
      choices.chance(0.8) ? (end) => void setImmediate(end) : (end) => void clock.after(2_000, end),
    );
    peer.takes(socket);
    socket.listen(answer.open(socket));
    return true;
  }

  /** Opens a transport that is made of requests. */
  async begin(
    peer: Peer,
    transport: Exclude<Transport, "WebSockets" | "Rooms">,
    accepted: () => void,
  ): Promise<boolean> {
    const { server, isAlive } = this.#setup;
    const asked = server();
    const isStream = transport === "ServerSentEvents";
    const ask: Ask = async (method, body) => {
      if (!isAlive(asked)) return undefined;
      const header = (name: string): string | undefined =>
        name === "accept" && isStream && method === "GET" ? "text/event-stream" : undefined;
      return this.#knock({ method, query: new Map([["id", peer.connectionToken]]), token: peer.ticket, header }, body);
    };
    const answer = await ask("GET");
    if (answer === undefined || !("open" in answer)) return false;
    accepted();
    const hears = (payload: Uint8Array): void => peer.hears(payload);
    const line: Line & Pick<PollingLine, "open"> = isStream
      ? new EventStreamLine(ask, hears)
      : new PollingLine(ask, hears, (poll) => this.#soon(poll));
    peer.takes(line);
    line.open(answer);
    return true;
  }

  #request(request: Asked): HttpRequest {
    const { token, queryToken, ...rest } = request;
    return {
      method: "POST",
      path: HUB,
      query: new Map(),
      header: (name) =>
        name === "user-agent" ? "Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.20.2)" : undefined,
      bearers: [
        ...(token === undefined ? [] : [{ kind: "bearer", token: new Secret(token), source: "header" } as const]),
        ...(queryToken === undefined
          ? []
          : [{ kind: "bearer", token: new Secret(queryToken), source: "query" } as const]),
      ],
      remoteAddress: "192.0.2.7",
      ...rest,
    };
  }

  async #knock(request: Asked, body: Uint8Array = new Uint8Array(0)): Promise<HttpAnswer | undefined> {
    const { server, isAlive } = this.#setup;
    const asked = server();
    const answer = await asked.app.endpoint.request(this.#request(request), bodyOf(body));
    return isAlive(asked) ? answer : undefined;
  }

  /** At once, in the next turn, or after a while on the way. */
  #soon(run: () => void): void {
    const { choices, clock } = this.#setup;
    const draw = choices.fraction();
    if (draw < 0.7) setImmediate(run);
    else clock.after(choices.between(1, 3_000), run);
  }
}
