/** The requests of one connection that take their turn: each through the dispatcher, and what came of it told. */

import { HubwardError, writeRoomName, type RequestId } from "@hubward/wire";
import type { Clock } from "../core/clock.js";
import type { Connection } from "../core/connection/connection.js";
import type { MembershipChange } from "../core/connection/protocol-handler.js";
import type { Throttle } from "../core/connection/throttle.js";
import { CallControl } from "../core/dispatch/call-control.js";
import { CallQueue, type QueuedCall } from "../core/dispatch/call-queue.js";
import { CallReports } from "../core/dispatch/call-reports.js";
import type { CallRequest, Dispatch, Outcome } from "../core/dispatch/dispatcher.js";
import type { Hub } from "../core/dispatch/hub.js";
import { asHubwardError } from "../core/errors.js";
import type { GroupPlace } from "../core/groups/group.js";
import type { Telemetry } from "../core/telemetry.js";
import type { Answers, Asked } from "./answers.js";
import type { RoomsDialect } from "./dialect.js";
import { refusalOf } from "./outcome.js";
import { JOIN, LEAVE, WHO, type RoomsPlace } from "./place.js";
import type { Presence } from "./presence.js";
import type { NamedRoom } from "./room.js";

export interface RoomsRequestsSetup<P> {
  readonly connection: Connection<P>;
  readonly place: RoomsPlace<P>;
  readonly dialect: RoomsDialect;
  readonly dispatch: Dispatch<P>;
  readonly clock: Pick<Clock, "monotonic">;
  readonly telemetry: Telemetry;
  readonly presence: Presence<P>;
}

interface RoomsCall<P> extends QueuedCall {
  readonly request: Asked;
  /** What it is to bring about, and has to tell of. */
  expected?: Expected;
  named?: NamedRoom<P>;
  /** Why it can come to nothing, whatever the gate says: what is asked for does not exist. */
  mistake?: HubwardError;
}

/** A change of membership that a request of the client itself is about. */
interface Expected {
  readonly change: "joined" | "left";
  readonly room: string;
  readonly id: RequestId | undefined;
  isTold: boolean;
}

export class RoomsRequests<P> {
  /** One at a time, in the order in which they came. */
  readonly queue: CallQueue<RoomsCall<P>>;
  readonly #setup: RoomsRequestsSetup<P>;
  readonly #answers: Answers<P>;
  readonly #reports: CallReports<P>;
  #expected: Expected | undefined;

  constructor(setup: RoomsRequestsSetup<P>, answers: Answers<P>, throttle: Throttle) {
    const { clock, connection, place, telemetry } = setup;
    this.#setup = setup;
    this.#answers = answers;
    this.#reports = new CallReports({ clock, connection, path: place.path, telemetry });
    this.queue = new CallQueue<RoomsCall<P>>(1, (call) => this.#run(call), throttle);
  }

  add(request: Asked): void {
    this.queue.add({ request, control: new CallControl(this.queue), takesTurn: true });
  }

  ended(): void {
    this.queue.clear();
    this.#reports.ended();
  }

  /** The client's own request that this change is the answer to, if there is one; once. */
  expect(change: MembershipChange["change"], room: string): Pick<Expected, "id"> | undefined {
    const expected = this.#expected;
    if (expected?.change !== change || expected.isTold || expected.room !== room) return undefined;
    expected.isTold = true;
    return expected;
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
    // Whatever its handler gave or threw: it was stopped, and that is what became of it.
    if (control.refusal !== undefined && outcome.kind !== "refused")
      this.#reports.refusal(control.refusal, "method" in outcome ? outcome.method : undefined);
    else this.#reports.outcome(outcome, control);
    const refusal = refusalOf(outcome, control);
    if (this.#expected === expected) this.#expected = undefined;
    if (refusal !== undefined) this.#answers.refuse(request, refusal);
    // It was in already: whoever is let in hears of it as it happens.
    else if (expected?.change === "joined" && !expected.isTold)
      this.#answers.say({ type: "joined", id: request.id, room: expected.room });
    else if (request.type === "publish") this.#answers.acknowledge(request.id);
    else if (request.type === "who" && call.named !== undefined) this.#tellWho(request, call.named);
    return undefined;
  }

  #tellWho(request: Extract<Asked, { type: "who" }>, named: NamedRoom<P>): void {
    const { connection, dialect, presence } = this.#setup;
    const { id, follow } = request;
    try {
      const frame = presence.look({ ...named, connection, dialect, id, follow });
      if (frame !== undefined) connection.answer(frame);
    } catch (error) {
      this.#answers.refuse(request, asHubwardError(error));
    }
  }

  /** Something of ours or of a sink, not the application's code. The peer's state is then unknown. */
  #guard(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => this.#setup.connection.fail(error));
  }
}

/** As clients write it. */
export function nameOf({ template, values }: GroupPlace): string {
  return writeRoomName(template.pattern, values);
}
