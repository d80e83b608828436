/** Whose suspension stands in a log of revocations: for people who look, the log itself is what decides. */

import type { RevocationLog } from "@hubward/server/ports";
import { issuer } from "./access.js";

/** One person's key in a set of those who are suspended. */
export function suspendedKey({ tenant, username }: { readonly tenant: string; readonly username: string }): string {
  return `${tenant}/${username}`;
}

/** Reads the log to its end. @throws (rejects with) whatever it does */
export async function readSuspended(log: Pick<RevocationLog, "read">): Promise<Set<string>> {
  const suspended = new Set<string>();
  for (let after = 0; ;) {
    const { entries, upTo, head } = await log.read(after);
    for (const { kind, target } of entries) {
      if (target.type !== "identity" || target.issuer !== issuer || target.tenant === undefined) continue;
      const key = suspendedKey({ tenant: target.tenant, username: target.subject });
      if (kind === "suspension") suspended.add(key);
      else if (kind === "lift") suspended.delete(key);
    }
    if (upTo >= head) return suspended;
    after = upTo;
  }
}
