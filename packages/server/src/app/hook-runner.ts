/** Runs a hub's hooks at the two ends of a connection. */

import type { PolicyFailure } from "../core/auth/policy.js";
import type { Connection } from "../core/connection/connection.js";
import type { Call } from "../core/dispatch/call.js";
import type { Departure } from "../core/dispatch/hooks.js";
import type { Hub } from "../core/dispatch/hub.js";
import { isRefusal } from "../core/errors.js";
import type { ReasonName } from "@hubward/wire";

export interface HookRunner<P> {
  /** Its handshake is done. Holds the connection until the hook has settled. */
  opened(connection: Connection<P>, hub: Hub<P>): void;
  /** Its socket is gone. */
  released(connection: Connection<P>, hub: Hub<P>, reason: ReasonName): void;
  /** Hooks that run now. */
  readonly running: number;
}

export interface HookPorts<P> {
  readonly createCall: (connection: Connection<P>) => Call<P>;
  readonly createDeparture: (connection: Connection<P>, reason: ReasonName) => Departure<P>;
  readonly onFailure: PolicyFailure;
  /** A hook has settled. */
  readonly onSettled: () => void;
}

export function createHookRunner<P>(ports: HookPorts<P>): HookRunner<P> {
  /** How `connected` went for those that had one: a false one has no `disconnected`. */
  const arrivals = new WeakMap<Connection<P>, Promise<boolean> | boolean>();
  let running = 0;

  async function settle(work: PromiseLike<unknown>): Promise<void> {
    running++;
    try {
      await work;
    } finally {
      running--;
      ports.onSettled();
    }
  }

  function fail(connection: Connection<P>, hub: Hub<P>, error: unknown): false {
    if (!isRefusal(error)) ports.onFailure(`${hub.path} connected`, error);
    const reason = isRefusal(error) ? error.reason : "internal_error";
    connection.apply({ type: "aborted", reason });
    return false;
  }

  return {
    opened(connection, hub) {
      const { connected } = hub.hooks;
      if (connected === undefined) return;
      connection.hold();
      try {
        const result = connected(ports.createCall(connection));
        if (isThenable(result)) {
          const arrival = settle(result).then(
            () => {
              connection.release();
              return true;
            },
            (error: unknown) => fail(connection, hub, error),
          );
          arrivals.set(connection, arrival);
          return;
        }
        connection.release();
        arrivals.set(connection, true);
      } catch (error) {
        arrivals.set(connection, fail(connection, hub, error));
      }
    },

    released(connection, hub, reason) {
      const { connected, disconnected } = hub.hooks;
      if (disconnected === undefined) return;
      const arrival = connected === undefined ? true : arrivals.get(connection);
      const depart = async (): Promise<void> => {
        if ((await arrival) !== true) return;
        await disconnected(ports.createDeparture(connection, reason));
      };
      settle(depart()).catch((error: unknown) => ports.onFailure(`${hub.path} disconnected`, error));
    },

    get running() {
      return running;
    },
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}
