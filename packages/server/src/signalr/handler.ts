/** One SignalR connection: bytes in, calls out to the dispatcher, answers back. Knows the protocol, decides nothing. */

import {
  HubwardError,
  messageType,
  type DecodeLimits,
  type HubMessage,
  type MessageReader,
  type ReasonName,
} from "@hubward/wire";
import type { Connection } from "../core/connection/connection.js";
import type { ProtocolHandler } from "../core/connection/protocol-handler.js";
import type { CallMode, Dispatch, Outcome } from "../core/dispatch/dispatcher.js";
import type { Hub } from "../core/dispatch/hub.js";
import { HubError } from "../core/errors.js";
import { PolicyRefusal } from "../core/auth/policy.js";
import type { Telemetry } from "../core/telemetry.js";
import { renderClose, type SignalRDialect } from "./dialect.js";
import { errorText, notInvoked } from "./error-text.js";
import { HandshakeReader } from "./handshake.js";
import { Invocations, type AnyInvocation } from "./invocations.js";
import { ReceivedMessages } from "./received-messages.js";

export interface HandlerSetup<P> {
  readonly connection: Connection<P>;
  readonly hub: Hub<P>;
  readonly dispatch: Dispatch<P>;
  readonly telemetry: Telemetry;
  readonly decodeLimits: DecodeLimits;
  /** Whether stateful reconnect was negotiated; the client still has to say so in its handshake. */
  readonly isResumable: boolean;
  /** Claims the ticket for good. False when another attempt of it was faster. */
  readonly bind: () => boolean;
}

export class SignalRHandler<P> implements ProtocolHandler {
  readonly #setup: HandlerSetup<P>;
  readonly #invocations: Invocations;
  #handshake: HandshakeReader | undefined = new HandshakeReader();
  #reader: MessageReader | undefined;
  #dialect: SignalRDialect | undefined;
  /** Kept where the client may come back after its transport was lost. */
  #received: ReceivedMessages | undefined;

  constructor(setup: HandlerSetup<P>) {
    this.#setup = setup;
    this.#invocations = new Invocations(
      setup.hub.settings.maxParallelInvocations,
      (message) => this.#run(message),
      setup.connection,
    );
  }

  get dialect(): SignalRDialect | undefined {
    return this.#dialect;
  }

  get isBusy(): boolean {
    return this.#invocations.isBusy;
  }

  get keepAlive(): Uint8Array | undefined {
    return this.#dialect?.keepAlive;
  }

  farewell(reason: ReasonName): Uint8Array {
    if (this.#dialect !== undefined) return renderClose(this.#dialect, reason);
    return this.#handshake?.refusal() ?? new Uint8Array(0);
  }

  ended(): void {
    this.#invocations.clear();
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
      connection.apply({ type: "handshake-completed" });
      connection.send({ bytes: done.reply, group: undefined });
      if (this.#setup.isResumable && done.version >= STATEFUL_VERSION) this.#keepForReplay(done.dialect);
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
        return this.#invocations.add(message);
      case messageType.close:
        return this.#setup.connection.apply({ type: "peer-closed" });
      case messageType.ack:
        return this.#setup.connection.acknowledged(message.sequenceId);
      case messageType.ping:
      // Answers to calls nobody made, items of streams nobody takes, cancellations of what has ended: ignored, as
      // .NET does. A Sequence was counted with, or comes from a client that negotiated none.
      case messageType.completion:
      case messageType.streamItem:
      case messageType.cancelInvocation:
      case messageType.sequence:
        return;
      default:
        message satisfies never;
    }
  }

  #run(message: AnyInvocation): Promise<void> | undefined {
    const { connection, hub, dispatch } = this.#setup;
    const outcome = dispatch(connection, hub, message.target, message.arguments, modeOf(message));
    if (!(outcome instanceof Promise)) {
      this.#answer(message, outcome);
      return undefined;
    }
    return outcome
      .then((settled) => this.#answer(message, settled))
      .catch((error: unknown) => {
        // Not the method, which is caught before: something of ours or of a sink. The peer's state is unknown.
        connection.fail(error);
      });
  }

  #answer(message: AnyInvocation, outcome: Outcome): void {
    this.#report(outcome);
    const { invocationId } = message;
    const { connection } = this.#setup;
    if (invocationId === undefined || connection.refusal() !== undefined) return;
    let bytes = this.#renderCompletion(message, invocationId, outcome);
    if (bytes.length > connection.maxFrameBytes) {
      const refused: Outcome = { kind: "refused", error: new HubwardError("result_too_large"), method: message.target };
      bytes = this.#renderCompletion(message, invocationId, refused);
    }
    connection.send({ bytes, group: undefined });
  }

  #renderCompletion(message: AnyInvocation, invocationId: string, outcome: Outcome): Uint8Array {
    const dialect = this.#dialect as SignalRDialect;
    const fail = (error: string): Uint8Array =>
      dialect.render({ type: messageType.completion, invocationId, outcome: { kind: "error", error } });
    if (outcome.kind !== "value") {
      // .NET looks at the kind of answer first and at the streams sent along second.
      const { isStream, uploads } = modeOf(message);
      return fail(errorText(outcome, message.target, isStream ? 0 : uploads));
    }
    try {
      // .NET answers a method without a result with a null result; clients rely on it.
      const value = outcome.value ?? null;
      return dialect.render({ type: messageType.completion, invocationId, outcome: { kind: "value", value } });
    } catch (error) {
      this.#setup.telemetry({ ...this.#failure(`result of ${message.target}`), error });
      return fail(notInvoked(message.target));
    }
  }

  #report(outcome: Outcome): void {
    if (outcome.kind === "refused") return this.#reportRefusal(outcome.error, outcome.method);
    if (outcome.kind !== "failed" || outcome.error instanceof HubError) return;
    // The method was let in, but something it tried was not: a join, a send, a check of its own.
    if (outcome.error instanceof HubwardError) return this.#reportRefusal(outcome.error, outcome.method);
    const { hub, telemetry } = this.#setup;
    telemetry({ ...this.#failure(`${hub.path} ${outcome.method}`), error: outcome.error });
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

const PLAIN: CallMode = { isStream: false, uploads: 0 };

function modeOf(message: AnyInvocation): CallMode {
  const uploads = message.streamIds?.length ?? 0;
  const isStream = message.type === messageType.streamInvocation;
  return !isStream && uploads === 0 ? PLAIN : { isStream, uploads };
}
