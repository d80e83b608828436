/** Connections by what their credential says, from their socket on until it is gone: also those that are not open. */

import type { CredentialName } from "../auth/credential-name.js";
import type { Admission } from "../auth/policy.js";
import type { ConnectionId } from "../ids.js";
import { ByKey } from "./by-key.js";
import type { Connection } from "./connection.js";

type Indexed<P> = Pick<Connection<P>, "id" | "admission">;

export class CredentialIndex<P, C extends Indexed<P> = Connection<P>> {
  readonly #byId = new Map<ConnectionId, C>();
  readonly #byToken = new ByKey<string, C>();
  readonly #bySession = new ByKey<string, C>();
  readonly #bySubject = new ByKey<string, C>();
  readonly #byPrincipalId = new ByKey<string, C>();

  add(connection: C): void {
    this.#byId.set(connection.id, connection);
    this.#move(connection, undefined, connection.admission);
  }

  /** Another admission has taken the place of this one. */
  replaced(connection: C, before: Admission<P>): void {
    if (this.#byId.get(connection.id) !== connection) return;
    this.#move(connection, before, connection.admission);
  }

  remove(connection: C): void {
    if (this.#byId.get(connection.id) !== connection) return;
    this.#byId.delete(connection.id);
    this.#move(connection, connection.admission, undefined);
  }

  get(id: ConnectionId): C | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<C> {
    return this.#byId.values();
  }

  named(name: CredentialName): Iterable<C> {
    switch (name.type) {
      case "connection": {
        const connection = this.#byId.get(name.connectionId);
        return connection === undefined ? [] : [connection];
      }
      case "token":
        return this.#byToken.get(name.tokenId);
      case "session":
        return this.#bySession.get(name.sessionId);
      case "subject":
        return [...this.#bySubject.get(name.subject), ...this.#byPrincipalId.get(name.subject)];
      default:
        return unreachable(name);
    }
  }

  #move(connection: C, before: Admission<P> | undefined, after: Admission<P> | undefined): void {
    const { subject, tokenId, sessionId } = before?.authentication ?? {};
    const next = after?.authentication;
    move(this.#byToken, connection, tokenId, next?.tokenId);
    move(this.#bySession, connection, sessionId, next?.sessionId);
    move(this.#bySubject, connection, subject, next?.subject);
    move(this.#byPrincipalId, connection, otherName(before), otherName(after));
  }
}

/** Most stay under the names they have: a new token as a rule changes no more than its own. */
function move<C extends object>(
  names: ByKey<string, C>,
  connection: C,
  before: string | undefined,
  after: string | undefined,
): void {
  if (before === after) return;
  if (before !== undefined) names.remove(before, connection);
  if (after !== undefined) names.add(after, connection);
}

/** What its principal is addressed by, where that is not the subject. */
function otherName<P>(admission: Admission<P> | undefined): string | undefined {
  return admission?.principalId === admission?.authentication.subject ? undefined : admission?.principalId;
}

function unreachable(value: never): never {
  throw new TypeError(`credential index: no such name: ${JSON.stringify(value)}`);
}
