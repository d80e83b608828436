/** Connections under test: real ones, over memory sockets, speaking a protocol of plain lines. */

import { createFakeClock, MemorySocket, testAuthentication, type FakeClock } from "@hubward/testing";
import type { TestAuthenticationOptions } from "@hubward/testing";
import type { Notice, ReasonName } from "@hubward/wire";
import type { Admission } from "../src/core/auth/policy.js";
import { createPrincipal, type Principal } from "../src/core/auth/principal.js";
import { Connection, type ConnectionObserver } from "../src/core/connection/connection.js";
import type { ProtocolHandler } from "../src/core/connection/protocol-handler.js";
import { createPacedQueue } from "../src/core/paced-queue.js";
import { createFlushQueue } from "../src/core/connection/flush-queue.js";
import type { FlushQueue } from "../src/core/connection/outbox.js";
import type { KeepAlive } from "../src/core/connection/outgoing.js";
import { outboxDefaults, type ResolvedOutboxOptions } from "../src/core/connection/outbox-options.js";
import { Registry } from "../src/core/connection/registry.js";
import { createClientInvoker, type ClientInvoker } from "../src/core/dispatch/client-invoker.js";
import { createFanout, type Fanout } from "../src/core/groups/fanout.js";
import { createDeadline } from "../src/core/deadline.js";
import { createGroups, type GroupObserver, type Groups } from "../src/core/groups/groups.js";
import type { ConnectionId } from "../src/core/ids.js";
import type { Dialect } from "../src/core/publication.js";
import { patient } from "./policy-watch.js";

export type Staff = Principal<{ readonly department: string | null }>;

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** `vitals(["icu",1])` and a line feed. Counts what it rendered. */
export class LineDialect implements Dialect {
  readonly name: string = "lines";
  rendered = 0;

  renderEvent(event: string, args: readonly unknown[]): Uint8Array {
    this.rendered++;
    return bytes(`${event}(${JSON.stringify(args)})\n`);
  }
}

/** Completes the handshake at once; keeps what it is given. */
export class LineHandler implements ProtocolHandler {
  readonly dialect: Dialect | undefined;
  isBusy = false;
  readonly keepAlive: KeepAlive;
  readonly heard: string[] = [];
  readonly holds: string[] = [];
  /** What happened to its connection's standing. */
  readonly turns: string[] = [];
  endings = 0;
  /** What the next chunk makes it throw. */
  failure: Error | undefined;

  constructor(dialect: Dialect | undefined, keepAlive: KeepAlive = bytes("keep-alive\n")) {
    this.dialect = dialect;
    this.keepAlive = keepAlive;
  }

  received(data: Uint8Array): void {
    this.heard.push(text(data));
    if (this.failure !== undefined) throw this.failure;
  }

  farewell(reason: ReasonName): Uint8Array {
    return bytes(`bye ${reason}\n`);
  }

  hold(): void {
    this.holds.push("hold");
  }

  release(): void {
    this.holds.push("release");
  }

  /** Answers with what it was asked. */
  invoke(target: string, args: readonly unknown[]): Promise<unknown> {
    return Promise.resolve([target, ...args]);
  }

  notice(notice: Notice): Uint8Array {
    return bytes(`notice ${JSON.stringify(notice)}\n`);
  }

  replaced(): void {
    this.turns.push("replaced");
  }

  suspended(reason: ReasonName): void {
    this.turns.push(`suspended ${reason}`);
  }

  ended(): void {
    this.endings++;
  }
}

export interface PeerOptions extends TestAuthenticationOptions {
  /** Default: the subject. */
  readonly principalId?: string;
  readonly id?: string;
  readonly hub?: string;
  readonly roles?: readonly string[];
  readonly department?: string;
  /** Milliseconds the credential has from now on, in place of `expiresAt`. */
  readonly livesMs?: number;
  /** Whether the protocol's handshake is done. Default true. */
  readonly isOpen?: boolean;
  readonly dialect?: Dialect;
  readonly keepAlive?: KeepAlive;
  /** A connection that was never given its protocol. */
  readonly isMute?: boolean;
  readonly socket?: MemorySocket;
}

export interface Peer {
  readonly connection: Connection<Staff>;
  readonly socket: MemorySocket;
  readonly handler: LineHandler;
  /** Everything written to it, as text. */
  readonly said: () => string;
}

export interface Fixture {
  readonly clock: FakeClock;
  readonly flushQueue: FlushQueue;
  readonly registry: Registry<Staff>;
  readonly groups: Groups<Staff>;
  readonly fanout: Fanout;
  readonly invokeClient: ClientInvoker;
  /** What the connections reported: `opened c1`, `ended c1`, `released c1 normal`. */
  readonly reports: string[];
  /** Policies that threw, and what. */
  readonly failures: [where: string, error: unknown][];
  readonly dialect: LineDialect;
  connect(options?: PeerOptions): Peer;
}

export const times = {
  handshakeTimeoutMs: 15_000,
  clientTimeoutMs: 30_000,
  keepAliveMs: 15_000,
  graceMs: 10_000,
  claimsGraceMs: 10_000,
} as const;

export function admissionOf({
  roles = ["nurse"],
  department,
  principalId,
  ...authentication
}: TestAuthenticationOptions & Pick<PeerOptions, "roles" | "department" | "principalId"> = {}): Admission<Staff> {
  const verified = testAuthentication(authentication);
  const principal = createPrincipal(verified, { roles, department: department ?? null });
  return { authentication: verified, principal, principalId: principalId ?? verified.subject };
}

export interface FixtureOptions {
  readonly outbox?: Partial<ResolvedOutboxOptions>;
  readonly maxGroups?: number;
  /** How long a group's rule may take. Milliseconds; default: as long as it likes. */
  readonly ruleTimeoutMs?: number;
  /** Beside what the fixture itself does with these reports. */
  readonly onEnded?: (connection: Connection<Staff>) => void;
  readonly onRescheduled?: (connection: Connection<Staff>) => void;
  readonly onMembership?: GroupObserver<Staff>["changed"];
}

export function createFixture({
  outbox = {},
  maxGroups = 100,
  ruleTimeoutMs,
  onEnded = () => undefined,
  onRescheduled = () => undefined,
  onMembership = () => undefined,
}: FixtureOptions = {}): Fixture {
  const clock = createFakeClock();
  const flushQueue = createFlushQueue(clock);
  const farewells = createPacedQueue(clock);
  const registry = new Registry<Staff>();
  const reports: string[] = [];
  const failures: Fixture["failures"] = [];
  const watch = {
    failed: (where: string, error: unknown) => void failures.push([where, error]),
    deadline: ruleTimeoutMs === undefined ? patient : createDeadline(clock, ruleTimeoutMs),
  };
  const ignored = { joined: () => undefined, left: () => undefined };
  const groups = createGroups<Staff>(maxGroups, watch, undefined, { ...ignored, changed: onMembership });
  const fanout = createFanout(registry, groups);
  const invokeClient = createClientInvoker(registry);
  const dialect = new LineDialect();
  let count = 0;

  const observer: ConnectionObserver<Staff> = {
    opened(connection) {
      reports.push(`opened ${connection.id}`);
      registry.add(connection);
    },
    ended(connection) {
      reports.push(`ended ${connection.id}`);
      registry.remove(connection);
      groups.release(connection);
      onEnded(connection);
    },
    replaced: () => undefined,
    rescheduled: onRescheduled,
    lapsed: (connection, reason) => void reports.push(`lapsed ${connection.id} ${reason}`),
    restored: (connection) => void reports.push(`restored ${connection.id}`),
    detached: (connection) => void reports.push(`detached ${connection.id}`),
    resumed: (connection, { replayed }) => void reports.push(`resumed ${connection.id} ${replayed}`),
    released: (connection, reason) => void reports.push(`released ${connection.id} ${reason}`),
    failed: (connection, error) => void reports.push(`failed ${connection.id} ${String(error)}`),
  };

  function connect({ id, hub = "/hubs/ward", livesMs, isOpen = true, ...options }: PeerOptions = {}): Peer {
    const socket = options.socket ?? new MemorySocket();
    const handler = new LineHandler(options.dialect ?? dialect, options.keepAlive);
    const expiresAt = livesMs === undefined ? options.expiresAt : clock.now() + livesMs;
    const connection = new Connection<Staff>({
      id: (id ?? `c${++count}`) as ConnectionId,
      hub,
      admission: admissionOf({ ...options, expiresAt }),
      remoteAddress: "192.0.2.7",
      socket,
      clock,
      times,
      spread: () => 0.5,
      flushQueue,
      farewells,
      outboxLimits: { ...outboxDefaults, ...outbox },
      observer,
    });
    socket.listen(connection);
    if (options.isMute !== true) connection.speak(handler);
    if (isOpen) connection.apply({ type: "handshake-completed" });
    return { connection, socket, handler, said: () => text(socket.written) };
  }

  return { clock, flushQueue, registry, groups, fanout, invokeClient, reports, failures, dialect, connect };
}
