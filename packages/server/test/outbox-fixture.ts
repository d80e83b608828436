/** Outboxes under test: real ones, over memory sockets. */

import { MemorySocket, type FakeClock } from "@hubward/testing";
import { readInstant, type EpochMs } from "../src/core/clock.js";
import { lifetimeUntil } from "../src/core/connection/lifetime.js";
import { Outbox, type FlushQueue, type OutboxLimits, type OutboxOwner } from "../src/core/connection/outbox.js";
import { outboxDefaults } from "../src/core/connection/outbox-options.js";
import type { Dropped, Frame } from "../src/core/publication.js";

/** An outbox of nobody: no credential that ends, nobody to tell of a gap. */
export const nobody: OutboxOwner = { expired: () => undefined, gapNotice: () => undefined };

export interface OutboxPeer {
  readonly outbox: Outbox;
  readonly socket: MemorySocket;
  /** How often it said that the credential has ended. */
  readonly expiries: () => number;
  readonly sizes: () => number[];
}

export function createOutboxPeer(
  clock: FakeClock,
  queue: FlushQueue,
  {
    livesMs = 3_600_000,
    gapNotice = nobody.gapNotice,
    ...limits
  }: Partial<OutboxLimits> & {
    readonly livesMs?: number;
    readonly gapNotice?: (dropped: Dropped) => Frame | undefined;
  } = {},
): OutboxPeer {
  const socket = new MemorySocket();
  const instant = readInstant(clock);
  const lifetime = lifetimeUntil((clock.now() + livesMs) as EpochMs, instant);
  let expiries = 0;
  const outbox = new Outbox(socket, queue, { ...outboxDefaults, ...limits }, lifetime, instant.monotonic, {
    expired: () => void expiries++,
    gapNotice,
  });
  socket.listen({
    received: () => undefined,
    confirmed: () => outbox.confirmed(clock.monotonic()),
    drained: () => outbox.drained(),
    failed: () => undefined,
    closed: () => undefined,
  });
  return { outbox, socket, expiries: () => expiries, sizes: () => socket.writes.map((bytes) => bytes.length) };
}

/** Makes every write of a socket take this long, as a busy kernel does. */
export function slowDown(socket: MemorySocket, clock: FakeClock, ms: number): void {
  const write = socket.write.bind(socket);
  socket.write = (bytes, confirm) => {
    write(bytes, confirm);
    clock.block(ms);
  };
}
