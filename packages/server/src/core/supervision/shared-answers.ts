/**
 * What was said of a token, for all connections that share it: they ask once. Bounded, oldest first, as rechecks can
 * follow one another without end; what is gone is asked again.
 */

export class SharedAnswers<Answer> {
  readonly #maxKept: number;
  // In the order in which they were asked for.
  readonly #kept = new Map<unknown, { readonly since: number; readonly answer: Answer }>();

  constructor(maxKept = 10_000) {
    this.#maxKept = maxKept;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** @param since an answer that was asked for before it says nothing */
  find(token: unknown, since: number): Answer | undefined {
    const known = this.#kept.get(token);
    return known !== undefined && known.since >= since ? known.answer : undefined;
  }

  keep(token: unknown, since: number, answer: Answer): void {
    this.#kept.delete(token);
    if (this.#kept.size >= this.#maxKept)
      for (const [oldest] of this.#kept) {
        this.#kept.delete(oldest);
        break;
      }
    this.#kept.set(token, { since, answer });
  }

  clear(): void {
    this.#kept.clear();
  }
}
