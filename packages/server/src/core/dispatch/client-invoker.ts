/** Calls of the server to one client, which answers with a result. */

import { HubwardError, NoClientResult } from "../errors.js";
import type { Registry } from "../connection/registry.js";
import type { Address } from "../groups/fanout.js";
import { isWithin } from "../groups/fanout.js";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { ClientInvokeOptions } from "./call.js";

export type ConnectionAddress = Extract<Address, { readonly to: "connection" }>;

/** @throws (rejects with) as `ConnectionTarget.invoke` */
export type ClientInvoker = (
  address: ConnectionAddress,
  method: string,
  args: readonly unknown[],
  options: ClientInvokeOptions<StandardSchemaV1>,
) => Promise<unknown>;

const DEFAULT_TIMEOUT_MS = 30_000;
/** What a timer can wait for. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export function createClientInvoker<P>(registry: Registry<P>): ClientInvoker {
  return async (address, method, args, { result: schema, timeoutMs = DEFAULT_TIMEOUT_MS, signal }) => {
    if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > MAX_TIMEOUT_MS)
      throw new RangeError(`invoke: timeoutMs is a whole number from 1 to ${MAX_TIMEOUT_MS}`);
    signal?.throwIfAborted();
    const connection = registry.get(address.id);
    const isThere =
      connection !== undefined &&
      // Its connected hook would wait for an answer to a question that leaves when it has settled.
      !connection.isOnHold &&
      isWithin(connection, address.scope) &&
      (address.hub === undefined || connection.hub === address.hub);
    if (!isThere) throw new NoClientResult("not_found");
    const answer = await connection.invoke(method, args, { timeoutMs, signal }).catch(asNoResult);
    const result = await schema["~standard"].validate(answer);
    if (result.issues !== undefined) throw new NoClientResult("bad_arguments", { detail: "the client's result" });
    return result.value;
  };
}

function asNoResult(error: unknown): never {
  throw error instanceof HubwardError ? new NoClientResult(error.reason, { cause: error }) : error;
}
