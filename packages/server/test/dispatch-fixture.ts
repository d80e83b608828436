/** A dispatcher under test, over real connections, a real gate and the store of this process. */

import { ConnectionCall } from "../src/core/dispatch/connection-call.js";
import { CallControl } from "../src/core/dispatch/call-control.js";
import { createDispatcher, type CallRequest, type Outcome } from "../src/core/dispatch/dispatcher.js";
import type { Hub } from "../src/core/dispatch/hub.js";
import type { IdempotencyStore } from "../src/core/dispatch/idempotency-store.js";
import type { CallLimiter } from "../src/core/limits/call-limiter.js";
import { createMemoryIdempotencyStore } from "../src/memory/idempotency-store.js";
import { systemDigest } from "../src/platform/system-crypto.js";
import { createFixture, type Fixture, type Peer, type Staff } from "./connection-fixture.js";
import { limiterOf } from "./limits-fixture.js";
import { patientWatch } from "./policy-watch.js";

const PLAIN: Pick<CallRequest, "isStream" | "uploads"> = { isStream: false, uploads: [] };

export interface DispatchFixture extends Fixture {
  /** As `dispatch`, with a hand on the call. */
  begin(
    peer: Peer,
    hub: Hub<Staff>,
    args?: readonly unknown[],
  ): { readonly outcome: Outcome | Promise<Outcome>; readonly control: CallControl };
  readonly store: IdempotencyStore;
  readonly limiter: CallLimiter;
  dispatch(
    peer: Peer,
    hub: Hub<Staff>,
    args?: readonly unknown[],
    target?: string,
    mode?: Pick<CallRequest, "isStream" | "uploads">,
  ): Outcome | Promise<Outcome>;
}

export function createDispatchFixture(store?: IdempotencyStore): DispatchFixture {
  const fixture = createFixture();
  const { groups, fanout, invokeClient, clock, failures } = fixture;
  const idempotency = store ?? createMemoryIdempotencyStore({ clock });
  const limiter = limiterOf(clock);
  const dispatcher = createDispatcher<Staff>({
    idempotency,
    digest: systemDigest,
    createCall: (connection, method, control, commit) =>
      new ConnectionCall(connection, method, control, { groups, fanout, invokeClient }, commit),
    watch: patientWatch((where, error) => void failures.push([where, error])),
    limiter,
  });
  return {
    ...fixture,
    store: idempotency,
    limiter,
    begin({ connection }, hub, args = []) {
      const control = new CallControl();
      return { control, outcome: dispatcher(connection, hub, { target: "Order", args, ...PLAIN, control }) };
    },
    dispatch: ({ connection }, hub, args = [], target = "Order", mode = PLAIN) =>
      dispatcher(connection, hub, { target, args, ...mode, control: new CallControl() }),
  };
}
