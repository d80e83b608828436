/** A client of the ward, as well or badly behaved as a schedule wants it. Writes down what reaches its socket. */

import { messagePackCodec, type HubMessage } from "@hubward/wire";
import type { CredentialFacts, History } from "./history.js";
import type { Line } from "./line.js";
import { CONTROL_PREFIX, kindOf, ServerReader, stampOf, type Encoding, type ServerMessage } from "./server-frames.js";

const encoder = new TextEncoder();

export interface PeerSetup {
  readonly name: string;
  readonly history: History;
  readonly credential: CredentialFacts;
  readonly connectionToken: string;
  readonly ticket: string;
  readonly isResumable: boolean;
  /** Default JSON. */
  readonly encoding?: Encoding | undefined;
}

export class Peer {
  readonly name: string;
  readonly connectionToken: string;
  readonly ticket: string;
  readonly isResumable: boolean;
  /** What its ticket is for. */
  readonly cameWith: CredentialFacts;
  /** The one it came with, or the last that was taken. */
  credential: CredentialFacts;
  protected readonly history: History;
  readonly #waiting = new Map<string, (message: ServerMessage) => void>();
  #socket: Line | undefined;
  readonly #encoding: Encoding;
  readonly #reader: ServerReader;
  #calls = 0;
  #isAttached = false;

  constructor({ name, history, credential, connectionToken, ticket, isResumable, encoding = "json" }: PeerSetup) {
    this.name = name;
    this.history = history;
    this.cameWith = credential;
    this.credential = credential;
    this.connectionToken = connectionToken;
    this.ticket = ticket;
    this.isResumable = isResumable;
    this.#encoding = encoding;
    this.#reader = new ServerReader(encoding);
  }

  get socket(): Line | undefined {
    return this.#socket;
  }

  get isAttached(): boolean {
    return this.#isAttached;
  }

  /** Whether it has a socket that still leads somewhere. */
  get isThere(): boolean {
    return this.#socket !== undefined && !this.#socket.isGone;
  }

  /** Whether the server has ended it, for good as far as it knows. */
  get isEnded(): boolean {
    return this.#socket?.isEnded === true;
  }

  takes(socket: Line): void {
    this.#socket = socket;
  }

  shakeHands(): void {
    this.sendText(`{"protocol":"${this.#encoding}","version":${this.isResumable ? 2 : 1}}\x1e`);
  }

  /** Where it goes on with a new transport: what follows is the next of what it sent. */
  resumeAt(sequenceId: number): void {
    this.send({ type: 9, sequenceId });
  }

  send(message: HubMessage): void {
    if (this.#encoding === "json") this.sendText(`${JSON.stringify(message)}\x1e`);
    else this.#send(messagePackCodec.encode(message));
  }

  /** Sends a call. `settled` hears its Completion, if ever. */
  call(target: string, args: readonly unknown[] = [], settled?: (message: ServerMessage) => void): void {
    const invocationId = this.nextId(target, settled);
    this.send({ type: target === "Watch" ? 4 : 1, invocationId, target, arguments: args });
  }

  /** The next id of a request. `settled` hears what comes of it. */
  protected nextId(target: string, settled: ((message: ServerMessage) => void) | undefined): string {
    const id = `${target.startsWith("hubward.") ? CONTROL_PREFIX : ""}${++this.#calls}`;
    if (settled !== undefined) this.#waiting.set(id, settled);
    return id;
  }

  /** A new credential in band. */
  reauthenticate(credential: CredentialFacts, token: string): void {
    const { name } = this;
    this.history.record({ type: "presented", connection: name, credential });
    this.call("hubward.reauthenticate", [token], (message) =>
      this.answered(credential, "error" in message ? String(message["error"]) : undefined),
    );
  }

  /** What came of a new credential, by whichever way it went. */
  answered(credential: CredentialFacts, refusal: string | undefined): void {
    // It was taken, perhaps, and the connection lapsed before that could be said: for changed claims, where it does not
    // say when to try again, as it does of a token that they outdate.
    if (refusal?.includes("auth_unavailable") === true) return;
    if (refusal?.includes("reauth_required") === true && !refusal.includes("retry_after")) return;
    const wasTaken = refusal === undefined;
    this.history.record({ type: wasTaken ? "renewed" : "declined", connection: this.name, credential });
    if (wasTaken) this.credential = credential;
  }

  sendText(text: string): void {
    this.#send(encoder.encode(text));
  }

  #send(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (socket !== undefined && !socket.isGone) socket.peerSends(bytes);
  }

  /** The network takes it away. */
  loses(wasClean: boolean): void {
    if (this.isThere) this.#socket?.end({ wasClean });
  }

  /** Every payload the server hands over comes here, while it does. */
  hears(payload: Uint8Array): void {
    const messages = Array.from(this.#reader.read(payload));
    // Who is let in only to be told why they may not stay is attached to nothing.
    const isWelcome = !messages.some((message) => kindOf(message) === "close");
    for (const message of messages) {
      const frame = kindOf(message);
      this.history.record({ type: "delivery", connection: this.name, frame, stamp: stampOf(message) });
      if (frame === "handshake" && isWelcome && !("error" in message)) this.attached();
      if (message["type"] === 3) this.complete(String(message["invocationId"]), message);
    }
  }

  protected attached(): void {
    this.#isAttached = true;
    this.history.record({ type: "attached", connection: this.name, ticket: this.ticket });
  }

  /** What came of a request: an `error` among the members says that nothing did. */
  protected complete(id: string, message: ServerMessage): void {
    this.#waiting.get(id)?.(message);
    this.#waiting.delete(id);
  }
}
