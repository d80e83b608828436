/** How many connections each principal has open, and whether it may have one more. */

import { HubwardError } from "@hubward/wire";
import type { IdentityKey } from "../ids.js";

export interface PrincipalConnections {
  /** `connection_limit` when this principal has as many as it may. Takes nothing. */
  refusal(identity: IdentityKey): TooManyConnections | undefined;
  opened(identity: IdentityKey): void;
  released(identity: IdentityKey): void;
}

const RETRY_AFTER_SECONDS = 30;

/** This principal has as many connections as it may. */
export class TooManyConnections extends HubwardError {
  constructor() {
    super("connection_limit", { retryAfterSeconds: RETRY_AFTER_SECONDS });
  }
}

export function createPrincipalConnections(max: number): PrincipalConnections {
  const open = new Map<IdentityKey, number>();
  return {
    refusal(identity) {
      if ((open.get(identity) ?? 0) < max) return undefined;
      return new TooManyConnections();
    },
    opened: (identity) => void open.set(identity, (open.get(identity) ?? 0) + 1),
    released(identity) {
      const left = (open.get(identity) ?? 0) - 1;
      if (left > 0) open.set(identity, left);
      else open.delete(identity);
    },
  };
}
