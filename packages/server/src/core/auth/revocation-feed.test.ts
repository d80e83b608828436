import { describe, expect, it } from "vitest";
import type { EpochMs } from "../clock.js";
import { createRevocationFeed } from "./revocation-feed.js";
import type { RevocationListener } from "./revocation-log.js";
import type { Revocation } from "./revocation.js";

function entryOf(number: number): Revocation {
  const at = number as EpochMs;
  return { number, at, kind: "claims-changed", target: { type: "all" }, reason: "reauth_required", keepUntil: at };
}

function listenerTo(told: unknown[], name = ""): RevocationListener {
  return {
    entry: ({ number }) => void told.push(`${name}${number}`),
    interrupted: (error) => void told.push(error),
  };
}

describe("the feed of revocations", () => {
  it("tells a listener that subscribed twice twice, until each subscription ends", () => {
    const feed = createRevocationFeed();
    const told: unknown[] = [];
    const listener = listenerTo(told);
    const ends = [feed.subscribe(listener), feed.subscribe(listener)];
    feed.publish(entryOf(1));
    ends[0]?.();
    ends[0]?.();
    feed.publish(entryOf(2));
    ends[1]?.();
    feed.publish(entryOf(3));
    expect(told).toEqual(["1", "1", "2"]);
  });

  it("tells nothing more to a listener that another one has ended, and the next entry to one it has brought", () => {
    const feed = createRevocationFeed();
    const told: unknown[] = [];
    let end = (): void => undefined;
    const first: RevocationListener = {
      interrupted: () => undefined,
      entry: () => {
        end();
        feed.subscribe(listenerTo(told, "late "));
      },
    };
    const endFirst = feed.subscribe(first);
    end = feed.subscribe(listenerTo(told, "ended "));
    feed.publish(entryOf(1));
    endFirst();
    feed.publish(entryOf(2));
    expect(told).toEqual(["late 2"]);
  });

  it("keeps the order for everybody when a listener publishes", () => {
    const feed = createRevocationFeed();
    const told: unknown[] = [];
    feed.subscribe({ interrupted: () => undefined, entry: ({ number }) => number === 1 && feed.publish(entryOf(2)) });
    feed.subscribe(listenerTo(told));
    feed.publish(entryOf(1));
    expect(told).toEqual(["1", "2"]);
  });

  it("tells everyone of an interruption, between the entries it fell between", () => {
    const feed = createRevocationFeed();
    const told: unknown[] = [];
    const gap = new Error("gap");
    feed.subscribe({ interrupted: () => undefined, entry: ({ number }) => number === 1 && feed.interrupt(gap) });
    feed.subscribe(listenerTo(told));
    feed.publish(entryOf(1));
    feed.publish(entryOf(2));
    expect(told).toEqual(["1", gap, "2"]);
  });

  it("does not hide a listener that can neither take an entry nor say so, and tells the others first", () => {
    const feed = createRevocationFeed();
    const told: unknown[] = [];
    const failure = new Error("planted");
    const fail = (): never => {
      throw failure;
    };
    feed.subscribe({ entry: fail, interrupted: fail });
    feed.subscribe(listenerTo(told));
    expect(() => feed.publish(entryOf(1))).toThrow(failure);
    expect(() => feed.interrupt("gap")).toThrow(failure);
    expect(told).toEqual(["1", "gap"]);
  });
});
