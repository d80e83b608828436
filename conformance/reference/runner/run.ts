/** One run of a script against one server, and its transcript. */

import type { IncomingMessage } from "node:http";
import { RawWebSocket } from "../../../tests/support/raw-web-socket.js";
import { ask, askUpgrade, describeReply, open, type Ask, type Reply } from "./http.js";
import { Inbox } from "./inbox.js";
import type { Encoding } from "./hub-messages.js";
import { Names, type Named } from "./names.js";
import { Peer, RunStopped } from "./peer.js";
import { openLine, Refused, type TransportName } from "./transports.js";

/** A server that scripts run against. */
export interface Target {
  readonly port: number;
  /** After so long without anything a script gives up. Milliseconds. */
  readonly patienceMs: number;
  token(subject: string, options: TokenWishes): Promise<string>;
}

export interface TokenWishes {
  readonly roles?: readonly string[] | undefined;
  /** Seconds. */
  readonly lifetime?: number | undefined;
}

export interface ConnectWishes extends TokenWishes {
  /** In the transcript, and the token's subject unless `as` says another. Default `ada`. */
  readonly name?: string | undefined;
  readonly as?: string | undefined;
  /** Default `/hubs/main`. */
  readonly hub?: string | undefined;
  readonly encoding?: Encoding | undefined;
  /** Default the run's own. */
  readonly transport?: TransportName | undefined;
  /** Of the hub protocol. Default 1. */
  readonly version?: number | undefined;
  /** Whether stateful reconnect is asked for at negotiate. */
  readonly isResumable?: boolean | undefined;
  /** Default true. */
  readonly shakesHands?: boolean | undefined;
}

export interface Negotiated {
  readonly connectionId: string;
  readonly connectionToken: string;
}

export class Run {
  readonly entries: string[] = [];
  readonly #target: Target;
  readonly #transport: TransportName;
  readonly #names = new Names();
  readonly #peers: Peer[] = [];
  readonly #responses: IncomingMessage[] = [];

  constructor(target: Target, transport: TransportName) {
    this.#target = target;
    this.#transport = transport;
  }

  /** Every later mention is named instead. */
  learn(kind: Named, value: string): void {
    this.#names.learn(kind, value);
  }

  note(text: string): void {
    this.#write(`# ${text}`);
  }

  async bearer(subject = "ada", wishes: TokenWishes = {}): Promise<{ readonly authorization: string }> {
    const token = await this.#target.token(subject, wishes);
    this.#names.learn("jwt", token);
    return { authorization: `Bearer ${token}` };
  }

  /** A request as `ada`, or as nobody, written down with its answer. */
  async ask(request: Ask & { readonly as?: string | null | undefined }): Promise<Reply> {
    return (await this.begin(request)).reply();
  }

  /** The same in two steps, for requests that stay open. `label` tells them apart. */
  async begin(
    { as = "ada", ...request }: Ask & { readonly as?: string | null | undefined },
    label = "",
  ): Promise<{ reply(): Promise<Reply> }> {
    const credential = as === null ? {} : await this.bearer(as);
    const shown = Object.entries(request.headers ?? {}).map(([name, value]) => `${name}: ${String(value)}`);
    const who = as === "ada" ? [] : [as === null ? "no credential" : `as ${as}`];
    const body = request.body === undefined ? [] : [String(request.body).replaceAll("\x1e", "␞")];
    this.#write([`${label}> ${request.method ?? "GET"} ${request.path}`, ...who, ...shown, ...body].join(" | "));
    const answered = ask(this.#target.port, { ...request, headers: { ...credential, ...request.headers } });
    answered.catch(() => undefined);
    return {
      reply: async () => {
        const reply = await this.#whilePatient(answered);
        if (reply === undefined) {
          this.#write(`${label}< (nothing came)`);
          throw new RunStopped();
        }
        this.#learnReply(reply);
        this.#write(`${label}< ${describeReply(reply)}`);
        return reply;
      },
    };
  }

  /** A WebSocket upgrade that is expected to be refused; one that is not is closed again. */
  async tryUpgrade(path: string, { as = "ada" }: { readonly as?: string | null } = {}): Promise<void> {
    const who = as === "ada" ? "" : as === null ? " | no credential" : ` | as ${as}`;
    this.#write(`> upgrade ${path}${who}`);
    const headers = as === null ? {} : await this.bearer(as);
    const outcome = await askUpgrade(this.#target.port, { path, headers });
    if (outcome instanceof RawWebSocket) {
      this.#write("< 101");
      outcome.end();
    } else this.#write(`< ${describeReply(outcome)}`);
  }

  /** Negotiates without writing it down. */
  async negotiate({
    name = "ada",
    as = name,
    hub = "/hubs/main",
    isResumable = false,
    roles,
    lifetime,
  }: ConnectWishes = {}): Promise<Negotiated> {
    const query = `negotiateVersion=1${isResumable ? "&useStatefulReconnect=true" : ""}`;
    const headers = await this.bearer(as, { roles, lifetime });
    const reply = await ask(this.#target.port, { method: "POST", path: `${hub}/negotiate?${query}`, headers });
    this.#learnReply(reply);
    if (reply.status === 200) {
      const body = JSON.parse(reply.body.toString()) as Negotiated;
      if (typeof body.connectionToken === "string") return body;
    }
    this.#write(`< ${describeReply(reply)}`);
    throw new RunStopped();
  }

  /** A connection through negotiate, transport and handshake. */
  async connect(wishes: ConnectWishes = {}): Promise<Peer & { readonly id: string; readonly token: string }> {
    const { name = "ada", hub = "/hubs/main", encoding = "json", version = 1, shakesHands = true } = wishes;
    const { connectionId, connectionToken } = await this.negotiate(wishes);
    const details = [
      ...(encoding === "json" ? [] : ["MessagePack"]),
      ...(wishes.roles === undefined ? [] : [`as ${wishes.roles.join(", ")}`]),
      ...(wishes.isResumable === true ? ["resumable"] : []),
      ...(version === 1 ? [] : [`protocol version ${version}`]),
      ...(shakesHands ? [] : ["no handshake yet"]),
    ];
    this.#write(`# ${name} connects to ${[hub, ...details].join(", ")}`);
    const peer = Object.assign(this.#peer(name, encoding), { id: connectionId, token: connectionToken });
    await this.open(peer, { ...wishes, path: `${hub}?id=${connectionToken}` });
    if (shakesHands) await peer.shakeHands(version);
    return peer;
  }

  /** A WebSocket without negotiate. */
  async connectDirectly(wishes: ConnectWishes = {}): Promise<Peer> {
    const { name = "ada", hub = "/hubs/main", encoding = "json" } = wishes;
    this.#write(`# ${name} opens a WebSocket at ${hub} without negotiate`);
    const peer = this.#peer(name, encoding);
    await this.open(peer, { ...wishes, path: hub, transport: "WebSockets" });
    if (wishes.shakesHands ?? true) await peer.shakeHands(wishes.version ?? 1);
    return peer;
  }

  /** Opens a peer's transport, for the first time or again. */
  async open(
    peer: Peer,
    { path, transport = this.#transport, as = peer.name, roles, lifetime }: ConnectWishes & { readonly path: string },
  ): Promise<void> {
    const headers = await this.bearer(as, { roles, lifetime });
    const listener = peer.listener();
    try {
      peer.attach(await openLine[transport]({ port: this.#target.port, path, headers, listener }));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#write(`< ${describeReply(error.reply)}`);
      throw new RunStopped();
    }
  }

  /** An event stream, read event by event. */
  async openEvents(
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly next: () => Promise<void> }> {
    const all = { accept: "text/event-stream", ...headers };
    this.#write([`> GET ${path}`, ...Object.entries(all).map(([name, value]) => `${name}: ${value}`)].join(" | "));
    const response = await open(this.#target.port, { path, headers: { ...(await this.bearer()), ...all } });
    this.#responses.push(response);
    this.#write(
      `< ${describeReply({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.alloc(0) })}`,
    );
    const events = new Inbox<string>(this.#target.patienceMs);
    let received = "";
    response.on("data", (chunk: Buffer) => {
      received += chunk.toString().replaceAll("\x1e", "␞");
      // The comment at the start ends with its line, an event with an empty one.
      if (!received.endsWith(received.startsWith(":") ? "\r\n" : "\r\n\r\n")) return;
      events.push(JSON.stringify(received));
      received = "";
    });
    response.on("close", () => events.push("(ended)"));
    response.on("error", () => undefined);
    return { next: async () => this.#write(`< ${await events.take()}`) };
  }

  finish(): void {
    for (const response of this.#responses) response.destroy();
    for (const peer of this.#peers) peer.finish();
  }

  #peer(name: string, encoding: Encoding): Peer {
    const peer = new Peer(name, encoding, (entry) => this.#write(entry), this.#names, this.#target.patienceMs);
    this.#peers.push(peer);
    return peer;
  }

  async #whilePatient<T>(work: Promise<T>): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), this.#target.patienceMs);
    });
    try {
      return await Promise.race([work, patience]);
    } finally {
      clearTimeout(timer);
    }
  }

  #learnReply({ status, body }: Reply): void {
    if (status !== 200 || body[0] !== 0x7b) return;
    try {
      const { connectionId, connectionToken, accessToken } = JSON.parse(body.toString()) as Record<string, unknown>;
      if (typeof connectionId === "string") this.#names.learn("connection id", connectionId);
      if (typeof connectionToken === "string") this.#names.learn("connection token", connectionToken);
      if (typeof accessToken === "string") this.#names.learn("ticket", accessToken);
    } catch {
      // Messages of a poll, not an object.
    }
  }

  #write(entry: string): void {
    this.entries.push(this.#names.mask(entry));
  }
}
