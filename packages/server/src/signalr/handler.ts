/** One SignalR connection: bytes in, calls out to the dispatcher, answers back. Knows the protocol, decides nothing. */

import {
  formatReason,
  HubwardError,
  messageType,
  type CompletionMessage,
  type DecodeLimits,
  type HubMessage,
  type MessageReader,
  type ReasonName,
} from "@hubward/wire";
import type { Clock } from "../core/clock.js";
import type { Connection } from "../core/connection/connection.js";
import type { InvokeOptions, ProtocolHandler } from "../core/connection/protocol-handler.js";
import { CallControl } from "../core/dispatch/call-control.js";
import type { Dispatch, Outcome } from "../core/dispatch/dispatcher.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { Upload } from "../core/dispatch/upload.js";
import { HubError, isRefusal } from "../core/errors.js";
import { PolicyRefusal } from "../core/auth/policy.js";
import type { Telemetry } from "../core/telemetry.js";
import { renderClose, type Dialects, type SignalRDialect } from "./dialect.js";
import { ClientResults } from "./client-results.js";
import { errorText, idInUse, notAStream, notInvoked, streamErrorText } from "./error-text.js";
import { HandshakeReader } from "./handshake.js";
import { Invocations, type Invocation } from "./invocations.js";
import { ReceivedMessages } from "./received-messages.js";
import { openStream, pumpStream, type StreamEnd, type StreamSink } from "./stream-pump.js";
import { Throttle } from "./throttle.js";
import { Uploads } from "./uploads.js";

type AnyInvocation = Invocation["message"];
type Settled = Exclude<Outcome, { kind: "stream" }>;

const NO_UPLOADS: readonly Upload[] = [];

export interface HandlerSetup<P> {
  readonly connection: Connection<P>;
  readonly hub: Hub<P>;
  readonly dispatch: Dispatch<P>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly decodeLimits: DecodeLimits;
  /** Of its transport. Default WebSockets. */
  readonly dialects?: Dialects | undefined;
  /** Whether stateful reconnect was negotiated; the client still has to say so in its handshake. */
  readonly isResumable: boolean;
  /** Claims the ticket for good. False when another attempt of it was faster. */
  readonly bind: () => boolean;
}

export class SignalRHandler<P> implements ProtocolHandler {
  readonly #setup: HandlerSetup<P>;
  readonly #throttle: Throttle;
  readonly #invocations: Invocations;
  /** Made when first needed: most connections never stream and are never asked. */
  #uploads: Uploads | undefined;
  #clientResults: ClientResults | undefined;
  #handshake: HandshakeReader | undefined;
  #reader: MessageReader | undefined;
  #dialect: SignalRDialect | undefined;
  /** Kept where the client may come back after its transport was lost. */
  #received: ReceivedMessages | undefined;

  constructor(setup: HandlerSetup<P>) {
    this.#setup = setup;
    this.#handshake = new HandshakeReader(setup.dialects, setup.decodeLimits.maxBytes);
    this.#throttle = new Throttle(setup.connection);
    this.#invocations = new Invocations(
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
    if (this.#dialect !== undefined) return renderClose(this.#dialect, reason);
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

  ended(reason: ReasonName): void {
    this.#invocations.clear();
    this.#uploads?.fail(reason);
    this.#clientResults?.fail(reason);
  }

  received(data: Uint8Array): void {
    let bytes = data;
    if (this.#handshake !== undefined) {
      const done = this.#handshake.read(data);
      if (done === undefined) return;
      if (!this.#setup.bind()) throw new HubwardError("ticket_invalid");
      this.#dialect = done.dialect;
      this.#startReading(done.dialect);
      this.#handshake = undefined;
      const { connection } = this.#setup;
      // First, so that it leaves before whatever the application does when it hears of the connection.
      connection.outbox.push({ bytes: done.reply, group: undefined });
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
      if (!connection.isActive) return;
      const message = this.#dialect?.codec.decode(body, decodeLimits);
      if (message === undefined || this.#received?.admits(message, body.length) === false) continue;
      this.#take(message);
    }
    if (this.#received?.isAcknowledgementUrgent === true) connection.acknowledge();
  }

  #take(message: HubMessage): void {
    switch (message.type) {
      case messageType.invocation:
      case messageType.streamInvocation:
        return this.#invocations.add(this.#invocationOf(message));
      case messageType.cancelInvocation:
        return this.#invocations.cancel(message.invocationId);
      case messageType.streamItem:
        return this.#uploads?.item(message.invocationId, message.item);
      case messageType.completion:
        return this.#complete(message);
      case messageType.close:
        return this.#setup.connection.apply({ type: "peer-closed" });
      case messageType.ack:
        return this.#setup.connection.acknowledged(message.sequenceId);
      case messageType.ping:
      // A Sequence was counted with, or comes from a client that negotiated none: ignored, as .NET does.
      case messageType.sequence:
        return;
      default:
        message satisfies never;
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
    const { connection, hub, dispatch } = this.#setup;
    const { message, control, uploads } = invocation;
    const { target, arguments: args } = message;
    const isStream = message.type === messageType.streamInvocation;
    // Cancelled while it waited for its turn: nobody is asked any more.
    if (control.isCancelled) return this.#settle(invocation, { kind: "cancelled", method: target });
    if (isStream && this.#invocations.hasStream(message.invocationId)) {
      this.#close(invocation);
      return this.#finish(message, idInUse(message.invocationId));
    }
    if (!invocation.takesTurn && this.#invocations.streams >= hub.settings.maxStreams)
      return this.#settle(invocation, { kind: "refused", error: new HubwardError("stream_limit"), method: undefined });
    const outcome = dispatch(connection, hub, { target, args, isStream, uploads, control });
    if (outcome instanceof Promise) return this.#guard(outcome.then((settled) => this.#settle(invocation, settled)));
    const ending = this.#settle(invocation, outcome);
    return ending === undefined ? undefined : this.#guard(ending);
  }

  /** Answers a call. A promise where that takes its time: for a stream, and for a result that waits for room. */
  #settle(invocation: Invocation, outcome: Outcome): Promise<void> | undefined {
    if (outcome.kind === "stream") return this.#stream(invocation, outcome);
    this.#close(invocation);
    return this.#answer(invocation, outcome);
  }

  #close({ message, uploads }: Invocation): void {
    if (uploads.length > 0) this.#uploads?.close(message.streamIds, uploads);
  }

  /** Not the method, which is caught before: something of ours or of a sink. The peer's state is then unknown. */
  #guard(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => this.#setup.connection.fail(error));
  }

  #stream(invocation: Invocation, { items, method }: Extract<Outcome, { kind: "stream" }>): Promise<void> | undefined {
    const { message, control } = invocation;
    const ended = (end: StreamEnd): void => {
      this.#close(invocation);
      if (end.kind !== "failed") return this.#finish(message);
      this.#reportFailure(end.error, method, control);
      this.#finish(message, streamErrorText(end.error, this.#setup.hub.settings.hasDetailedErrors));
    };
    try {
      const source = openStream(items);
      if (source !== undefined) return pumpStream(source, this.#sinkFor(message), control, ended);
    } catch (error) {
      ended({ kind: "failed", error });
      return undefined;
    }
    this.#close(invocation);
    this.#finish(message, notAStream(method));
    return undefined;
  }

  #sinkFor({ invocationId = "" }: AnyInvocation): StreamSink {
    const { clock, connection } = this.#setup;
    const dialect = this.#dialect as SignalRDialect;
    return {
      encode(item) {
        const bytes = dialect.render({ type: messageType.streamItem, invocationId, item });
        if (bytes.length > connection.maxFrameBytes) throw new HubwardError("result_too_large");
        return bytes;
      },
      room: (length) => connection.outbox.room(length, clock),
      send(bytes) {
        if (connection.refusal() !== undefined) return false;
        connection.send({ bytes, group: undefined });
        return true;
      },
    };
  }

  /** Completes a call with an error, or a stream without one. */
  #finish({ invocationId }: AnyInvocation, error?: string): undefined {
    const { connection } = this.#setup;
    if (invocationId === undefined || connection.refusal() !== undefined) return;
    const outcome = error === undefined ? ({ kind: "void" } as const) : ({ kind: "error", error } as const);
    const dialect = this.#dialect as SignalRDialect;
    const bytes = dialect.render({ type: messageType.completion, invocationId, outcome });
    connection.send({ bytes, group: undefined });
  }

  #answer({ message, control }: Invocation, outcome: Settled): Promise<void> | undefined {
    this.#report(outcome, control);
    const { invocationId } = message;
    const { connection, hub } = this.#setup;
    if (invocationId === undefined) return undefined;
    // To cancel a stream is no error.
    if (outcome.kind === "cancelled" && message.type === messageType.streamInvocation) return this.#finish(message);
    if (outcome.kind !== "value")
      return this.#finish(message, errorText(outcome, message.target, hub.settings.hasDetailedErrors));
    if (!connection.isActive) return undefined;
    const dialect = this.#dialect as SignalRDialect;
    let bytes: Uint8Array;
    try {
      // .NET answers a method without a result with a null result; clients rely on it.
      const value = outcome.value ?? null;
      bytes = dialect.render({ type: messageType.completion, invocationId, outcome: { kind: "value", value } });
    } catch (error) {
      this.#setup.telemetry({ ...this.#failure(`result of ${message.target}`), error });
      return this.#finish(message, notInvoked(message.target));
    }
    if (bytes.length > connection.maxFrameBytes) return this.#finish(message, formatReason("result_too_large"));
    return this.#sendResult(bytes);
  }

  /** Keeps the call's turn while the peer is behind: who asks for more than it reads waits for its own answers. */
  #sendResult(bytes: Uint8Array): Promise<void> | undefined {
    const { clock, connection } = this.#setup;
    const room = connection.outbox.room(bytes.length, clock);
    if (room !== undefined) return room.then(() => this.#sendResult(bytes));
    if (connection.refusal() === undefined) connection.send({ bytes, group: undefined });
    return undefined;
  }

  #report(outcome: Settled, control: CallControl): void {
    if (outcome.kind === "refused") return this.#reportRefusal(outcome.error, outcome.method);
    if (outcome.kind === "failed") this.#reportFailure(outcome.error, outcome.method, control);
  }

  #reportFailure(error: unknown, method: string, control: CallControl): void {
    if (error instanceof HubError) return;
    // What a method throws because it was told to stop is no failure of its own.
    if (control.isCancelled && (error instanceof HubwardError || isAbort(error))) return;
    // The method was let in, but something it tried was not: a join, a send, a check of its own.
    if (isRefusal(error)) return this.#reportRefusal(error, method);
    const { hub, telemetry } = this.#setup;
    telemetry({ ...this.#failure(`${hub.path} ${method}`), error });
  }

  #reportRefusal(error: HubwardError, method: string | undefined): void {
    const { connection, hub, telemetry } = this.#setup;
    telemetry({
      event: "call.refused",
      connectionId: connection.id,
      hub: hub.path,
      method,
      reason: error.reason,
      policy: error instanceof PolicyRefusal ? error.policy : undefined,
      subject: connection.authentication.subject,
    });
  }

  #failure(where: string): { event: "application.failed"; where: string; connectionId: Connection<P>["id"] } {
    return { event: "application.failed", where, connectionId: this.#setup.connection.id };
  }
}

/** Version of the hub protocol from which on Ack and Sequence exist. */
const STATEFUL_VERSION = 2;

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
