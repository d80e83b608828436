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
import { openStream, pumpStream, type StreamSink } from "./stream-pump.js";
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
      const message = { type: messageType.invocation, invocationId, target, arguments: args } as const;
      connection.send({ bytes: dialect.render(message), group: undefined });
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
    if (streamIds !== undefined && streamIds.length > 0)
      this.#uploads ??= new Uploads(hub.settings.maxUploadItems, this.#throttle);
    return {
      message,
      control: new CallControl(),
      uploads: this.#uploads?.open(streamIds) ?? NO_UPLOADS,
      takesTurn: message.type === messageType.invocation && (streamIds?.length ?? 0) === 0,
    };
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
    const refusal = this.#refusalOf(invocation);
    if (refusal !== undefined) {
      this.#close(invocation);
      this.#fail(message, refusal);
      return undefined;
    }
    const { target, arguments: args } = message;
    const isStream = message.type === messageType.streamInvocation;
    const outcome = dispatch(connection, hub, { target, args, isStream, uploads, control });
    if (!(outcome instanceof Promise)) {
      if (outcome.kind === "stream") return this.#guard(this.#stream(invocation, outcome));
      this.#close(invocation);
      this.#answer(message, outcome);
      return undefined;
    }
    return this.#guard(
      outcome.then((settled) => {
        if (settled.kind === "stream") return this.#stream(invocation, settled);
        this.#close(invocation);
        return this.#answer(message, settled);
      }),
    );
  }

  /** What stops a call before anybody is asked whether it may be made. */
  #refusalOf({ message, control, takesTurn }: Invocation): string | undefined {
    const { settings } = this.#setup.hub;
    const isStream = message.type === messageType.streamInvocation;
    // Cancelled while it waited for its turn: it was never entered.
    if (control.isCancelled) return isStream ? "" : notInvoked(message.target);
    if (isStream && this.#invocations.hasStream(message.invocationId)) return idInUse(message.invocationId);
    if (takesTurn || this.#invocations.streams < settings.maxStreams) return undefined;
    const error = new HubwardError("stream_limit");
    this.#reportRefusal(error, undefined);
    return error.message;
  }

  #close({ message, uploads }: Invocation): void {
    if (uploads.length > 0) this.#uploads?.close(message.streamIds, uploads);
  }

  /** Not the method, which is caught before: something of ours or of a sink. The peer's state is then unknown. */
  #guard(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => this.#setup.connection.fail(error));
  }

  async #stream(invocation: Invocation, { items, method }: Extract<Outcome, { kind: "stream" }>): Promise<void> {
    const { connection, hub } = this.#setup;
    const { message, control } = invocation;
    const source = openStream(items);
    if (source === undefined) {
      this.#close(invocation);
      return this.#fail(message, notAStream(method));
    }
    const sink: StreamSink = {
      send: (item) => this.#sendItem(message, item),
      room: () => connection.outbox.room(),
    };
    const end = await pumpStream(source, sink, control);
    this.#close(invocation);
    if (end.kind !== "failed") return this.#fail(message, "");
    this.#reportFailure(end.error, method);
    this.#fail(message, streamErrorText(end.error, hub.settings.hasDetailedErrors));
  }

  #sendItem({ invocationId }: AnyInvocation, item: unknown): boolean {
    const { connection } = this.#setup;
    if (connection.refusal() !== undefined) return false;
    const dialect = this.#dialect as SignalRDialect;
    const bytes = dialect.render({ type: messageType.streamItem, invocationId: invocationId ?? "", item });
    if (bytes.length > connection.maxFrameBytes) throw new HubwardError("result_too_large");
    connection.send({ bytes, group: undefined });
    return true;
  }

  /** Completes a call with an error, or a stream without one: an empty text. */
  #fail({ invocationId }: AnyInvocation, error: string): void {
    const { connection } = this.#setup;
    if (invocationId === undefined || connection.refusal() !== undefined) return;
    const outcome = error === "" ? ({ kind: "void" } as const) : ({ kind: "error", error } as const);
    const dialect = this.#dialect as SignalRDialect;
    const bytes = dialect.render({ type: messageType.completion, invocationId, outcome });
    connection.send({ bytes, group: undefined });
  }

  #answer(message: AnyInvocation, outcome: Settled): void {
    this.#report(outcome);
    const { invocationId } = message;
    const { connection, hub } = this.#setup;
    if (invocationId === undefined) return;
    if (outcome.kind !== "value")
      return this.#fail(message, errorText(outcome, message.target, hub.settings.hasDetailedErrors));
    if (connection.refusal() !== undefined) return;
    const dialect = this.#dialect as SignalRDialect;
    let bytes: Uint8Array;
    try {
      // .NET answers a method without a result with a null result; clients rely on it.
      const value = outcome.value ?? null;
      bytes = dialect.render({ type: messageType.completion, invocationId, outcome: { kind: "value", value } });
    } catch (error) {
      this.#setup.telemetry({ ...this.#failure(`result of ${message.target}`), error });
      return this.#fail(message, notInvoked(message.target));
    }
    if (bytes.length > connection.maxFrameBytes) return this.#fail(message, formatReason("result_too_large"));
    connection.send({ bytes, group: undefined });
  }

  #report(outcome: Settled): void {
    if (outcome.kind === "refused") return this.#reportRefusal(outcome.error, outcome.method);
    if (outcome.kind === "failed") this.#reportFailure(outcome.error, outcome.method);
  }

  #reportFailure(error: unknown, method: string): void {
    if (error instanceof HubError) return;
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
