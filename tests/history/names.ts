/** By what an entry and a credential meet: the oracle's own words, none of the server's. */

import type { CredentialFacts, Target } from "./history.js";

/** What a target of this type names, by whatever an entry against it is found. */
export function nameOf(target: Target): string {
  switch (target.type) {
    case "token":
      return `token ${target.tokenId}`;
    case "session":
      return `session ${target.sessionId}`;
    case "client":
      return `client ${target.clientId}`;
    case "key":
      return `key ${target.keyId}`;
    case "tenant":
      return `tenant ${target.tenant}`;
    case "connection":
      return `connection ${target.connection}`;
    case "identity":
    case "issued-before":
      return `person ${personOf(target)}`;
  }
}

/** All that could name this credential on this connection. */
export function namesOf(connection: string, credential: CredentialFacts): readonly string[] {
  const { id, sessionId, clientId, keyId, tenant } = credential;
  return [
    `token ${id}`,
    `session ${sessionId}`,
    `client ${clientId}`,
    `key ${keyId}`,
    `tenant ${tenant}`,
    `connection ${connection}`,
    `person ${personOf(credential)}`,
  ];
}

export function personOf({ tenant, subject }: Pick<CredentialFacts, "tenant" | "subject">): string {
  return `${tenant}/${subject}`;
}
