/** One case of the suite: what it is, and what it is run with. */

import type { RevocationLog } from "@hubward/server/ports";
import { createFakeClock, type FakeClock } from "../../fake-clock.js";

/** What a log is opened with. */
export interface RevocationLogSettings {
  readonly clock: FakeClock;
  /** Where it keeps its entries. Opened again under the same name, it must have them still; each case has its own. */
  readonly place: string;
}

export type OpenRevocationLog = (settings: RevocationLogSettings) => RevocationLog | Promise<RevocationLog>;

export interface RevocationLogCase {
  /** A sentence. */
  readonly name: string;
  /** Which settings must be honoured for this case. A log that cannot leaves the case out, and says why. */
  readonly needs: readonly (keyof RevocationLogSettings)[];
  run(open: OpenRevocationLog): Promise<void>;
}

export interface Bench {
  readonly clock: FakeClock;
  readonly log: RevocationLog;
  /** Closes the log and opens it again in the same place. */
  reopen(): Promise<RevocationLog>;
}

let opened = 0;

export function contractCase(
  name: string,
  run: (bench: Bench) => Promise<void>,
  needs: RevocationLogCase["needs"] = [],
): RevocationLogCase {
  return {
    name,
    needs,
    async run(open) {
      const clock = createFakeClock();
      const place = `case-${++opened}`;
      const logs: RevocationLog[] = [];
      const openOne = async (): Promise<RevocationLog> => {
        const log = await open({ clock, place });
        logs.push(log);
        return log;
      };
      try {
        const log = await openOne();
        const reopen = async (): Promise<RevocationLog> => {
          await Promise.all(logs.map((each) => each.close()));
          return openOne();
        };
        await run({ clock, log, reopen });
      } finally {
        for (const log of logs) await log.close();
      }
    },
  };
}
