/**
 * What an application asks to be judged again: finds the connections, rechecks each and adds up what came of it. It
 * remembers for a while what was asked, for those who were admitted before and connect behind it.
 */

import type { Admitter } from "../admission/admission.js";
import type { Clock } from "../clock.js";
import type { Connection } from "../connection/connection.js";
import type { Registry } from "../connection/registry.js";
import type { TenantScope } from "../groups/fanout.js";
import type { Telemetry } from "../telemetry.js";
import type { Recheck } from "./recheck.js";
import {
  select,
  type RecheckSelector,
  type Selection,
  type SelectorPorts,
  type TenantSelector,
} from "./recheck-selector.js";

export interface RecheckResult {
  /** Connections asked about: those of this node that the selector names. */
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
   * Resolves when no frame of a lost membership can leave this process any more, for none of those that match.
   * @throws (rejects with) TypeError for what names nobody, or several at once
   */
  request(selector: RecheckSelector<P> | TenantSelector, scope: TenantScope): Promise<RecheckResult>;
  /** Whether a connection that opens was admitted before a recheck that was meant for it, too. */
  isOutdated(connection: Connection<P>): boolean;
}

export interface RecheckRequestPorts<P> extends SelectorPorts<P> {
  readonly recheck: Pick<Recheck<P>, "run">;
  readonly registry: Pick<Registry<P>, "all">;
  readonly admitter: Pick<Admitter<P>, "asked">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly telemetry: Telemetry;
  /** From an admission to the open connection, at most. Milliseconds. */
  readonly maxConnectMs: number;
}

interface Remembered<P> {
  readonly matches: Selection<P>["matches"];
  /** What was asked for up to here may be out of date. */
  readonly since: number;
  readonly forgetAt: number;
}

/** Requests remembered one by one. Beyond, whoever connects behind them counts as meant. */
const MAX_REMEMBERED = 256;

export function createRecheckRequests<P>(ports: RecheckRequestPorts<P>): RecheckRequests<P> {
  const { admitter, clock, recheck, registry, telemetry } = ports;
  let remembered: Remembered<P>[] = [];

  function remember(matches: Selection<P>["matches"]): void {
    const now = clock.monotonic();
    remembered = remembered.filter(({ forgetAt }) => forgetAt > now);
    if (remembered.length >= MAX_REMEMBERED) {
      const [oldest, second] = remembered.splice(0, 2) as [Remembered<P>, Remembered<P>];
      remembered.unshift({ ...second, matches: () => true, since: Math.max(oldest.since, second.since) });
    }
    remembered.push({ matches, since: admitter.asked, forgetAt: now + ports.maxConnectMs });
  }

  return {
    async request(selector, scope) {
      const { by, matches } = select(selector, scope, ports);
      remember(matches);
      const meant = Array.from(registry.all()).filter(matches);
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

    isOutdated(connection) {
      const { askedAt = 0 } = connection.admission;
      return remembered.some(({ since, matches }) => askedAt <= since && matches(connection));
    },
  };
}
