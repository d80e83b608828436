import { describe, expect, it } from "vitest";
import { deferred, type Deferred } from "../../test/hub-fixture.js";
import { CallControl } from "../core/dispatch/call-control.js";
import { openStream, pumpStream, type StreamEnd, type StreamSink } from "./stream-pump.js";

interface Pumping {
  readonly sent: string[];
  readonly ends: StreamEnd[];
  readonly control: CallControl;
  /** While set, there is no room. */
  full: Deferred<void> | undefined;
  isOpen: boolean;
  /** Settles when the method has let go. */
  readonly done: Promise<void>;
  hasLetGo: boolean;
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function start(items: unknown, { full }: { readonly full?: Deferred<void> } = {}): Pumping {
  const source = openStream(items);
  if (source === undefined) throw new TypeError("no stream");
  const sink: StreamSink = {
    encode(item) {
      if (typeof item === "bigint") throw new TypeError("no form");
      return new TextEncoder().encode(JSON.stringify(item));
    },
    room: () => pumping.full?.promise,
    send(frame) {
      if (pumping.isOpen) pumping.sent.push(new TextDecoder().decode(frame));
      return pumping.isOpen;
    },
  };
  const pumping: Omit<Pumping, "done"> = {
    sent: [],
    ends: [],
    control: new CallControl(),
    full,
    isOpen: true,
    hasLetGo: false,
  };
  const done = pumpStream(source, sink, pumping.control, (end) => pumping.ends.push(end)).then(
    () => void (pumping.hasLetGo = true),
  );
  return Object.assign(pumping, { done });
}

/** Notes what becomes of a generator. */
function watched(
  notes: string[],
  body: () => AsyncGenerator<unknown> = async function* () {
    for (let count = 0; ; count++) yield count;
  },
): AsyncGenerator<unknown> {
  return (async function* () {
    try {
      notes.push("entered");
      yield* body();
    } finally {
      notes.push("left");
    }
  })();
}

describe("what can be read item by item", () => {
  it.each<[string, unknown, boolean]>([
    ["an array", [1], true],
    ["a generator", (function* () {})(), true],
    ["an asynchronous generator", (async function* () {})(), true],
    ["a ReadableStream", new ReadableStream(), true],
    ["a Map", new Map(), true],
    ["text", "abc", false],
    ["an object", { length: 1 }, false],
    ["a function", () => [], false],
    ["null", null, false],
    ["nothing", undefined, false],
  ])("%s: %s", (_, items, expected) => {
    expect(openStream(items) !== undefined).toBe(expected);
  });
});

describe("a stream", () => {
  it.each<[string, () => unknown]>([
    ["an array", () => [1, null, "a"]],
    ["promises", () => [1, Promise.resolve(null), "a"]],
    [
      "a generator",
      function* () {
        yield* [1, null, "a"];
      },
    ],
    [
      "an asynchronous generator",
      async function* () {
        yield 1;
        yield null;
        yield "a";
      },
    ],
  ])("sends the items of %s in order and completes", async (_, make) => {
    const pumping = start(make());
    await pumping.done;
    expect([pumping.sent, pumping.ends]).toEqual([["1", "null", '"a"'], [{ kind: "completed" }]]);
  });

  it("makes no item while there is no room, and does not end the event loop's other work", async () => {
    const notes: string[] = [];
    let made = 0;
    const full = deferred<void>();
    const pumping = start(
      (function* () {
        for (;;) yield ++made;
      })(),
      { full },
    );
    await settle();
    expect([made, pumping.sent]).toEqual([0, []]);
    pumping.full = undefined;
    full.resolve();
    const next = deferred<void>();
    // Room for ten items, then none: an endless loop that never waits stops here.
    Object.defineProperty(pumping, "full", { get: () => (pumping.sent.length >= 10 ? next : undefined) });
    await settle();
    expect(made).toBe(10);
    pumping.control.cancel();
    next.resolve();
    await pumping.done;
    expect([made, pumping.ends, notes]).toEqual([10, [{ kind: "stopped" }], []]);
  });

  it("that was cancelled before it began sends nothing, and leaves the method", async () => {
    const notes: string[] = [];
    const pumping = start(watched(notes));
    pumping.control.cancel();
    expect(pumping.ends).toEqual([{ kind: "stopped" }]);
    await pumping.done;
    expect([pumping.sent, pumping.ends.length]).toEqual([[], 1]);
    // Entered and left, or never entered: not stuck in between.
    expect(notes.length % 2).toBe(0);
  });

  it("that is cancelled in the middle of a wait ends at once; the method is told, and done when its wait is", async () => {
    const notes: string[] = [];
    const wait = deferred<unknown>();
    const pumping = start(
      watched(notes, async function* () {
        yield 1;
        yield await wait.promise;
        yield 3;
      }),
    );
    await settle();
    pumping.control.cancel();
    expect(pumping.ends).toEqual([{ kind: "stopped" }]);
    await settle();
    expect([notes, pumping.hasLetGo]).toEqual([["entered"], false]);
    wait.resolve("secret");
    await pumping.done;
    expect([notes, pumping.sent]).toEqual([["entered", "left"], ["1"]]);
  });

  it("that is cancelled while an item waits for room does not send it", async () => {
    const full = deferred<void>();
    const notes: string[] = [];
    const pumping = start(watched(notes));
    Object.defineProperty(pumping, "full", { get: () => (pumping.sent.length >= 1 ? full : undefined) });
    await settle();
    pumping.control.cancel();
    full.resolve();
    await pumping.done;
    expect([pumping.sent, notes]).toEqual([["0"], ["entered", "left"]]);
  });

  it("ends when nothing may be said any more", async () => {
    const notes: string[] = [];
    const pumping = start(watched(notes));
    pumping.isOpen = false;
    await pumping.done;
    expect([pumping.sent, pumping.ends, notes]).toEqual([[], [{ kind: "stopped" }], ["entered", "left"]]);
  });

  it("says why it failed: by the method itself, or by an item without a form; and leaves the method", async () => {
    const boom = new Error("boom");
    const thrown = start(
      (function* () {
        yield 1;
        throw boom;
      })(),
    );
    await thrown.done;
    expect([thrown.sent, thrown.ends]).toEqual([["1"], [{ kind: "failed", error: boom }]]);
    const notes: string[] = [];
    const formless = start(
      watched(notes, async function* () {
        yield 1n;
      }),
    );
    await formless.done;
    expect(formless.ends).toEqual([{ kind: "failed", error: new TypeError("no form") }]);
    expect(notes).toEqual(["entered", "left"]);
  });

  it("that fails is over for its caller though the method takes its time to leave", async () => {
    const leaving = deferred<void>();
    const pumping = start(
      (async function* () {
        try {
          yield 1n;
        } finally {
          await leaving.promise;
        }
      })(),
    );
    await settle();
    expect([pumping.ends.map(({ kind }) => kind), pumping.hasLetGo]).toEqual([["failed"], false]);
    leaving.resolve();
    await pumping.done;
  });

  it("is told to stop once, however it ends, and how it takes that is its own business", async () => {
    let returns = 0;
    const iterator = {
      [Symbol.asyncIterator]: () => iterator,
      next: () => Promise.resolve({ done: false, value: 1 }),
      return: () => {
        returns++;
        return Promise.reject(new Error("unwilling"));
      },
    };
    const pumping = start(iterator);
    Object.defineProperty(pumping, "full", { get: () => (pumping.sent.length >= 3 ? deferred<void>() : undefined) });
    await settle();
    pumping.control.cancel();
    pumping.control.cancel();
    await settle();
    expect([returns, pumping.ends]).toEqual([1, [{ kind: "stopped" }]]);
    let nexts = 0;
    const done = start({
      [Symbol.iterator]: () => ({
        next: () => ({ done: nexts++ > 0, value: 1 }),
        return: () => {
          returns++;
          return { done: true, value: undefined };
        },
      }),
    });
    await done.done;
    // It ended by itself: as with `for await`, it is not told.
    expect([returns, done.ends]).toEqual([1, [{ kind: "completed" }]]);
  });

  it("of what is no proper iterator fails like a method does", async () => {
    const broken = start({ [Symbol.iterator]: () => ({ next: () => undefined }) });
    await broken.done;
    expect(broken.ends).toMatchObject([{ kind: "failed", error: expect.any(TypeError) as unknown }]);
  });
});
