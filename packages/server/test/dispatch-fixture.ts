/** A dispatcher under test, over real connections, a real gate and the store of this process. */

import { ConnectionCall } from "../src/core/dispatch/connection-call.js";
import { createDispatcher, type CallMode, type Outcome } from "../src/core/dispatch/dispatcher.js";
import type { Hub } from "../src/core/dispatch/hub.js";
import type { IdempotencyStore } from "../src/core/dispatch/idempotency-store.js";
import { createMemoryIdempotencyStore } from "../src/memory/idempotency-store.js";
import { systemDigest } from "../src/platform/system-crypto.js";
import { createFixture, type Fixture, type Peer, type Staff } from "./connection-fixture.js";

const PLAIN: CallMode = { isStream: false, uploads: 0 };

export interface DispatchFixture extends Fixture {
  readonly store: IdempotencyStore;
  dispatch(
    peer: Peer,
    hub: Hub<Staff>,
    args?: readonly unknown[],
    target?: string,
    mode?: CallMode,
  ): Outcome | Promise<Outcome>;
}

export function createDispatchFixture(store?: IdempotencyStore): DispatchFixture {
  const fixture = createFixture();
  const { groups, fanout, clock, failures } = fixture;
  const idempotency = store ?? createMemoryIdempotencyStore({ clock });
  const dispatcher = createDispatcher<Staff>({
    idempotency,
    digest: systemDigest,
    createCall: (connection, { name }) => new ConnectionCall(connection, name, { groups, fanout }),
    onPolicyFailure: (where, error) => void failures.push([where, error]),
  });
  return {
    ...fixture,
    store: idempotency,
    dispatch: ({ connection }, hub, args = [], target = "Order", mode = PLAIN) =>
      dispatcher(connection, hub, target, args, mode),
  };
}
