/** What people do in more than one drill. */

import { expect } from "vitest";
import type { Visitor, Ward } from "../support/ward.js";

/** An order, twice: whoever lost sight of the first answer repeats it. */
export async function expectOneEffect(ward: Ward, visitor: Visitor, id: string): Promise<void> {
  expect(await visitor.try("Order", id)).toBe(`ordered ${id}`);
  expect(await visitor.try("Order", id)).toBe(`ordered ${id}`);
  expect(ward.effects.filter((each) => each === id)).toHaveLength(1);
}

export interface Monitored {
  readonly items: readonly number[];
  /** `complete`, or the text it failed with. */
  readonly end: Promise<string>;
}

/** Reads `Monitor` for as long as it may. */
export function monitor({ connection }: Visitor): Monitored {
  const items: number[] = [];
  const end = new Promise<string>((resolve) => {
    connection.stream<number>("Monitor", 1).subscribe({
      next: (item) => void items.push(item),
      complete: () => resolve("complete"),
      error: (error: Error) => resolve(error.message),
    });
  });
  return { items, end };
}
