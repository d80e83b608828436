/** What the protocol itself says to one client: answers to its requests. A lapsed peer hears them, too. */

import { maxRoomNameBytes, type HubwardError, type RequestId, type RoomsFrame, type RoomsRequest } from "@hubward/wire";
import type { Connection } from "../core/connection/connection.js";
import type { RoomsDialect } from "./dialect.js";

/** What a client asks for that takes its turn. */
export type Asked = Exclude<RoomsRequest, { readonly type: "auth" | "ping" | "notices" }>;

export class Answers<P> {
  readonly #connection: Connection<P>;
  readonly #dialect: RoomsDialect;

  constructor(connection: Connection<P>, dialect: RoomsDialect) {
    this.#connection = connection;
    this.#dialect = dialect;
  }

  say(frame: RoomsFrame): void {
    const bytes = this.#dialect.render(frame);
    if (bytes !== undefined) this.#connection.answer({ bytes, group: undefined });
  }

  /** It was done. Who gave no id wants no answer. */
  acknowledge(id: RequestId | undefined, expiresInSeconds?: number): void {
    if (id !== undefined) this.say({ type: "ack", id, expiresInSeconds });
  }

  refuse(request: Asked, error: HubwardError): void {
    if (request.type === "malformed")
      return this.say({ type: "error", id: request.id, request: request.request, room: undefined, error });
    const { id, type } = request;
    // What is longer than any name is not said back.
    const room = request.room.length > maxRoomNameBytes ? undefined : request.room;
    this.say({ type: "error", id, request: type, room, error });
  }
}
