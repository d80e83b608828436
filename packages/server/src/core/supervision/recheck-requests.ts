/**
 * What an application asks to be judged again: finds the connections, rechecks each and adds up what came of it. It
 * remembers what was asked, for those it did not find: who was admitted before and connects behind it, and who joins a
 * group behind it that it was about.
 */

import type { Admitter } from "../admission/admission.js";
import type { Admission } from "../auth/policy.js";
import type { Clock } from "../clock.js";
import type { CredentialName } from "../auth/credential-name.js";
import type { Connection } from "../connection/connection.js";
import type { CredentialIndex } from "../connection/credential-index.js";
import type { Registry } from "../connection/registry.js";
import type { TenantScope } from "../groups/fanout.js";
import type { GroupReference } from "../groups/group.js";
import type { Telemetry } from "../telemetry.js";
import type { Recheck } from "./recheck.js";
import { createRecheckMemory } from "./recheck-memory.js";
import { select, type RecheckSelector, type SelectorPorts, type TenantSelector } from "./recheck-selector.js";

export interface RecheckResult {
  /** Connections asked about: those of this node that the selector names. Not who connects or joins behind it. */
  readonly matched: number;
  /** Memberships that were lost, of all of them together. */
  readonly lost: number;
  /** Connections that ended because of it. */
  readonly ended: number;
  /** Connections about which nobody could say yes, wholly (they have lapsed) or for a membership (its frames wait). */
  readonly unavailable: number;
}

export interface RecheckRequests<P> {
  /**
   * Resolves when no frame of a lost membership can leave this process any more, for none of those that match. From the
   * call on nobody opens a connection that it names, nor joins a group that it is about, as whoever they were before it.
   * @throws (rejects with) TypeError for what names nobody, or several at once
   */
  request(selector: RecheckSelector<P> | TenantSelector, scope: TenantScope): Promise<RecheckResult>;
  /**
   * Whether a recheck that was meant for a connection did not know an admission yet that it is about to go by.
   * @param admission one that is to take the place of the present one; default that one, for a connection that opens
   */
  isOutdated(connection: Connection<P>, admission?: Admission<P>): boolean;
  /** Whether an open connection's admission is older than a recheck of who may be in a group, or of what is asked there. */
  isOutdatedFor(connection: Connection<P>, group: GroupReference<P>): boolean;
}

export interface RecheckRequestPorts<P> extends SelectorPorts<P> {
  readonly recheck: Pick<Recheck<P>, "run">;
  readonly registry: Pick<Registry<P>, "all" | "get">;
  readonly index: Pick<CredentialIndex<P>, "named">;
  readonly admitter: Pick<Admitter<P>, "asked">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly telemetry: Telemetry;
  /** From an admission to the open connection, as a rule: whoever takes longer may be turned away without need. Milliseconds. */
  readonly maxConnectMs: number;
}

export function createRecheckRequests<P>(ports: RecheckRequestPorts<P>): RecheckRequests<P> {
  const { admitter, clock, index, recheck, registry, telemetry } = ports;
  const missed = createRecheckMemory<readonly [Connection<P>, Admission<P>]>(clock, { keepMs: ports.maxConnectMs });
  // A connection may live, and join nothing, for as long as it likes.
  const missedInGroups = createRecheckMemory<readonly [Connection<P>, GroupReference<P>]>(clock);

  /** With a name, at least those that have it. */
  function* openOnes(name: CredentialName | undefined): Iterable<Connection<P>> {
    if (name === undefined) return yield* registry.all();
    for (const connection of index.named(name)) if (registry.get(connection.id) === connection) yield connection;
  }

  return {
    async request(selector, scope) {
      const { by, about, name, matches, concerns } = select(selector, scope, ports);
      const since = admitter.asked;
      missed.add({ about, since, covers: ([connection, { authentication }]) => matches(connection, authentication) });
      if (concerns !== undefined)
        missedInGroups.add({ about, since, covers: ([connection, group]) => concerns(connection, group) });
      const meant = Array.from(openOnes(name)).filter((connection) => matches(connection));
      const all = await Promise.all(meant.map((connection) => recheck.run(connection)));
      const count = (result: string): number => all.filter((each) => each.result === result).length;
      const found = {
        matched: all.length,
        lost: all.reduce((sum, { lost }) => sum + lost, 0),
        ended: count("ended"),
        unavailable: count("unavailable"),
      };
      telemetry({ event: "recheck.completed", by, ...found });
      return found;
    },

    isOutdated: (connection, admission = connection.admission) =>
      missed.isOutdated(askedAt(admission), [connection, admission]),
    isOutdatedFor: (connection, group) => missedInGroups.isOutdated(askedAt(connection.admission), [connection, group]),
  };
}

function askedAt<P>({ askedAt: number = 0 }: Admission<P>): number {
  return number;
}
