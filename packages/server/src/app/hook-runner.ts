/** Runs a hub's hooks at the two ends of a connection. */

import type { ReasonName } from "@hubward/wire";
import type { PolicyFailure } from "../core/auth/policy.js";
import type { Clock } from "../core/clock.js";
import type { Connection } from "../core/connection/connection.js";
import type { Call } from "../core/dispatch/call.js";
import { CallControl } from "../core/dispatch/call-control.js";
import type { Departure } from "../core/dispatch/hooks.js";
import type { Hub } from "../core/dispatch/hub.js";
import { isRefusal } from "../core/errors.js";

export interface HookRunner<P> {
  /** Its handshake is done. Holds the connection until the hook has settled. */
  opened(connection: Connection<P>, hub: Hub<P>): void;
  /** Its socket is gone. */
  released(connection: Connection<P>, hub: Hub<P>, reason: ReasonName): void;
  /** Hooks that run and are not overdue. */
  readonly running: number;
}

export interface HookPorts<P> {
  readonly clock: Pick<Clock, "after">;
  /** How long a hook may take. Milliseconds. */
  readonly timeoutMs: number;
  readonly createCall: (connection: Connection<P>, control: CallControl) => Call<P>;
  readonly createDeparture: (connection: Connection<P>, reason: ReasonName) => Departure<P>;
  readonly onFailure: PolicyFailure;
  /** A hook has settled, or is overdue. */
  readonly onSettled: () => void;
}

export function createHookRunner<P>(ports: HookPorts<P>): HookRunner<P> {
  /** How `connected` went for those that had one: a false one has no `disconnected`. */
  const arrivals = new WeakMap<Connection<P>, Promise<boolean> | boolean>();
  /** Whose `connected` is overdue. */
  const late = new WeakSet<Connection<P>>();
  let running = 0;

  /** Settles as the work does, however late. Who waits for hooks waits no longer than the deadline. */
  async function settle(work: PromiseLike<unknown>, onOverdue: () => void): Promise<void> {
    running++;
    let isCounted = true;
    const uncount = (): void => {
      if (!isCounted) return;
      isCounted = false;
      running--;
      ports.onSettled();
    };
    const deadline = ports.clock.after(ports.timeoutMs, () => {
      onOverdue();
      uncount();
    });
    try {
      await work;
    } finally {
      deadline.cancel();
      uncount();
    }
  }

  function overdue(where: string): void {
    ports.onFailure(where, new Error(`a hook that has not settled within ${ports.timeoutMs} ms`));
  }

  function fail(connection: Connection<P>, where: string, error: unknown): false {
    // What a hook throws because its connection has ended is no failure of its own.
    if (!isRefusal(error) && connection.isActive) ports.onFailure(where, error);
    const reason = isRefusal(error) ? error.reason : "internal_error";
    connection.apply({ type: "aborted", reason });
    return false;
  }

  /** True at once, or once the hook has succeeded. False when it failed. */
  function arrive(
    connection: Connection<P>,
    where: string,
    hook: (call: Call<P>) => unknown,
  ): Promise<boolean> | boolean {
    const control = new CallControl();
    connection.signal.addEventListener("abort", () => control.cancel());
    try {
      const result = hook(ports.createCall(connection, control));
      if (!isThenable(result)) {
        connection.release();
        return true;
      }
      const onOverdue = (): void => {
        overdue(where);
        late.add(connection);
        connection.apply({ type: "aborted", reason: "upstream_timeout" });
      };
      return settle(result, onOverdue).then(
        () => {
          connection.release();
          return true;
        },
        (error: unknown) => fail(connection, where, error),
      );
    } catch (error) {
      return fail(connection, where, error);
    }
  }

  return {
    opened(connection, hub) {
      const { connected } = hub.hooks;
      if (connected === undefined) return;
      connection.hold();
      // What was queued before is written now, and may have shown that the credential is over.
      const hasArrived = connection.isActive && arrive(connection, `${hub.path} connected`, connected);
      arrivals.set(connection, hasArrived);
    },

    released(connection, hub, reason) {
      const { connected, disconnected } = hub.hooks;
      if (disconnected === undefined) return;
      const arrival = connected === undefined ? true : arrivals.get(connection);
      const where = `${hub.path} disconnected`;
      let hasBegun = false;
      const depart = async (): Promise<void> => {
        if ((await arrival) !== true) return;
        hasBegun = true;
        await disconnected(ports.createDeparture(connection, reason));
      };
      const onOverdue = (): void => {
        if (hasBegun) overdue(where);
      };
      // Nobody knows when `connected` settles that is overdue: it is followed, but not waited for again.
      const departure = late.has(connection) ? depart() : settle(depart(), onOverdue);
      departure.catch((error: unknown) => ports.onFailure(where, error));
    },

    get running() {
      return running;
    },
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}
