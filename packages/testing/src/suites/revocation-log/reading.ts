/** How the cases write to a log, read it and listen to it. */

import assert from "node:assert/strict";
import type {
  NewRevocation,
  Revocation,
  RevocationListener,
  RevocationLog,
  RevocationPage,
} from "@hubward/server/ports";

export async function appendAll(log: RevocationLog, entries: readonly NewRevocation[]): Promise<Revocation[]> {
  const appended: Revocation[] = [];
  for (const entry of entries) appended.push(await log.append(entry));
  return appended;
}

/** The whole log after a number, page by page. */
export async function readAll(log: RevocationLog, after = 0): Promise<RevocationPage> {
  const entries: Revocation[] = [];
  for (let from = after; ;) {
    const page = await log.read(from);
    for (const entry of page.entries) {
      assert.ok(entry.number > from && entry.number <= page.upTo, `${entry.number} is in the page up to ${page.upTo}`);
      from = entry.number;
      entries.push(entry);
    }
    assert.ok(page.upTo <= page.head, `${page.upTo} of ${page.head}`);
    if (page.upTo === page.head) return { ...page, entries };
    assert.ok(page.upTo >= from && page.entries.length > 0, "a page that leads nowhere");
    from = page.upTo;
  }
}

export function numbersOf(entries: readonly Revocation[]): number[] {
  return entries.map(({ number }) => number);
}

/** Compares as plain data: a member that is undefined may as well be missing. */
export function assertSame(actual: unknown, expected: unknown, message?: string): void {
  assert.deepEqual(JSON.parse(JSON.stringify(actual)), JSON.parse(JSON.stringify(expected)), message);
}

export function recorder(): RevocationListener & { readonly told: Revocation[]; readonly interruptions: unknown[] } {
  const told: Revocation[] = [];
  const interruptions: unknown[] = [];
  return {
    told,
    interruptions,
    entry: (entry) => void told.push(entry),
    interrupted: (error) => void interruptions.push(error),
  };
}

/** A promise whose rejection is not lost when nobody comes to wait for it. */
export function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
