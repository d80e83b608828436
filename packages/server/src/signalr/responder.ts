/** What has become of a call, told to its caller in the connection's dialect, and to telemetry where it went wrong. */

import { formatReason, HubwardError, messageType } from "@hubward/wire";
import type { Clock } from "../core/clock.js";
import type { Connection } from "../core/connection/connection.js";
import type { CallControl } from "../core/dispatch/call-control.js";
import { CallReports } from "../core/dispatch/call-reports.js";
import type { Outcome } from "../core/dispatch/dispatcher.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { Telemetry } from "../core/telemetry.js";
import type { SignalRDialect } from "./dialect.js";
import { errorText, notAStream, notInvoked, streamErrorText } from "./error-text.js";
import type { Invocation } from "./invocations.js";
import { openStream, pumpStream, type StreamEnd, type StreamSink } from "./stream-pump.js";

type AnyInvocation = Invocation["message"];
type Streaming = Extract<Outcome, { kind: "stream" }>;
type Settled = Exclude<Outcome, Streaming>;

export interface ResponderSetup<P> {
  readonly connection: Connection<P>;
  readonly hub: Hub<P>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export class Responder<P> {
  readonly #setup: ResponderSetup<P>;
  readonly #dialect: SignalRDialect;
  readonly #reports: CallReports<P>;

  constructor(setup: ResponderSetup<P>, dialect: SignalRDialect) {
    const { clock, connection, hub, telemetry } = setup;
    this.#setup = setup;
    this.#dialect = dialect;
    this.#reports = new CallReports({ clock, connection, path: hub.path, telemetry });
  }

  /** Sends what a call has come to. A promise where a result waits for room. */
  answer({ message, control }: Invocation, outcome: Settled): Promise<void> | undefined {
    const { invocationId } = message;
    const { connection, hub } = this.#setup;
    // Whatever its method gave: it is not for who the caller is by now.
    if (control.refusal !== undefined && outcome.kind !== "refused")
      return this.#refuseStopped(message, control.refusal);
    this.#reports.outcome(outcome, control);
    if (invocationId === undefined) return undefined;
    // To cancel a stream is no error.
    if (outcome.kind === "cancelled" && message.type === messageType.streamInvocation) return this.finish(message);
    if (outcome.kind !== "value")
      return this.finish(message, errorText(outcome, message.target, hub.settings.hasDetailedErrors));
    // For whom it would only be thrown away; whether the credential still holds is asked when it is sent.
    const refusal = connection.isActive ? undefined : connection.refusal();
    if (refusal !== undefined) return this.finish(message, refusal.message);
    let bytes: Uint8Array;
    try {
      // .NET answers a method without a result with a null result; clients rely on it.
      const value = outcome.value ?? null;
      bytes = this.#dialect.render({ type: messageType.completion, invocationId, outcome: { kind: "value", value } });
    } catch (error) {
      const where = `result of ${message.target}`;
      this.#setup.telemetry({ event: "application.failed", where, connectionId: connection.id, error });
      return this.finish(message, notInvoked(message.target));
    }
    if (bytes.length > connection.maxFrameBytes) return this.finish(message, formatReason("result_too_large"));
    return this.#sendResult(message, control, bytes);
  }

  /** The connection ended: tells what was only counted. */
  ended(): void {
    this.#reports.ended();
  }

  /** What a control call has come to. */
  tell({ invocationId }: AnyInvocation, value: unknown): void {
    if (invocationId === undefined) return;
    const outcome = { kind: "value", value } as const;
    const bytes = this.#dialect.render({ type: messageType.completion, invocationId, outcome });
    this.#setup.connection.answer({ bytes, group: undefined });
  }

  /** Tells the caller why not, and telemetry. `method`: as declared, where it was found. */
  refuse(message: AnyInvocation, error: HubwardError, method?: string): undefined {
    this.#reports.refusal(error, method);
    return this.finish(message, error.message);
  }

  /** By its method's declared name: what the peer called it is no word for a log. */
  #refuseStopped(message: AnyInvocation, refusal: HubwardError): undefined {
    return this.refuse(message, refusal, this.#setup.hub.methods.get(message.target.toLowerCase())?.name);
  }

  /** Sends a stream. A promise until the method has let go of it; `onEnd` comes before, when its caller is told. */
  stream({ message, control }: Invocation, { items, method }: Streaming, onEnd: () => void): Promise<void> | undefined {
    const ended = (end: StreamEnd): void => {
      onEnd();
      if (control.refusal !== undefined) return this.refuse(message, control.refusal, method);
      if (end.kind !== "failed") return this.finish(message);
      this.#reports.failure(end.error, method, control);
      this.finish(message, streamErrorText(end.error, this.#setup.hub.settings.hasDetailedErrors));
    };
    try {
      const source = openStream(items);
      if (source !== undefined) return pumpStream(source, this.#sinkFor(message, control), control, ended);
    } catch (error) {
      ended({ kind: "failed", error });
      return undefined;
    }
    onEnd();
    this.finish(message, notAStream(method));
    return undefined;
  }

  /** Completes a call with an error, or a stream without one. A lapsed peer hears errors, too. */
  finish({ invocationId }: AnyInvocation, error?: string): undefined {
    const { connection } = this.#setup;
    if (invocationId === undefined || !connection.isListening) return;
    const outcome = error === undefined ? ({ kind: "void" } as const) : ({ kind: "error", error } as const);
    const dialect = this.#dialect;
    const bytes = dialect.render({ type: messageType.completion, invocationId, outcome });
    connection.answer({ bytes, group: undefined });
  }

  /** Keeps the call's turn while the peer is behind: who asks for more than it reads waits for its own answers. */
  #sendResult(message: AnyInvocation, control: CallControl, bytes: Uint8Array): Promise<void> | undefined {
    const { clock, connection } = this.#setup;
    // What it was told while it waited is not forgotten, whatever has come back meanwhile.
    if (control.refusal !== undefined) return this.#refuseStopped(message, control.refusal);
    const refusal = connection.refusal();
    if (refusal !== undefined) return this.finish(message, refusal.message);
    const wait = control.judging ?? connection.outbox.room(bytes.length, clock);
    if (wait !== undefined) return wait.then(() => this.#sendResult(message, control, bytes));
    connection.send({ bytes, group: undefined });
    return undefined;
  }

  #sinkFor({ invocationId = "" }: AnyInvocation, control: CallControl): StreamSink {
    const { clock, connection } = this.#setup;
    const dialect = this.#dialect;
    return {
      encode(item) {
        const bytes = dialect.render({ type: messageType.streamItem, invocationId, item });
        if (bytes.length > connection.maxFrameBytes) throw new HubwardError("result_too_large");
        return bytes;
      },
      room: (length) => control.judging ?? connection.outbox.room(length, clock),
      send(bytes) {
        if (connection.refusal() !== undefined) return false;
        connection.send({ bytes, group: undefined });
        return true;
      },
    };
  }
}
