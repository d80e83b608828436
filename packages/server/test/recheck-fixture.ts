/** Rechecks under test: real connections, groups and judging, over a directory that answers as a test tells it to. */

import { recordingTelemetry, type RecordingTelemetry } from "@hubward/testing";
import { HubwardError } from "@hubward/wire";
import { createAdmitter, type Admitter } from "../src/core/admission/admission.js";
import type { Authentication } from "../src/core/auth/authentication.js";
import type { Requirement } from "../src/core/auth/policy.js";
import { createDeadline } from "../src/core/deadline.js";
import { createReassessment, type Reassess } from "../src/core/supervision/reassessment.js";
import { createRecheck, type Recheck } from "../src/core/supervision/recheck.js";
import { createFixture, type Fixture, type Peer, type PeerOptions, type Staff } from "./connection-fixture.js";
import { patient } from "./policy-watch.js";

export interface Entry {
  readonly roles: readonly string[];
  readonly department?: string;
  /** Default: the subject. */
  readonly principalId?: string;
}

/** What the directory says of somebody: an entry, nobody, or a failure. */
export type Answer = Entry | null | Error;

export interface RecheckBench extends Fixture, Pick<RecordingTelemetry, "of"> {
  readonly recheck: Recheck<Staff>;
  readonly reassess: Reassess<Staff>;
  readonly admitter: Admitter<Staff>;
  /** What the directory says from now on. */
  readonly directory: Map<string, Answer>;
  /** Subjects the directory was asked about, in order. */
  readonly lookUps: string[];
  /** Look-ups that wait, oldest first; each answers as the directory stands when it was asked. */
  readonly waiting: (() => void)[];
  /** Whether look-ups wait for `waiting` from now on. */
  isSlow: boolean;
  readonly unexpected: unknown[];
  /** Somebody the directory knows, connected. */
  join(subject: string, options?: PeerOptions): Peer;
}

export interface RecheckBenchOptions {
  readonly requirements?: readonly Requirement<Staff>[];
  /** Milliseconds a look-up may take. Default: as long as it likes. */
  readonly timeoutMs?: number;
}

export function createRecheckBench({ requirements = [], timeoutMs }: RecheckBenchOptions = {}): RecheckBench {
  const fixture = createFixture();
  const { clock, groups } = fixture;
  const { telemetry, of } = recordingTelemetry();
  const directory = new Map<string, Answer>();
  const lookUps: string[] = [];
  const waiting: (() => void)[] = [];
  const unexpected: unknown[] = [];

  async function find(authentication: Authentication): Promise<Entry | null> {
    const { subject } = authentication;
    lookUps.push(subject);
    const answer = directory.get(subject) ?? null;
    if (bench.isSlow) await new Promise<void>((resolve) => void waiting.push(resolve));
    if (answer instanceof Error) throw answer;
    return answer;
  }

  const admitter = createAdmitter<{ readonly department: string | null }>({
    revocations: { assertWelcome: () => undefined, refusal: () => undefined },
    authenticator: {
      authenticate() {
        throw new HubwardError("invalid_token");
      },
    },
    mapping: async (authentication) => {
      const entry = await find(authentication);
      return entry && { roles: entry.roles, department: entry.department ?? null };
    },
    principalId: ({ principal }) => {
      const entry = directory.get(principal.subject);
      return (entry instanceof Error ? undefined : entry?.principalId) ?? principal.subject;
    },
    onFailure: (where, error) => void fixture.failures.push([where, error]),
    deadline: timeoutMs === undefined ? patient : createDeadline(clock, timeoutMs),
  });
  const reassess = createReassessment<Staff>({ clock, groups, telemetry });
  const recheck = createRecheck<Staff>({
    admitter,
    clock,
    reassess,
    requirementsOf: () => requirements,
    failed: (_, error) => void unexpected.push(error),
  });

  const bench: RecheckBench = {
    ...fixture,
    of,
    recheck,
    reassess,
    admitter,
    directory,
    lookUps,
    waiting,
    isSlow: false,
    unexpected,
    join(subject, options = {}) {
      const known = directory.get(subject);
      const entry = known instanceof Error || known === undefined ? null : known;
      if (known === undefined) directory.set(subject, { roles: ["nurse"] });
      return fixture.connect({ subject, roles: entry?.roles ?? ["nurse"], ...options });
    },
  };
  return bench;
}

/** Lets promises that are due settle. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
