/** One connection in the rooms protocol: frames in, frames out. Knows the protocol, decides nothing. */

import { HubwardError, type Notice, type ReasonName, type RequestId, type RoomsRequest } from "@hubward/wire";
import { Secret } from "../core/auth/secret.js";
import type { LapseReason } from "../core/connection/lifecycle.js";
import type { MembershipChange, ProtocolHandler } from "../core/connection/protocol-handler.js";
import { Throttle } from "../core/connection/throttle.js";
import { asHubwardError } from "../core/errors.js";
import type { GroupPlace } from "../core/groups/group.js";
import type { CallLimiter } from "../core/limits/call-limiter.js";
import type { Reauthenticate } from "../core/supervision/reauthentication.js";
import { Answers } from "./answers.js";
import type { RoomsDialect } from "./dialect.js";
import { nameOf, RoomsRequests, type RoomsRequestsSetup } from "./requests.js";

export interface RoomsHandlerSetup<P> extends RoomsRequestsSetup<P> {
  readonly reauthenticate: Reauthenticate<P>;
  /** For what is answered without a dispatch. */
  readonly limiter: Pick<CallLimiter, "tolerate">;
  /** What `ready` says. */
  readonly greeting: { readonly expiresInSeconds: number; readonly heartbeatSeconds: number };
}

export class RoomsHandler<P> implements ProtocolHandler {
  readonly dialect: RoomsDialect;
  readonly hearsEverything = true;
  readonly keepAlive = "confirmation";
  readonly #setup: RoomsHandlerSetup<P>;
  readonly #throttle: Throttle;
  readonly #answers: Answers<P>;
  readonly #requests: RoomsRequests<P>;
  /** Until it is known of what it sees whether it still may. */
  #seeing: Promise<unknown> | undefined;

  constructor(setup: RoomsHandlerSetup<P>) {
    this.#setup = setup;
    this.dialect = setup.dialect;
    this.#throttle = new Throttle(setup.connection);
    this.#answers = new Answers(setup.connection, setup.dialect);
    this.#requests = new RoomsRequests(setup, this.#answers, this.#throttle);
  }

  /** Lets it in: says so first, before whatever the application does when it hears of the connection. */
  begin(id: RequestId | undefined): void {
    const { connection, greeting } = this.#setup;
    const bytes = this.dialect.render({ type: "ready", id, connectionId: connection.id, ...greeting });
    if (bytes !== undefined) connection.outbox.push({ bytes, group: undefined, isGreeting: true });
    connection.apply({ type: "handshake-completed" });
  }

  get isBusy(): boolean {
    return this.#requests.queue.isBusy || this.#throttle.isHolding;
  }

  farewell(reason: ReasonName): Uint8Array {
    return this.dialect.farewell(reason);
  }

  hold(): void {
    this.#requests.queue.hold();
  }

  release(): void {
    this.#requests.queue.release();
  }

  invoke(): Promise<unknown> {
    return Promise.reject(new TypeError("invoke: a client of rooms cannot be asked for a result"));
  }

  notice(notice: Notice): Uint8Array | undefined {
    // Told room by room, as it happens.
    return notice.kind === "memberships-changed" ? undefined : this.dialect.render({ type: "notice", notice });
  }

  nameOf(place: GroupPlace): string {
    return nameOf(place);
  }

  membership({ change, place }: MembershipChange): Uint8Array | undefined {
    const room = nameOf(place);
    const expected = this.#requests.expect(change, room);
    if (change === "joined") return this.dialect.render({ type: "joined", id: expected?.id, room });
    const why = change === "lost" ? "lost" : expected === undefined ? "removed" : "asked";
    return this.dialect.render({ type: "left", id: expected?.id, room, why });
  }

  replaced(): void {
    const seeing = this.#setup.presence.judgeAgain(this.#setup.connection);
    this.#seeing = seeing;
    void seeing?.then(() => {
      if (this.#seeing === seeing) this.#seeing = undefined;
    });
    this.#requests.queue.judgeAgain();
  }

  get judging(): Promise<unknown> | undefined {
    const { judging } = this.#requests.queue;
    return this.#seeing === undefined || judging === undefined
      ? (this.#seeing ?? judging)
      : Promise.all([this.#seeing, judging]);
  }

  suspended(reason: LapseReason): void {
    this.#requests.queue.refuse(new HubwardError(reason));
  }

  ended(): void {
    this.#requests.ended();
  }

  received(data: Uint8Array): void {
    const { connection, limiter, place } = this.#setup;
    const request = this.dialect.codec.decode(data, place.limits);
    switch (request.type) {
      case "auth":
        limiter.tolerate(connection);
        return void this.#renew(request).catch((error: unknown) => connection.fail(error));
      case "ping":
        limiter.tolerate(connection);
        return this.#answers.say({ type: "pong", id: request.id });
      case "notices":
        limiter.tolerate(connection);
        connection.subscribe();
        return this.#answers.acknowledge(request.id);
      default: {
        // Nothing that ran before keeps a lapsed peer from hearing so.
        const refusal = connection.isActive ? undefined : connection.refusal();
        if (refusal === undefined) return this.#requests.add(request);
        limiter.tolerate(connection);
        this.#answers.refuse(request, refusal);
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
      this.#answers.acknowledge(id, expiresInSeconds);
    } catch (error) {
      this.#answers.say({ type: "error", id, request: "auth", room: undefined, error: asHubwardError(error) });
    }
  }
}
