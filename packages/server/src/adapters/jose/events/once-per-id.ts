/** Runs a task once for each id, however often and however closely together the id comes. */

import { HubwardError } from "@hubward/wire";
import type { SeenIds } from "../seen-ids.js";

export interface OncePerId {
  /**
   * Runs the task, or waits for the one that runs for this id, or does nothing where one has succeeded. A task that
   * fails is not remembered: the next call runs it again.
   * @throws HubwardError `auth_unavailable` (rejects) when too many run already; otherwise whatever the task rejects with
   */
  run(id: string, rememberForMs: number, task: () => Promise<void>): Promise<void>;
}

export function createOncePerId(seen: SeenIds, maxRunning: number): OncePerId {
  const running = new Map<string, Promise<void>>();
  return {
    run(id, rememberForMs, task) {
      const started = running.get(id);
      if (started !== undefined) return started;
      if (seen.has(id)) return Promise.resolve();
      if (running.size >= maxRunning) {
        return Promise.reject(
          new HubwardError("auth_unavailable", { retryAfterSeconds: 1, cause: new Error("too many run already") }),
        );
      }
      const run = task()
        .then(() => void seen.add(id, rememberForMs))
        .finally(() => running.delete(id));
      running.set(id, run);
      return run;
    },
  };
}
