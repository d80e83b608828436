/** Code of an application around every call of a hub, after the call was let in. */

import type { Call } from "./call.js";

/**
 * Sees a call that the gate let in, with its valid arguments; `next` goes on to the next filter and in the end to
 * the method, and is called once at most. What it returns or throws is the call's outcome. The result of a streaming
 * method is its iterable.
 */
export type HubFilter<P> = (call: Call<P>, args: readonly unknown[], next: () => Promise<unknown>) => unknown;

/** Runs the filters, the first one outermost, around `method`. */
export function throughFilters<P>(
  filters: readonly HubFilter<P>[],
  call: Call<P>,
  args: readonly unknown[],
  method: () => unknown,
): unknown {
  const enter = (index: number): unknown => {
    const filter = filters[index];
    if (filter === undefined) return method();
    let wasCalled = false;
    return filter(call, args, async () => {
      // A command that was entered twice would take effect twice.
      if (wasCalled) throw new TypeError("filter: next() was called twice");
      wasCalled = true;
      return enter(index + 1);
    });
  };
  return enter(0);
}
