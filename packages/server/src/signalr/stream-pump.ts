/** Sends what a streaming method gives, item by item, as fast as the peer takes it and no faster. */

import type { CallControl } from "../core/dispatch/call-control.js";

export interface StreamSink {
  /** @throws what has no form on the wire, or is too large for it */
  encode(item: unknown): Uint8Array;
  /** Undefined while so many bytes may be sent; else a promise for when to ask again. */
  room(length: number): Promise<void> | undefined;
  /** False when nothing may be said any more. */
  send(frame: Uint8Array): boolean;
}

export type StreamEnd =
  | { readonly kind: "completed" }
  /** By the caller, or because the connection ended. */
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly error: unknown };

type Source = AsyncIterator<unknown> | Iterator<unknown>;

/**
 * The iterator of what a method gave, or undefined when it cannot be read item by item. Text is not a stream.
 * @throws what the method's own code throws
 */
export function openStream(items: unknown): Source | undefined {
  if (typeof items !== "object" || items === null) return undefined;
  const { [Symbol.asyncIterator]: asynchronous, [Symbol.iterator]: synchronous } = items as Partial<
    AsyncIterable<unknown> & Iterable<unknown>
  >;
  return asynchronous?.call(items) ?? synchronous?.call(items);
}

/**
 * Tells `onEnd` once, as soon as the stream is over for its caller, and resolves when the method has let go of it,
 * which may be later: one that is cancelled in the middle of a wait is told by `return()` and by the call's signal,
 * and what it still gives goes nowhere. Rejects with what `onEnd` throws, and with nothing else.
 */
export async function pumpStream(
  source: Source,
  sink: StreamSink,
  control: CallControl,
  onEnd: (end: StreamEnd) => void,
): Promise<void> {
  let isOver = false;
  /** Whether the iterator has ended by itself, or may have: `return()` is not called any more. */
  let hasEnded = false;
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= tell(source));
  const end = (how: StreamEnd): void => {
    if (isOver) return;
    isOver = true;
    onEnd(how);
  };

  async function run(): Promise<StreamEnd> {
    for (;;) {
      // Before the next item is made, and again when its size is known.
      const roomForAny = whenRoom(0);
      if (roomForAny !== undefined) await roomForAny;
      if (isOver) return { kind: "stopped" };
      hasEnded = true;
      const { done, value } = await source.next();
      hasEnded = done === true;
      if (isOver) return { kind: "stopped" };
      if (hasEnded) return { kind: "completed" };
      // As `for await` does with the items of a plain iterable.
      const frame = sink.encode(isThenable(value) ? await value : value);
      const room = whenRoom(frame.length);
      if (room !== undefined) await room;
      if (isOver || !sink.send(frame)) return { kind: "stopped" };
    }
  }

  function whenRoom(length: number): Promise<void> | undefined {
    return isOver ? undefined : sink.room(length)?.then(() => whenRoom(length));
  }

  control.onCancelled(() => {
    void stop();
    end({ kind: "stopped" });
  });
  end(await run().catch((error: unknown) => ({ kind: "failed", error }) as const));
  await (hasEnded ? stopping : stop());
}

/** Tells the method that nobody reads on; how it takes that is its own business. */
async function tell(source: Source): Promise<void> {
  try {
    await source.return?.();
  } catch {
    // It was told.
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}
