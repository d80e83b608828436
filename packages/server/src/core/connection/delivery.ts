/** The side of a connection that is spoken to: takes what is said, has it written, and holds the peer's pace. */

import { formatReason, reasons, type ReasonName } from "@hubward/wire";
import { readInstant, type Clock, type Instant } from "../clock.js";
import type { Dialect, Dropped, Frame, Publication } from "../publication.js";
import type { GroupKey } from "../groups/group.js";

import type { PacedQueue } from "../paced-queue.js";
import { HeldFrames, type HeldVerdict } from "./held-frames.js";
import type { Farewell, Lifecycle, LifecycleEvent } from "./lifecycle.js";
import { isOver, type Lifetime } from "./lifetime.js";
import { Outbox, type FlushQueue, type OutboxLimits, type OutboxOwner } from "./outbox.js";
import type { ResolvedOutboxOptions } from "./outbox-options.js";
import type { KeepAlive, Outgoing } from "./outgoing.js";
import type { ProtocolHandler, ReplayProtocol } from "./protocol-handler.js";
import { ReplayOutbox } from "./replay-outbox.js";
import type { Socket } from "./socket.js";

export interface DeliverySetup {
  readonly socket: Socket;
  readonly clock: Clock;
  readonly flushQueue: FlushQueue;
  /** Where last words wait for their turn: very many may end in one moment. */
  readonly farewells: PacedQueue;
  readonly outboxLimits: ResolvedOutboxOptions;
}

type LastWords = Pick<ProtocolHandler, "farewell">;

/** Bytes of frames that are neither numbered nor kept: the answer to the handshake, sequence numbers. */
const MAX_CONTROL_BYTES = 1024;

/** A base, not a part: a fan-out then finds everything it needs of a member in one object. */
export abstract class Delivery implements OutboxOwner {
  #isActive = false;
  #version = 1;
  #dialect: Dialect | undefined;
  #outbox: Outgoing;
  #isLapsed = false;
  #lifetime: Lifetime;
  /** Made when something is held for the first time: most connections never lapse. */
  #held: HeldFrames | undefined;
  readonly #setup: DeliverySetup;
  /** Undefined while the transport is lost. */
  #socket: Socket | undefined;
  #replay: Replay | undefined;
  #isPaused = false;

  protected constructor(setup: DeliverySetup, lifetime: Lifetime, { monotonic }: Instant) {
    this.#socket = setup.socket;
    this.#setup = setup;
    this.#lifetime = lifetime;
    this.#outbox = this.#createOutbox(setup.socket, monotonic, setup.outboxLimits);
  }

  /** Counts principals: changes when the principal is replaced. */
  get version(): number {
    return this.#version;
  }

  abstract apply(event: LifecycleEvent): void;

  abstract gapNotice(dropped: Dropped): Frame | undefined;

  expired(): void {
    this.apply({ type: "expiry-due" });
  }

  get outbox(): Outgoing {
    return this.#outbox;
  }

  /** Until when the credential holds. */
  get lifetime(): Lifetime {
    return this.#lifetime;
  }

  get dialect(): Dialect | undefined {
    return this.#dialect;
  }

  /** Whether it has its standing: calls pass and frames are taken. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /** Whether the peer is heard and may be answered, be it with a refusal. */
  get isListening(): boolean {
    return this.#isActive || this.#isLapsed;
  }

  /**
   * Queues an event for the peer. A frame in a group passes only with a membership judged for this principal, else it
   * waits until that was judged again, as everything does while the connection has lapsed.
   */
  deliver(publication: Publication, judgedVersion: number | undefined): void {
    const dialect = this.#dialect;
    if (!(this.#isActive || this.#isLapsed) || dialect === undefined) return;
    const frame = publication.frameFor(dialect);
    if (frame === undefined) return;
    if (frame.bytes.length > this.maxFrameBytes)
      publication.fail(new RangeError("an event larger than outbox.maxBytes"));
    else if (this.#isLapsed || (judgedVersion !== undefined && judgedVersion !== this.#version)) this.#keep(frame);
    else if (!this.#outbox.push(frame)) this.apply({ type: "lagging" });
  }

  /** Takes one group's frames out of everything that has not left yet. Returns whether there were any. */
  evict(group: GroupKey): boolean {
    const held = this.#held?.evict(group) ?? 0;
    return this.#outbox.evict(group) + held > 0;
  }

  /**
   * Nobody could say in time whether the peer may still see a group: what is queued of it is dropped, and told of
   * as a gap. Where a peer comes for its frames, it would leave long afterwards.
   */
  withhold(group: GroupKey): void {
    // What was dropped before is told, too: the group is not lost.
    const dropped = new Map(this.#outbox.takeDropped());
    const count = (dropped.get(group) ?? 0) + this.#outbox.evict(group);
    if (count > 0) dropped.set(group, count);
    if (dropped.size > 0) this.#holder().addDropped(dropped);
  }

  /** Answers the peer itself, a lapsed one too: refusals and notices, nothing of the application's. */
  answer(frame: Frame): void {
    if (!this.isListening) return;
    if (!this.#outbox.push(frame)) this.apply({ type: "lagging" });
  }

  /** Bytes of one frame at most. A larger one is the sender's mistake, not the peer's. */
  get maxFrameBytes(): number {
    return this.#outbox.maxBytes;
  }

  /** Queues a frame meant for this peer alone, or shared. */
  send(frame: Frame): void {
    if (!this.#isActive) return;
    if (!this.#outbox.push(frame)) this.apply({ type: "lagging" });
  }

  /** Holds a peer back that sends faster than its calls are handled. */
  pause(): void {
    this.#isPaused = true;
    this.#socket?.pause();
    this.#outbox.deafen();
  }

  resume(): void {
    this.#isPaused = false;
    this.#outbox.hear(this.#setup.clock.monotonic());
    this.#socket?.resume();
  }

  confirmed(): void {
    this.#outbox.confirmed(this.#setup.clock.monotonic());
  }

  drained(): void {
    this.#outbox.drained();
  }

  /**
   * From now on everything said is numbered and kept until the peer acknowledges it, so that it can be said again over
   * another transport. What was said before is not: call it right behind the answer to the handshake, once.
   */
  keepForReplay(protocol: ReplayProtocol, maxReplayBytes: number): void {
    const socket = this.#socket;
    if (this.#replay !== undefined || socket === undefined) throw new TypeError("connection: keeps for replay already");
    const limits = { ...this.#setup.outboxLimits, maxReplayBytes };
    const outbox = new ReplayOutbox(limits, this);
    const said = this.#outbox.drain();
    this.#replay = { protocol, outbox, maxReplayBytes };
    this.#outbox = outbox;
    this.#writeThrough(socket, said);
  }

  /** The peer has everything up to this number. */
  acknowledged(sequenceId: number): void {
    const now = this.#setup.clock.monotonic();
    if (this.#replay?.outbox.acknowledge(sequenceId, now) === false) this.apply({ type: "lagging" });
  }

  /** Tells the peer what was received of it, if it does not know yet. */
  acknowledge(): void {
    const frame = this.#replay?.protocol.takeAcknowledgement();
    if (frame !== undefined && this.#replay?.outbox.control(frame) === false) this.apply({ type: "lagging" });
  }

  /** Whether a new transport may go on where the last one was lost. */
  protected get mayReplay(): boolean {
    return this.#replay?.outbox.mayReplay === true;
  }

  /** Frames that a new transport would carry again. */
  protected get unacknowledgedCount(): number {
    return this.#replay?.outbox.unacknowledgedCount ?? 0;
  }

  /** Whether it has its standing, and a peer at the other end of a transport. */
  protected get hasHearer(): boolean {
    return this.#isActive && this.#socket !== undefined;
  }

  /** Whether the peer comes for what it is told. */
  protected get isPolled(): boolean {
    return this.#socket?.isPolled === true;
  }

  protected carryOn(socket: Socket): void {
    this.#socket = socket;
    if (this.#isPaused) socket.pause();
  }

  /** First which number comes next, then what is unacknowledged, then what was said meanwhile. */
  protected sayAgain(): void {
    const { protocol, outbox } = this.#replay as Replay;
    this.#writeThrough(this.#socket as Socket, protocol.resumed(outbox.sequenceId));
  }

  /** The transport is lost, or given up: what is said is kept. */
  protected loseTransport(isOpen: boolean): void {
    this.#replay?.outbox.detach();
    if (isOpen) this.#socket?.reset();
    this.#socket = undefined;
  }

  /** What the lifecycle says, where every delivery can see it. */
  protected follow({ phase }: Lifecycle): void {
    this.#isActive = phase === "active" || phase === "detached";
    this.#isLapsed = phase === "lapsed";
  }

  /** Standing is lost for now: what has not left is held back. False where the peer would count wrong without it. */
  protected holdBack(): boolean {
    const frames = this.#outbox.takeBack();
    const dropped = this.#outbox.takeDropped();
    if (dropped !== undefined) this.#holder().addDropped(dropped);
    // What waits for a group's rule already was said behind what had not left yet.
    const waiting = this.#held?.take(() => "say") ?? [];
    for (const frame of [...(frames ?? []), ...waiting]) {
      if (frame.isGreeting === true) this.#outbox.push(frame);
      else this.#keep(frame);
    }
    // The end that has come holds back the application's frames; what is answered now is of another kind.
    this.#outbox.renew(undefined);
    return frames !== undefined;
  }

  /** Says what was held and may be said now. Returns what had to make room meanwhile. */
  protected letGo(judge: (group: GroupKey | undefined) => HeldVerdict): Dropped | undefined {
    const held = this.#held;
    if (held === undefined) return undefined;
    for (const frame of held.take(judge)) if (!this.#outbox.push(frame)) this.apply({ type: "lagging" });
    return held.takeDropped();
  }

  /** Another principal, or the same one judged anew: what was judged before has to be judged again. */
  protected nextVersion(): void {
    this.#version++;
  }

  /** Until when what is said may be written from now on. */
  protected renew(lifetime: Lifetime): void {
    this.#lifetime = lifetime;
    this.#outbox.renew(lifetime);
  }

  protected speakIn(dialect: Dialect | undefined): void {
    this.#dialect = dialect;
  }

  /** Once a second. False when the peer lags too far. */
  protected keepPace(now: number, keepAlive: KeepAlive | undefined, keepAliveMs: number): boolean {
    if (!this.#outbox.beat(now)) return false;
    if (this.#replay !== undefined) this.acknowledge();
    if (keepAlive !== undefined) this.#outbox.keepAlive(keepAlive, now, keepAliveMs);
    return true;
  }

  /** Says why and closes. `protocol`: whose words are the last ones; undefined where it has none. */
  protected sayGoodbye(reason: ReasonName, farewell: Farewell, protocol: LastWords | undefined): void {
    const outbox = this.#outbox;
    const instant = readInstant(this.#setup.clock);
    const isAnswering = farewell !== "reset" && outbox.isAnswering(instant.monotonic);
    // Whatever the reason: what was queued is not for someone whose credential has ended meanwhile.
    // Nor for someone who comes for it later (long polling): by then it may have been revoked, or have ended.
    const isHere = this.#socket?.isPolled !== true || this.#socket.queuedBytes === 0;
    const mayDeliver = farewell === "deliver" && isAnswering && isHere && !isOver(this.#lifetime, instant);
    const held = mayDeliver ? outbox.drain() : undefined;
    outbox.discard();
    this.#held?.clear();
    // A peer that does not read would still be handed what its kernel already has: only a reset takes it back.
    if (!isAnswering || protocol === undefined) return this.#socket?.reset();
    // What was queued may be said now; a moment later the credential may have ended.
    if (held !== undefined && held.length > 0) this.#close(reason, concat(held, protocol.farewell(reason)));
    // A transport whose rules were broken closes by itself behind this: later it would be without a word.
    else if (reason === "protocol_error") this.#close(reason, protocol.farewell(reason));
    else this.#setup.farewells.add(() => this.#close(reason, protocol.farewell(reason)));
  }

  /** Nothing is said any more: the socket is gone. */
  protected fallSilent(): void {
    this.#held?.clear();
    this.#outbox.discard();
    this.#socket = undefined;
  }

  #close(reason: ReasonName, lastFrames: Uint8Array): void {
    this.#socket?.close(lastFrames, reasons[reason].closeCode ?? 1011, formatReason(reason));
  }

  #keep(frame: Frame): void {
    const held = this.#holder();
    // Told in the words of later: of a group that is lost until then nothing is said.
    if (frame.gap === undefined) held.push(frame);
    else held.addDropped(frame.gap);
  }

  #holder(): HeldFrames {
    return (this.#held ??= new HeldFrames(this.#setup.outboxLimits.maxHeldBytes));
  }

  #writeThrough(socket: Socket, opening: Uint8Array): void {
    const { outbox, maxReplayBytes } = this.#replay as Replay;
    const { clock, outboxLimits } = this.#setup;
    // Beside what waits for its turn, what the peer has not acknowledged may have to go again all at once.
    const maxBytes = outboxLimits.maxBytes + maxReplayBytes + MAX_CONTROL_BYTES;
    const instant = readInstant(clock);
    const limits = { ...outboxLimits, maxBytes, keepsAll: true };
    const transport = this.#createOutbox(socket, instant.monotonic, limits);
    if (!outbox.attach(transport, opening, instant)) this.apply({ type: "lagging" });
  }

  #createOutbox(socket: Socket, now: number, limits: OutboxLimits): Outbox {
    return new Outbox(socket, this.#setup.flushQueue, limits, this.#lifetime, now, this);
  }
}

/** What a connection needs to outlive its transport. */
interface Replay {
  readonly protocol: ReplayProtocol;
  readonly outbox: ReplayOutbox;
  readonly maxReplayBytes: number;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
