/** One connection in the rooms protocol: frames in, requests out to the dispatcher. Knows the protocol, decides nothing. */

import {
  HubwardError,
  maxRoomNameBytes,
  writeRoomName,
  type Notice,
  type ReasonName,
  type RequestId,
  type RoomsFrame,
  type RoomsRequest,
} from "@hubward/wire";
import { Secret } from "../core/auth/secret.js";
import type { Clock } from "../core/clock.js";
import type { Connection } from "../core/connection/connection.js";
import type { LapseReason } from "../core/connection/lifecycle.js";
import type { MembershipChange, ProtocolHandler } from "../core/connection/protocol-handler.js";
import { Throttle } from "../core/connection/throttle.js";
import { CallControl } from "../core/dispatch/call-control.js";
import { CallQueue, type QueuedCall } from "../core/dispatch/call-queue.js";
import type { CallRequest, Dispatch, Outcome } from "../core/dispatch/dispatcher.js";
import type { Hub } from "../core/dispatch/hub.js";
import { asHubwardError } from "../core/errors.js";
import type { GroupPlace } from "../core/groups/group.js";
import type { CallLimiter } from "../core/limits/call-limiter.js";
import { RefusalTally } from "../core/limits/refusal-tally.js";
import type { Reauthenticate } from "../core/supervision/reauthentication.js";
import type { Telemetry } from "../core/telemetry.js";
import type { RoomsDialect } from "./dialect.js";
import { JOIN, LEAVE, WHO, type RoomsPlace } from "./place.js";
import type { Presence } from "./presence.js";
import type { NamedRoom } from "./room.js";
import { refusalOf, reportOutcome, reportRest, type Reporting } from "./outcome.js";

/** What a client asks for that takes its turn. */
type Asked = Exclude<RoomsRequest, { readonly type: "auth" | "ping" | "notices" }>;

interface RoomsCall<P> extends QueuedCall {
  readonly request: Asked;
  /** What it is to bring about, and has to tell of. */
  expected?: Expected;
  named?: NamedRoom<P>;
  /** Why it can come to nothing, whatever the gate says: what is asked for does not exist. */
  mistake?: HubwardError;
}

export interface RoomsHandlerSetup<P> {
  readonly connection: Connection<P>;
  readonly place: RoomsPlace<P>;
  readonly dialect: RoomsDialect;
  readonly dispatch: Dispatch<P>;
  readonly reauthenticate: Reauthenticate<P>;
  /** For what is answered without a dispatch. */
  readonly limiter: Pick<CallLimiter, "tolerate">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly telemetry: Telemetry;
  readonly presence: Presence<P>;
  /** What `ready` says. */
  readonly greeting: { readonly expiresInSeconds: number; readonly heartbeatSeconds: number };
}

/** A change of membership that a request of the client itself is about. */
interface Expected {
  readonly change: "joined" | "left";
  readonly room: string;
  readonly id: RequestId | undefined;
  isTold: boolean;
}

export class RoomsHandler<P> implements ProtocolHandler {
  readonly dialect: RoomsDialect;
  readonly hearsEverything = true;
  readonly keepAlive = "confirmation";
  readonly #setup: RoomsHandlerSetup<P>;
  readonly #queue: CallQueue<RoomsCall<P>>;
  readonly #throttle: Throttle;
  readonly #reporting: Reporting<P>;
  #expected: Expected | undefined;

  constructor(setup: RoomsHandlerSetup<P>) {
    this.#setup = setup;
    const { clock, connection, place, telemetry } = setup;
    this.#reporting = { clock, connection, path: place.path, telemetry, overRate: new RefusalTally() };
    this.dialect = setup.dialect;
    this.#throttle = new Throttle(setup.connection);
    this.#queue = new CallQueue<RoomsCall<P>>(1, (call) => this.#run(call), this.#throttle);
  }

  /** Lets it in: says so first, before whatever the application does when it hears of the connection. */
  begin(id: RequestId | undefined): void {
    const { connection, greeting } = this.#setup;
    const bytes = this.dialect.render({ type: "ready", id, connectionId: connection.id, ...greeting });
    if (bytes !== undefined) connection.outbox.push({ bytes, group: undefined });
    connection.apply({ type: "handshake-completed" });
  }

  get isBusy(): boolean {
    return this.#queue.isBusy || this.#throttle.isHolding;
  }

  farewell(reason: ReasonName): Uint8Array {
    return this.dialect.farewell(reason);
  }

  hold(): void {
    this.#queue.hold();
  }

  release(): void {
    this.#queue.release();
  }

  invoke(): Promise<unknown> {
    return Promise.reject(new TypeError("invoke: a client of rooms cannot be asked for a result"));
  }

  notice(notice: Notice): Uint8Array | undefined {
    // Told room by room, as it happens.
    return notice.kind === "memberships-changed" ? undefined : this.dialect.render({ type: "notice", notice });
  }

  membership({ change, place }: MembershipChange): Uint8Array | undefined {
    const room = nameOf(place);
    const expected = this.#expect(change, room);
    if (change === "joined") return this.dialect.render({ type: "joined", id: expected?.id, room });
    const why = change === "lost" ? "lost" : expected === undefined ? "removed" : "asked";
    return this.dialect.render({ type: "left", id: expected?.id, room, why });
  }

  replaced(): void {
    this.#setup.presence.judgeAgain(this.#setup.connection);
    this.#queue.judgeAgain();
  }

  get judging(): Promise<unknown> | undefined {
    return this.#queue.judging;
  }

  suspended(reason: LapseReason): void {
    this.#queue.refuse(new HubwardError(reason));
  }

  ended(): void {
    this.#queue.clear();
    reportRest(this.#reporting);
  }

  received(data: Uint8Array): void {
    const { connection, limiter, place } = this.#setup;
    const request = this.dialect.codec.decode(data, place.limits);
    switch (request.type) {
      case "auth":
        limiter.tolerate(connection);
        return void this.#guard(this.#renew(request));
      case "ping":
        limiter.tolerate(connection);
        return this.#answer({ type: "pong", id: request.id });
      case "notices":
        limiter.tolerate(connection);
        connection.subscribe();
        return this.#acknowledge(request.id);
      default: {
        // Nothing that ran before keeps a lapsed peer from hearing so.
        const refusal = connection.isActive ? undefined : connection.refusal();
        if (refusal !== undefined) {
          limiter.tolerate(connection);
          return this.#refuse(request, refusal);
        }
        this.#queue.add({ request, control: new CallControl(this.#queue), takesTurn: true });
      }
    }
  }

  /** Beside the queue, and in no log of arguments. */
  async #renew({ id, token, proof }: Extract<RoomsRequest, { type: "auth" }>): Promise<void> {
    const { connection, place, reauthenticate } = this.#setup;
    const dpop =
      proof === undefined ? undefined : { proof: new Secret(proof), method: "POST", path: `${place.path}/ticket` };
    try {
      const credential = { kind: "bearer", token: new Secret(token), source: "message", dpop } as const;
      const { expiresInSeconds } = await reauthenticate(connection, credential);
      this.#acknowledge(id, expiresInSeconds);
    } catch (error) {
      this.#answer({ type: "error", id, request: "auth", room: undefined, error: asHubwardError(error) });
    }
  }

  #run(call: RoomsCall<P>): Promise<void> | undefined {
    const { control, request } = call;
    if (control.isCancelled) return this.#settle(call, { kind: "cancelled", method: request.type });
    const outcome = this.#dispatch(call);
    if (outcome instanceof Promise) return this.#guard(outcome.then((settled) => this.#settle(call, settled)));
    const ending = this.#settle(call, outcome);
    return ending === undefined ? undefined : this.#guard(ending);
  }

  #dispatch(call: RoomsCall<P>): Outcome | Promise<Outcome> {
    const { place } = this.#setup;
    const { control, request } = call;
    const named = this.#find(call);
    // Counted and judged as everything that is asked for: there is no such method.
    if (named === undefined || request.type === "malformed") return this.#ask(place.hub, "", [], control);
    const { room, reference } = named;
    switch (request.type) {
      case "join":
      case "leave": {
        const change = request.type === "join" ? "joined" : "left";
        call.expected = { change, room: nameOf(reference), id: request.id, isTold: false };
        this.#expected = call.expected;
        return this.#ask(place.hub, request.type === "join" ? JOIN : LEAVE, [named], control);
      }
      case "publish": {
        const { event, payload, command } = request;
        return this.#ask(place.publicationsOf(room), event, [payload, reference.values], control, command);
      }
      case "who":
        call.named = named;
        return this.#ask(place.presenceOf(room), WHO, [named], control);
    }
  }

  /** The room a request names. What is wrong with one that names none is kept, for whoever passes the gate. */
  #find(call: RoomsCall<P>): NamedRoom<P> | undefined {
    const { request } = call;
    try {
      if (request.type !== "malformed") return this.#setup.place.directory.find(request.room);
      call.mistake = new HubwardError("bad_request", { detail: request.detail });
    } catch (error) {
      call.mistake = asHubwardError(error);
    }
    return undefined;
  }

  #ask(
    hub: Hub<P>,
    target: string,
    args: readonly unknown[],
    control: CallControl,
    command?: string,
  ): Outcome | Promise<Outcome> {
    const { connection, dispatch } = this.#setup;
    const request: CallRequest = { target, args, isStream: false, uploads: [], command, control };
    return dispatch(connection, hub, request);
  }

  #settle(call: RoomsCall<P>, given: Outcome): Promise<void> | undefined {
    const { control, expected, mistake, request } = call;
    if (control.judging !== undefined) return control.judging.then(() => this.#settle(call, given));
    const isMistaken = mistake !== undefined && given.kind === "refused" && given.error.reason === "method_not_found";
    const outcome = isMistaken ? { ...given, error: mistake } : given;
    reportOutcome(outcome, control, this.#reporting);
    const refusal = refusalOf(outcome, control);
    if (this.#expected === expected) this.#expected = undefined;
    if (refusal !== undefined) this.#refuse(request, refusal);
    // It was in already: whoever is let in hears of it as it happens.
    else if (expected?.change === "joined" && !expected.isTold)
      this.#answer({ type: "joined", id: request.id, room: expected.room });
    else if (request.type === "publish") this.#acknowledge(request.id);
    else if (request.type === "who" && call.named !== undefined) this.#tellWho(request, call.named);
    return undefined;
  }

  #tellWho(request: Extract<Asked, { type: "who" }>, named: NamedRoom<P>): void {
    const { connection, presence } = this.#setup;
    const { id, follow } = request;
    try {
      const bytes = presence.look({ ...named, connection, dialect: this.dialect, id, follow });
      if (bytes !== undefined) connection.answer({ bytes, group: undefined });
    } catch (error) {
      this.#refuse(request, asHubwardError(error));
    }
  }

  #refuse(request: Asked, error: HubwardError): void {
    if (request.type === "malformed")
      return this.#answer({ type: "error", id: request.id, request: request.request, room: undefined, error });
    const { id, type } = request;
    // What is longer than any name is not said back.
    const room = request.room.length > maxRoomNameBytes ? undefined : request.room;
    this.#answer({ type: "error", id, request: type, room, error });
  }

  #acknowledge(id: RequestId | undefined, expiresInSeconds?: number): void {
    if (id !== undefined) this.#answer({ type: "ack", id, expiresInSeconds });
  }

  /** What the protocol itself says; a lapsed peer hears it, too. */
  #answer(frame: RoomsFrame): void {
    const bytes = this.dialect.render(frame);
    if (bytes !== undefined) this.#setup.connection.answer({ bytes, group: undefined });
  }

  /** The client's own request that this is the answer to, if there is one; once. */
  #expect(change: MembershipChange["change"], room: string): Expected | undefined {
    const expected = this.#expected;
    if (expected?.change !== change || expected.isTold || expected.room !== room) return undefined;
    expected.isTold = true;
    return expected;
  }

  /** Something of ours or of a sink, not the application's code. The peer's state is then unknown. */
  #guard(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => this.#setup.connection.fail(error));
  }
}

function nameOf({ template, values }: GroupPlace): string {
  return writeRoomName(template.pattern, values);
}
