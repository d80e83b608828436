/** Code of an application around every call of a hub, after the call was let in. */

import type { Call } from "./call.js";

/**
 * Sees a call that the gate let in, with its valid arguments; `next` goes on to the next filter and in the end to
 * the method, and is called once at most. What it returns or throws is the call's outcome. The result of a streaming
 * method is its iterable.
 *
 * A filter may wait before `next`: the connection's standing is looked at again before the method is entered, and
 * `next` rejects when it is lost or the caller has cancelled. A command (`.once`) that is sent again does not pass
 * here again: its caller is told the outcome that filters and method made of it the first time.
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
    const goOn = async (): Promise<unknown> => {
      // A command that was entered twice would take effect twice.
      if (wasCalled) throw new TypeError("filter: next() was called twice");
      wasCalled = true;
      return enter(index + 1);
    };
    return filter(call, args, () => {
      const going = goOn();
      // A filter that does not wait for it has still heard of it: that must not end the process.
      going.catch(() => undefined);
      return going;
    });
  };
  return enter(0);
}
