/** What live connections are looked up by: a logout among fifty thousand of them must not ask each. */

import type { ConnectionId } from "../ids.js";
import type { RevocationScope, RevocationTarget } from "./revocation.js";

/** Something a connection's credential says, or its own id. Whoever has the name may still be of another issuer or tenant. */
export type CredentialName =
  | { readonly type: "connection"; readonly connectionId: ConnectionId }
  | { readonly type: "token"; readonly tokenId: string }
  | { readonly type: "session"; readonly sessionId: string }
  /** By `sub`, or by what its principal is addressed by. */
  | { readonly type: "subject"; readonly subject: string };

/** The name that all whom a target is about have in common; undefined where each has to be asked. */
export function commonName(target: RevocationTarget | RevocationScope): CredentialName | undefined {
  switch (target.type) {
    case "connection":
    case "token":
    case "session":
    case "subject":
      return target;
    case "identity":
      return { type: "subject", subject: target.subject };
    case "issued-before":
      return commonName(target.scope);
    case "client":
    case "key":
    case "tenant":
    case "issuer":
    case "all":
      return undefined;
    default:
      return unreachable(target);
  }
}

function unreachable(value: never): never {
  throw new TypeError(`revocation: no such target: ${JSON.stringify(value)}`);
}
