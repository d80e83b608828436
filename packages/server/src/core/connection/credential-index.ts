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

  add(connection: C): void {
    this.#byId.set(connection.id, connection);
    this.#write(connection, connection.admission);
  }

  /** Another admission has taken the place of this one. */
  replaced(connection: C, before: Admission<P>): void {
    if (this.#byId.get(connection.id) !== connection) return;
    this.#erase(connection, before);
    this.#write(connection, connection.admission);
  }

  remove(connection: C): void {
    if (this.#byId.get(connection.id) !== connection) return;
    this.#byId.delete(connection.id);
    this.#erase(connection, connection.admission);
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
        return this.#bySubject.get(name.subject);
      default:
        return unreachable(name);
    }
  }

  #write(connection: C, { authentication: { subject, tokenId, sessionId }, principalId }: Admission<P>): void {
    this.#bySubject.add(subject, connection);
    if (principalId !== subject) this.#bySubject.add(principalId, connection);
    if (tokenId !== undefined) this.#byToken.add(tokenId, connection);
    if (sessionId !== undefined) this.#bySession.add(sessionId, connection);
  }

  #erase(connection: C, { authentication: { subject, tokenId, sessionId }, principalId }: Admission<P>): void {
    this.#bySubject.remove(subject, connection);
    if (principalId !== subject) this.#bySubject.remove(principalId, connection);
    if (tokenId !== undefined) this.#byToken.remove(tokenId, connection);
    if (sessionId !== undefined) this.#bySession.remove(sessionId, connection);
  }
}

function unreachable(value: never): never {
  throw new TypeError(`credential index: no such name: ${JSON.stringify(value)}`);
}
