/** One SignalR connection: bytes in, calls out to the dispatcher. Knows the protocol, decides nothing. */

import {
  HubwardError,
  messageType,
  NOTICE_TARGET,
  type CompletionMessage,
  type DecodeLimits,
  type HubMessage,
  type MessageReader,
  type Notice,
  type ReasonName,
} from "@hubward/wire";
import type { Clock } from "../core/clock.js";
import type { Connection } from "../core/connection/connection.js";
import { Throttle } from "../core/connection/throttle.js";
import type { LapseReason } from "../core/connection/lifecycle.js";
import type { InvokeOptions, ProtocolHandler } from "../core/connection/protocol-handler.js";
import { CallControl } from "../core/dispatch/call-control.js";
import { CallQueue } from "../core/dispatch/call-queue.js";
import type { Dispatch, Outcome } from "../core/dispatch/dispatcher.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { CallLimiter } from "../core/limits/call-limiter.js";
import type { Upload } from "../core/dispatch/upload.js";
import type { Telemetry } from "../core/telemetry.js";
import { closeMessage, type Dialects, type SignalRDialect } from "./dialect.js";
import { ClientResults } from "./client-results.js";
import { idInUse } from "./error-text.js";
import { HandshakeReader } from "./handshake.js";
import { hasStream, type Invocation } from "./invocations.js";
import { ReceivedMessages } from "./received-messages.js";
import { Responder } from "./responder.js";
import { Uploads } from "./uploads.js";
import { asHubwardError } from "../core/errors.js";

type AnyInvocation = Invocation["message"];

const NO_UPLOADS: readonly Upload[] = [];

export interface HandlerSetup<P> {
  readonly connection: Connection<P>;
  readonly hub: Hub<P>;
  readonly dispatch: Dispatch<P>;
  /** For what is answered without a dispatch. */
  readonly limiter: Pick<CallLimiter, "tolerate">;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly decodeLimits: DecodeLimits;
  /** Of its transport. Default WebSockets. */
  readonly dialects?: Dialects | undefined;
  /** Whether stateful reconnect was negotiated; the client still has to say so in its handshake. */
  readonly isResumable: boolean;
  /** What a control call comes to; undefined for a call of any other name. */
  readonly control?: ((target: string, args: readonly unknown[]) => Promise<unknown> | undefined) | undefined;
  /** Claims the ticket for good. False when another attempt of it was faster. */
  readonly bind: () => boolean;
}

export class SignalRHandler<P> implements ProtocolHandler {
  readonly #setup: HandlerSetup<P>;
  readonly #throttle: Throttle;
  readonly #invocations: CallQueue<Invocation>;
  /** Made when first needed: most connections never stream, are never asked, and some never call. */
  #uploads: Uploads | undefined;
  #clientResults: ClientResults | undefined;
  #answering: Responder<P> | undefined;
  #handshake: HandshakeReader | undefined;
  #reader: MessageReader | undefined;
  #dialect: SignalRDialect | undefined;
  /** Kept where the client may come back after its transport was lost. */
  #received: ReceivedMessages | undefined;

  constructor(setup: HandlerSetup<P>) {
    this.#setup = setup;
    this.#handshake = new HandshakeReader(setup.dialects, setup.decodeLimits.maxBytes);
    this.#throttle = new Throttle(setup.connection);
    this.#invocations = new CallQueue<Invocation>(
      setup.hub.settings.maxParallelInvocations,
      (invocation) => this.#run(invocation),
      this.#throttle,
    );
  }

  get dialect(): SignalRDialect | undefined {
    return this.#dialect;
  }

  get isBusy(): boolean {
    return this.#invocations.isBusy || this.#throttle.isHolding;
  }

  get keepAlive(): Uint8Array | undefined {
    return this.#dialect?.keepAlive;
  }

  farewell(reason: ReasonName): Uint8Array {
    if (this.#dialect !== undefined) return this.#dialect.render(closeMessage(reason));
    return this.#handshake?.refusal() ?? new Uint8Array(0);
  }

  hold(): void {
    this.#invocations.hold();
  }

  release(): void {
    this.#invocations.release();
  }

  invoke(target: string, args: readonly unknown[], options: InvokeOptions): Promise<unknown> {
    const { clock, connection } = this.#setup;
    return (this.#clientResults ??= new ClientResults(clock)).ask((invocationId) => {
      const dialect = this.#dialect as SignalRDialect;
      const bytes = dialect.render({ type: messageType.invocation, invocationId, target, arguments: args });
      // Ours is the mistake: the peer must not pass for a slow consumer.
      if (bytes.length > connection.maxFrameBytes)
        throw new RangeError("invoke: arguments larger than outbox.maxBytes");
      connection.send({ bytes, group: undefined });
    }, options);
  }

  notice(notice: Notice): Uint8Array | undefined {
    return this.#dialect?.renderEvent(NOTICE_TARGET, [notice]);
  }

  replaced(): void {
    this.#invocations.judgeAgain();
  }

  get judging(): Promise<unknown> | undefined {
    return this.#invocations.judging;
  }

  suspended(reason: LapseReason): void {
    this.#invocations.refuse(new HubwardError(reason));
    this.#uploads?.fail(reason);
    this.#clientResults?.fail(reason);
  }

  ended(reason: ReasonName): void {
    this.#invocations.clear();
    this.#uploads?.fail(reason);
    this.#clientResults?.fail(reason);
    this.#answering?.ended();
  }

  received(data: Uint8Array): void {
    let bytes = data;
    if (data.length === 0) return this.#tolerate();
    if (this.#handshake !== undefined) {
      const done = this.#handshake.read(data);
      if (done === undefined) return;
      if (!this.#setup.bind()) throw new HubwardError("ticket_invalid");
      this.#dialect = done.dialect;
      this.#startReading(done.dialect);
      this.#handshake = undefined;
      const { connection } = this.#setup;
      // First, so that it leaves before whatever the application does when it hears of the connection.
      connection.outbox.push({ bytes: done.reply, group: undefined, isGreeting: true });
      if (this.#setup.isResumable && done.version >= STATEFUL_VERSION) this.#keepForReplay(done.dialect);
      connection.apply({ type: "handshake-completed" });
      if (done.rest.length === 0) return;
      bytes = done.rest;
    }
    this.#read(bytes);
  }

  #startReading(dialect: SignalRDialect): void {
    this.#reader = dialect.createReader(this.#setup.decodeLimits.maxBytes);
  }

  #keepForReplay(dialect: SignalRDialect): void {
    const { connection, hub } = this.#setup;
    this.#received = new ReceivedMessages(dialect, () => this.#startReading(dialect));
    connection.keepForReplay(this.#received, hub.settings.maxReplayBytes);
  }

  #read(bytes: Uint8Array): void {
    const { connection, decodeLimits } = this.#setup;
    for (const body of this.#reader?.read(bytes) ?? []) {
      // Each message asks anew: the one before may have ended the connection.
      if (!connection.isListening) return;
      const message = this.#dialect?.codec.decode(body, decodeLimits);
      if (message === undefined) this.#tolerate();
      else if (this.#received?.admits(message, body.length) !== false) this.#take(message);
    }
    if (this.#received?.isAcknowledgementUrgent === true) connection.acknowledge();
  }

  #take(message: HubMessage): void {
    switch (message.type) {
      case messageType.invocation:
      case messageType.streamInvocation:
        return this.#begin(message);
      case messageType.cancelInvocation:
        return this.#cancel(message.invocationId);
      case messageType.streamItem:
        return this.#uploads?.item(message.invocationId, message.item);
      case messageType.completion:
        return this.#complete(message);
      case messageType.close:
        return this.#setup.connection.apply({ type: "peer-closed" });
      case messageType.ack:
        this.#tolerate();
        return this.#setup.connection.acknowledged(message.sequenceId);
      case messageType.ping:
      // A Sequence was counted with, or comes from a client that negotiated none: ignored, as .NET does.
      case messageType.sequence:
        return this.#tolerate();
      default:
        message satisfies never;
    }
  }

  /**
   * What asks for nothing still costs a reading. A stock client pings every 15 s, acknowledges once a second at most, and
   * says where it goes on once for each transport: whoever is beyond the bound is none.
   */
  #tolerate(): void {
    this.#setup.limiter.tolerate(this.#setup.connection);
  }

  #cancel(invocationId: string): void {
    this.#invocations.cancel(({ message }) => message.invocationId === invocationId);
  }

  #begin(message: AnyInvocation): void {
    const { connection, limiter } = this.#setup;
    const control = this.#setup.control?.(message.target, message.arguments);
    if (control !== undefined) {
      limiter.tolerate(connection);
      return void this.#guard(this.#answerControl(message, control));
    }
    // Nothing that ran before keeps a lapsed peer from hearing so.
    const refusal = connection.isActive ? undefined : connection.refusal();
    if (refusal !== undefined) {
      this.#responder().refuse(message, refusal, undefined);
      return limiter.tolerate(connection);
    }
    this.#invocations.add(this.#invocationOf(message));
  }

  /** Beside the calls: in no queue, no filter, no log of arguments. */
  async #answerControl(message: AnyInvocation, control: Promise<unknown>): Promise<void> {
    try {
      this.#responder().tell(message, await control);
    } catch (error) {
      this.#responder().finish(message, asHubwardError(error).message);
    }
  }

  #invocationOf(message: AnyInvocation): Invocation {
    const { hub } = this.#setup;
    const { streamIds } = message;
    const hasUploads = streamIds !== undefined && streamIds.length > 0;
    if (hasUploads) this.#uploads ??= new Uploads(hub.settings.maxUploadItems, this.#throttle);
    const takesTurn = message.type === messageType.invocation && !hasUploads;
    const uploads = this.#uploads?.open(streamIds) ?? NO_UPLOADS;
    return { message, control: new CallControl(takesTurn ? this.#invocations : undefined), uploads, takesTurn };
  }

  /** The end of a stream from the client, or its answer to a call of ours. Others are ignored, as .NET does. */
  #complete(message: CompletionMessage): void {
    const { outcome } = message;
    if (this.#uploads?.end(message.invocationId, outcome.kind === "error" ? outcome.error : undefined) === true) return;
    this.#clientResults?.complete(message);
  }

  #run(invocation: Invocation): Promise<void> | undefined {
    const { connection, hub, dispatch, limiter } = this.#setup;
    const { message, control, uploads } = invocation;
    const { target, arguments: args } = message;
    const isStream = message.type === messageType.streamInvocation;
    // Cancelled while it waited for its turn: nobody is asked any more.
    if (control.isCancelled) return this.#settle(invocation, { kind: "cancelled", method: target });
    if (isStream && hasStream(this.#invocations, message.invocationId)) {
      this.#close(invocation);
      this.#responder().finish(message, idInUse(message.invocationId));
      limiter.tolerate(connection);
      return undefined;
    }
    if (!invocation.takesTurn && this.#invocations.streams >= hub.settings.maxStreams) {
      const error = new HubwardError("stream_limit");
      const ending = this.#settle(invocation, { kind: "refused", error, method: undefined });
      limiter.tolerate(connection);
      return ending;
    }
    const outcome = dispatch(connection, hub, { target, args, isStream, uploads, control });
    if (outcome instanceof Promise) return this.#guard(outcome.then((settled) => this.#settle(invocation, settled)));
    const ending = this.#settle(invocation, outcome);
    return ending === undefined ? undefined : this.#guard(ending);
  }

  /** Answers a call. A promise where that takes its time: for a stream, and for a result that waits for room. */
  #settle(invocation: Invocation, outcome: Outcome): Promise<void> | undefined {
    const { judging } = invocation.control;
    if (judging !== undefined) return judging.then(() => this.#settle(invocation, outcome));
    if (outcome.kind === "stream") return this.#responder().stream(invocation, outcome, () => this.#close(invocation));
    this.#close(invocation);
    return this.#responder().answer(invocation, outcome);
  }

  #close({ message, uploads }: Invocation): void {
    if (uploads.length > 0) this.#uploads?.close(message.streamIds, uploads);
  }

  /** Not the method, which is caught before: something of ours or of a sink. The peer's state is then unknown. */
  #guard(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => this.#setup.connection.fail(error));
  }

  #responder(): Responder<P> {
    return (this.#answering ??= new Responder(this.#setup, this.#dialect as SignalRDialect));
  }
}

/** Version of the hub protocol from which on Ack and Sequence exist. */
const STATEFUL_VERSION = 2;
