/** What an administrator sees of the hospital: looked at again every so often, and right after each change. */
import { type ReadonlySignal, signal } from "@preact/signals";
import type { AdminApi, Change, Overview } from "./admin-api.js";
import type { Clock } from "./clock.js";
import type { Failure } from "./reasons.js";

export interface Administration {
  /** Undefined until it was seen for the first time. */
  readonly overview: ReadonlySignal<(Overview & { readonly seenAt: number }) | undefined>;
  /** Why it cannot be seen at the moment. */
  readonly outage: ReadonlySignal<Failure | undefined>;
  readonly isChanging: ReadonlySignal<boolean>;
  /** Looks until the returned function is called. */
  watch(): () => void;
  change(change: Change): Promise<void>;
}

export interface AdministrationOptions {
  readonly clock: Clock;
  readonly api: AdminApi;
  /** The server refused a change. */
  readonly onRefused: (change: Change, failure: Failure) => void;
}

/** Between two looks. Milliseconds. */
const periodMs = 2_000;

export function createAdministration({ clock, api, onRefused }: AdministrationOptions): Administration {
  const overview = signal<(Overview & { readonly seenAt: number }) | undefined>(undefined);
  const outage = signal<Failure | undefined>(undefined);
  const isChanging = signal(false);
  /** Raised by each look that begins: what an earlier one finds is older. */
  let looks = 0;
  let watch = 0;
  let cancelTimer = (): void => undefined;

  async function look(): Promise<void> {
    const mine = (looks += 1);
    const watched = watch;
    cancelTimer();
    const answer = await api.look();
    if (mine !== looks || watched !== watch) return;
    if (answer.kind === "done") overview.value = { ...answer.value, seenAt: clock.now() };
    outage.value = answer.kind === "failed" ? answer.failure : undefined;
    cancelTimer = clock.after(periodMs, () => void look());
  }

  return {
    overview,
    outage,
    isChanging,
    watch() {
      watch += 1;
      void look();
      return () => {
        watch += 1;
        cancelTimer();
        overview.value = undefined;
        outage.value = undefined;
      };
    },
    async change(change) {
      if (isChanging.peek()) return;
      isChanging.value = true;
      const watched = watch;
      const answer = await api.change(change);
      isChanging.value = false;
      if (answer.kind === "failed") onRefused(change, answer.failure);
      if (watched === watch) await look();
    },
  };
}
