/** What a peer presented to say who it is, before anything believes it. */

import type { Secret } from "./secret.js";

export interface BearerCredential {
  readonly kind: "bearer";
  readonly token: Secret;
  /** Where it stood. A bearer in the query is a compatibility mode that must be switched on. */
  readonly source: "header" | "query";
}
