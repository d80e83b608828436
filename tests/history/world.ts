/** A server without a network, its people, and everything a schedule may do to it. One seed, one history. */

import { createFakeClock, createSeededRandom, type FakeClock } from "@hubward/testing";
import type { Clock, ConnectionId } from "@hubward/server/ports";
import { History, type CredentialFacts } from "./history.js";
import { Peer } from "./peer.js";
import { RoomsPeer } from "./rooms-peer.js";
import { createChoices, type Choices } from "./randomness.js";
import { Network, type Transport } from "./network.js";
import type { Encoding } from "./server-frames.js";
import {
  createWardApp,
  HUB,
  ISSUER,
  ROOMS,
  TENANTS,
  WARDS,
  type Plant,
  type WardApp,
  type WardOptions,
} from "./ward-app.js";

export interface WorldOptions {
  readonly seed: number;
  readonly plant?: Plant | undefined;
  readonly options?: Partial<WardOptions> | undefined;
}

export class World {
  readonly clock: FakeClock = createFakeClock();
  readonly history: History = new History(this.clock);
  readonly choices: Choices;
  readonly peers: Peer[] = [];
  readonly issued = new Map<string, CredentialFacts>();
  readonly directory = new Map<string, readonly string[]>();
  /** What waits for its turn: rules, mappings, verifiers and methods that take their time. */
  readonly #lagging: (() => void)[] = [];
  readonly #options: WorldOptions;
  readonly #names = new Map<string, string>();
  readonly #network: Network;
  #epoch = 0;
  #isDraining = false;
  #tokens = 0;
  #connections = 0;
  #mayLag = true;
  #ward: WardApp;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.choices = createChoices(options.seed);
    this.#ward = this.#start(options.options ?? {});
    const { choices, clock } = this;
    this.#network = new Network({ choices, clock, server: () => this.#ward, isAlive: (ward) => ward === this.#ward });
  }

  /** The id the server knows a connection by. */
  idOf(name: string): ConnectionId {
    for (const [id, known] of this.#names) if (known === name) return id as ConnectionId;
    throw new RangeError(`no connection ${name}`);
  }

  get ward(): WardApp {
    return this.#ward;
  }

  /** Whether the process was asked to end: what is asked of it may be refused. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** The process is asked to end. Resolves when it would. */
  async drain(): Promise<void> {
    if (!this.#isDraining) this.history.record({ type: "draining" });
    this.#isDraining = true;
    await this.#ward.app.close();
  }

  /** The process dies: nothing it was doing goes on. Another one takes its place. */
  restart(options: Partial<WardOptions> = {}): void {
    this.#epoch++;
    this.#isDraining = false;
    for (const { socket } of this.peers.splice(0)) socket?.vanish();
    this.#lagging.splice(0);
    this.history.record({ type: "restarted" });
    this.#ward = this.#start({ ...this.#options.options, ...options });
  }

  #start(options: Partial<WardOptions>): WardApp {
    const epoch = this.#epoch;
    const { clock } = this;
    const isAlive = (): boolean => epoch === this.#epoch;
    const mortal: Clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after: (ms, run) => clock.after(ms, () => isAlive() && run()),
      endOfTurn: (run) => clock.endOfTurn(() => isAlive() && run()),
    };
    const set: Partial<WardOptions> = {
      clock: mortal,
      random: createSeededRandom(this.#options.seed * 31 + epoch),
      telemetry: () => undefined,
      ...options,
    };
    const ports = {
      history: this.history,
      nameOf: (id: string) => this.#names.get(id) ?? id,
      issued: this.issued,
      directory: this.directory,
      lag: () => (isAlive() ? this.#lag() : new Promise<void>(() => undefined)),
    };
    return createWardApp(ports, set, this.#options.plant);
  }

  #lag(): Promise<void> | undefined {
    if (!this.#mayLag) return undefined;
    const draw = this.choices.fraction();
    if (draw < 0.6) return undefined;
    if (draw < 0.85) return Promise.resolve();
    return new Promise((resolve) => this.#lagging.push(resolve));
  }

  /** Something that took its time goes on. False where nothing waits. */
  goOn(): boolean {
    if (this.#lagging.length === 0) return false;
    const [next] = this.#lagging.splice(this.choices.between(0, this.#lagging.length - 1), 1);
    next?.();
    return true;
  }

  /** From now on nothing waits, and what did goes on. */
  hurry(): void {
    this.#mayLag = false;
    for (const next of this.#lagging.splice(0)) next();
  }

  /** Lets promises settle. The clocks stand, and nothing is flushed. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Issues a token. */
  issue(facts: Partial<CredentialFacts> & { readonly livesMs?: number } = {}): {
    token: string;
    facts: CredentialFacts;
  } {
    const { choices, clock } = this;
    const { livesMs = choices.between(5, 150) * 1000, ...given } = facts;
    const subject = given.subject ?? `nurse-${choices.between(1, 12)}`;
    const number = ++this.#tokens;
    const made: CredentialFacts = {
      id: `token-${number}`,
      issuer: ISSUER,
      subject,
      tenant: choices.oneOf(TENANTS),
      sessionId: `session-${choices.between(1, 40)}-of-${subject}`,
      clientId: "ward-page",
      keyId: "key-1",
      // A whole second, as tokens say it.
      issuedAt: Math.floor(clock.now() / 1000) * 1000,
      expiresAt: clock.now() + livesMs,
      wards: WARDS.filter(() => choices.chance(0.7)),
      ...given,
    };
    const token = `eyJ-${number}`;
    this.issued.set(token, made);
    return { token, facts: made };
  }

  /** Asks for a connection. Undefined where it was refused. */
  async negotiate(token: string, isResumable = false): Promise<Negotiated | undefined> {
    const query = new Map([
      ["negotiateversion", "1"],
      ...(isResumable ? ([["usestatefulreconnect", "true"]] as const) : []),
    ]);
    const reply = await this.#network.ask({ path: `${HUB}/negotiate`, query, token });
    if (reply?.status !== 200) return undefined;
    const { connectionId, connectionToken, accessToken } = JSON.parse(reply.body) as Record<string, string | undefined>;
    if (connectionId === undefined || connectionToken === undefined) return undefined;
    return { connectionId, connectionToken, accessToken, isResumable };
  }

  /** Opens the transport of a negotiated connection, and its handshake unless told otherwise. */
  async attach(
    negotiated: Negotiated,
    facts: CredentialFacts,
    ticket: string,
    { shakesHands = true, transport = "WebSockets", encoding = "json", token }: AttachOptions = {},
  ): Promise<Peer | undefined> {
    const { connectionId, connectionToken, isResumable } = negotiated;
    const name = `c${++this.#connections} ${transport} ${encoding}`;
    const peer = new Peer({
      name,
      history: this.history,
      credential: facts,
      connectionToken,
      ticket,
      isResumable,
      encoding,
    });
    const accepted = (): void => {
      this.#names.set(connectionId, name);
      this.history.record({ type: "opened", connection: name, credential: facts });
      this.peers.push(peer);
    };
    const isOpen =
      transport === "ServerSentEvents" || transport === "LongPolling"
        ? await this.#network.begin(peer, transport, accepted)
        : await this.#network.open(peer, accepted, token);
    if (!isOpen) return undefined;
    if (shakesHands) peer.shakeHands();
    return peer;
  }

  /** A connection that lost its transport gets another one. */
  async resume(peer: Peer): Promise<boolean> {
    return this.#network.open(peer, () => undefined);
  }

  /** Connects somebody, all the way. */
  async connect(
    facts: Parameters<World["issue"]>[0] = {},
    isResumable = false,
    how: AttachOptions = {},
  ): Promise<Peer | undefined> {
    return this.connectWith(this.issue(facts).token, isResumable, how);
  }

  /** The same with a token that was issued before. */
  async connectWith(token: string, isResumable = false, how: AttachOptions = {}): Promise<Peer | undefined> {
    const credential = this.issued.get(token);
    if (how.transport === "Rooms") return credential && this.#enterRooms(token, credential);
    const negotiated = await this.negotiate(token, isResumable);
    if (credential === undefined || negotiated?.accessToken === undefined) return undefined;
    return this.attach(negotiated, credential, negotiated.accessToken, how);
  }

  /** Connects to the rooms, by token or by ticket. It is there once it was told that it is. */
  async #enterRooms(token: string, credential: CredentialFacts): Promise<Peer | undefined> {
    let shown = token;
    if (this.choices.chance(0.4)) {
      const reply = await this.#network.ask({ path: `${ROOMS}/ticket`, token });
      if (reply?.status !== 200) return undefined;
      shown = (JSON.parse(reply.body) as { readonly ticket: string }).ticket;
    }
    const name = `c${++this.#connections} Rooms json`;
    let resolve: (peer: Peer | undefined) => void = () => undefined;
    const entered = new Promise<Peer | undefined>((settle) => (resolve = settle));
    const peer = new RoomsPeer(
      {
        name,
        history: this.history,
        credential,
        connectionToken: "none",
        // A token may open many.
        ticket: shown === token ? `the token of ${name}` : shown,
        isResumable: false,
      },
      (connectionId) => {
        if (connectionId === undefined) return resolve(undefined);
        this.#names.set(connectionId, name);
        this.peers.push(peer);
        resolve(peer);
      },
    );
    const header = (asked: string): string | undefined =>
      asked === "sec-websocket-protocol" ? "hubward.rooms.v1" : undefined;
    const accepted = (): void => void this.history.record({ type: "opened", connection: name, credential });
    return (await this.#network.dial({ path: ROOMS, token: shown, header }, peer, accepted)) ? entered : undefined;
  }

  /** A new credential by `POST {hub}/refresh`. */
  async refresh(peer: Peer, credential: CredentialFacts, token: string): Promise<void> {
    this.history.record({ type: "presented", connection: peer.name, credential });
    const reply = await this.#network.ask({
      path: `${HUB}/refresh`,
      query: new Map([["id", peer.connectionToken]]),
      token,
    });
    if (reply !== undefined) peer.answered(credential, reply.status === 200 ? undefined : reply.body);
  }

  /** Ends the turn: what is queued is written. */
  endTurns(): void {
    while (this.clock.pendingTurn > 0) this.clock.endTurn();
  }

  block(ms: number): void {
    this.clock.block(ms);
    this.history.record({ type: "blocked", ms });
  }
}

export interface AttachOptions {
  readonly shakesHands?: boolean;
  /** Default WebSockets. */
  readonly transport?: Transport | undefined;
  /** Default JSON; the only one for Server-Sent Events. */
  readonly encoding?: Encoding;
  /** What opens its WebSocket in the place of its ticket. */
  readonly token?: string | undefined;
}

export interface Negotiated {
  readonly connectionId: string;
  readonly connectionToken: string;
  /** The ticket; absent where the negotiate was made with one. */
  readonly accessToken: string | undefined;
  readonly isResumable: boolean;
}
