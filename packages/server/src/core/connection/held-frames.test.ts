import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, text } from "../../../test/connection-fixture.js";
import type { GroupKey } from "../groups/group.js";
import type { Frame, Yielding } from "../publication.js";
import { HeldFrames, type HeldVerdict } from "./held-frames.js";

const icu = "icu" as GroupKey;
const er = "er" as GroupKey;

const frame = (words: string, group?: GroupKey): Frame => ({ bytes: bytes(words), group });
const words = (frames: readonly Frame[]): string[] => frames.map((each) => text(each.bytes));
const sayAll = (): HeldVerdict => "say";

/** How many frames had to make room since this was last asked. */
const dropped = (held: HeldFrames): number => [...(held.takeDropped()?.values() ?? [])].reduce((sum, n) => sum + n, 0);

function holding(maxBytes: number, ...frames: readonly Frame[]): HeldFrames {
  const held = new HeldFrames(maxBytes);
  for (const each of frames) held.push(each);
  return held;
}

describe("frames that are held back", () => {
  it("come out in the order they came, once", () => {
    const held = holding(100, frame("a"), frame("b", icu), frame("c"));
    expect(words(held.take(sayAll))).toEqual(["a", "b", "c"]);
    expect([held.take(sayAll), held.size, held.bytes]).toEqual([[], 0, 0]);
  });

  it("are the newest within the bound: the oldest make room, and are counted", () => {
    const held = holding(4, frame("aa"), frame("bb"), frame("cc"));
    expect([held.size, held.bytes, dropped(held), dropped(held)]).toEqual([2, 4, 1, 0]);
    held.push(frame("dddd"));
    expect([words(held.take(sayAll)), dropped(held)]).toEqual([["dddd"], 2]);
  });

  it("make room as their groups say first: an older state of one thing uncounted, then what may be dropped", () => {
    const state = (words: string): Frame => ({ ...frame(words), yields: { key: "hr" } });
    const held = holding(6, frame("aa"), state("70"), { ...frame("dd"), yields: "drop" });
    held.push(state("72"));
    expect([held.size, dropped(held)]).toEqual([3, 0]);
    held.push(frame("bb"));
    expect([words(held.take(sayAll)), dropped(held)]).toEqual([["aa", "72", "bb"], 1]);
  });

  it("may be a single one beyond the bound, and none beside it", () => {
    const held = holding(4, frame("aa"), frame("larger than that"));
    expect([held.size, dropped(held)]).toEqual([1, 1]);
    held.push(frame("b"));
    expect([words(held.take(sayAll)), dropped(held)]).toEqual([["b"], 1]);
  });

  it("wait, go or are forgotten as each one's group says, and those that wait keep their place", () => {
    const held = holding(100, frame("a"), frame("b", icu), frame("c", er), frame("d", icu), frame("e", er));
    const judge = (group: GroupKey | undefined): HeldVerdict =>
      group === undefined ? "say" : group === icu ? "wait" : "drop";
    expect(words(held.take(judge))).toEqual(["a"]);
    held.push(frame("f"));
    expect([words(held.take(sayAll)), dropped(held)]).toEqual([["b", "d", "f"], 0]);
  });

  it("lose one group's without another's, and do not count them: nothing was withheld of what one may see", () => {
    const held = holding(100, frame("a", er), frame("b", icu), frame("c"), frame("d", icu));
    held.evict(icu);
    expect([held.bytes, dropped(held), words(held.take(sayAll))]).toEqual([2, 0, ["a", "c"]]);
    const full = holding(2, frame("a", icu), frame("b", er), frame("c", icu), frame("d"));
    full.evict(icu);
    expect([words(full.take(sayAll)), dropped(full)]).toEqual([["d"], 1]);
  });

  it("are all forgotten at the end, with the count", () => {
    const held = holding(1, frame("a"), frame("b"));
    held.clear();
    expect([held.size, held.bytes, dropped(held), held.take(sayAll)]).toEqual([0, 0, 0, []]);
  });

  it("agree with a plain list under any order of pushes, takes and evictions", () => {
    const group = fc.constantFrom(icu, er, undefined);
    const verdicts = fc.record({ icu: fc.constantFrom("say", "wait", "drop"), er: fc.constantFrom("say", "wait") });
    const act = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          push: fc.integer({ min: 1, max: 9 }),
          group,
          yields: fc.constantFrom<Yielding | undefined>("drop", { key: "hr" }, { key: "spo2" }, undefined),
        }),
      },
      { weight: 1, arbitrary: fc.record({ evict: fc.constantFrom(icu, er) }) },
      { weight: 1, arbitrary: fc.record({ take: verdicts }) },
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30 }), fc.array(act, { maxLength: 60 }), (maxBytes, acts) => {
        const held = new HeldFrames(maxBytes);
        let model: Frame[] = [];
        const lost: Frame[] = [];
        const modelBytes = (): number => model.reduce((sum, each) => sum + each.bytes.length, 0);
        for (const each of acts) {
          if ("push" in each) {
            const { yields } = each;
            const pushed = { ...frame("x".repeat(each.push), each.group), yields };
            held.push(pushed);
            if (typeof yields === "object") model = model.filter((kept) => kept.yields !== yields);
            while (model.length > 0 && modelBytes() + each.push > maxBytes) {
              const first = model.find((kept) => kept.yields === "drop") ?? (model[0] as Frame);
              model = model.filter((kept) => kept !== first);
              lost.push(first);
            }
            model.push(pushed);
          } else if ("evict" in each) {
            held.evict(each.evict);
            model = model.filter((kept) => kept.group !== each.evict);
            lost.splice(0, Infinity, ...lost.filter((one) => one.group !== each.evict));
          } else {
            const judge = (of: GroupKey | undefined): HeldVerdict =>
              of === undefined ? "say" : of === icu ? each.take.icu : each.take.er;
            const said = model.filter((kept) => judge(kept.group) === "say");
            model = model.filter((kept) => judge(kept.group) === "wait");
            const taken = held.take(judge);
            expect(taken).toHaveLength(said.length);
            expect(taken.every((taking, index) => taking === said[index])).toBe(true);
            expect(dropped(held)).toBe(lost.length);
            lost.length = 0;
          }
          expect([held.size, held.bytes]).toEqual([model.length, modelBytes()]);
          expect(held.size <= 1 || held.bytes <= maxBytes).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});
