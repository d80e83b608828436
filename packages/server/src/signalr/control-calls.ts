/** Calls that are the protocol's own: beside the hub's methods, in no queue and no filter, heard while lapsed, too. */

import { HubwardError, NOTICES_TARGET, REAUTHENTICATE_TARGET, RESERVED_PREFIX } from "@hubward/wire";
import { Secret } from "../core/auth/secret.js";
import type { Connection } from "../core/connection/connection.js";
import type { Reauthenticate } from "../core/supervision/reauthentication.js";

/** What a control call comes to, or rejects with; undefined for every other name. */
export type ControlCalls = (target: string, args: readonly unknown[]) => Promise<unknown> | undefined;

/**
 * `hubward.reauthenticate(token)` gives `{expiresInSeconds}`: a later credential in the place of the present one. A
 * token that is bound to a key comes with a proof, made as for `POST {hub}/refresh`.
 * `hubward.notices()` gives null: from now on the client is told whatever is to be told.
 */
export function createControlCalls<P>(connection: Connection<P>, reauthenticate: Reauthenticate<P>): ControlCalls {
  async function renew(args: readonly unknown[]): Promise<unknown> {
    connection.apply({ type: "refresh-shown" });
    const [token, proof] = args;
    const isComplete = args.length === 1 || (args.length === 2 && typeof proof === "string" && proof !== "");
    if (!isComplete || typeof token !== "string" || token === "") throw new HubwardError("bad_arguments");
    const bearer = { kind: "bearer", token: new Secret(token), source: "message" } as const;
    if (typeof proof !== "string") return reauthenticate(connection, bearer);
    const path = `${connection.hub}/refresh`;
    return reauthenticate(connection, { ...bearer, dpop: { proof: new Secret(proof), method: "POST", path } });
  }

  return (target, args) => {
    const name = target.toLowerCase();
    if (!name.startsWith(RESERVED_PREFIX)) return undefined;
    switch (name) {
      case REAUTHENTICATE_TARGET:
        return renew(args);
      case NOTICES_TARGET:
        connection.subscribe();
        return Promise.resolve(null);
      default:
        return undefined;
    }
  };
}
