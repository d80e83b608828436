/** Sends what a streaming method gives, item by item, as fast as the peer takes it and no faster. */

import type { CallControl } from "../core/dispatch/call-control.js";

export interface StreamSink {
  /** False when nothing may be said any more. @throws what has no form on the wire */
  send(item: unknown): boolean;
  /** Undefined while there is room for more. */
  room(): Promise<void> | undefined;
}

export type StreamEnd =
  | { readonly kind: "completed" }
  /** By the caller, or because the connection ended. */
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly error: unknown };

type Source = AsyncIterator<unknown> | Iterator<unknown>;

/** The iterator of what a method gave, or undefined when it cannot be read item by item. Text is not a stream. */
export function openStream(items: unknown): Source | undefined {
  if (typeof items !== "object" || items === null) return undefined;
  const { [Symbol.asyncIterator]: asynchronous, [Symbol.iterator]: synchronous } = items as Partial<
    AsyncIterable<unknown> & Iterable<unknown>
  >;
  return asynchronous?.call(items) ?? synchronous?.call(items);
}

/**
 * Never rejects. A cancelled stream ends at once, also when the method is in the middle of a wait: it is told by
 * `return()` and by the call's signal, and what it still gives goes nowhere.
 */
export function pumpStream(source: Source, sink: StreamSink, control: CallControl): Promise<StreamEnd> {
  return new Promise((resolve) => {
    let isOver = false;
    const end = (how: StreamEnd): void => {
      if (isOver) return;
      isOver = true;
      resolve(how);
    };
    control.onCancelled(() => {
      end({ kind: "stopped" });
      void stop(source);
    });
    pump(source, sink, () => isOver).then(
      (how) => end(how),
      (error: unknown) => end({ kind: "failed", error }),
    );
  });
}

async function pump(source: Source, sink: StreamSink, isOver: () => boolean): Promise<StreamEnd> {
  try {
    while (!isOver()) {
      const next = source.next();
      const result = next instanceof Promise ? await next : await Promise.resolve(next);
      if (isOver()) break;
      if (result.done === true) return { kind: "completed" };
      if (!sink.send(result.value)) break;
      const room = sink.room();
      if (room !== undefined) await room;
    }
  } catch (error) {
    await stop(source);
    throw error;
  }
  await stop(source);
  return { kind: "stopped" };
}

/** Tells the method that nobody reads on; how it takes that is its own business. */
async function stop(source: Source): Promise<void> {
  try {
    await source.return?.();
  } catch {
    // It was told.
  }
}
