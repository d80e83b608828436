/** What the directory may have said of each person, to whom it was asked last. */

export class Directory {
  /** Since the last acknowledged recheck, oldest first. */
  readonly #states = new Map<string, { readonly wards: readonly string[] | undefined; readonly number: number }[]>();
  readonly #asked = new Map<number, number>();
  #count = 0;

  changed(person: string, wards: readonly string[]): void {
    // Before the first change it said everything.
    const states = this.#states.get(person) ?? [{ wards: undefined, number: 0 }];
    states.push({ wards, number: ++this.#count });
    this.#states.set(person, states);
  }

  asked(attempt: number): void {
    this.#asked.set(attempt, this.#count);
  }

  /** What held when it was asked, or came later, is what may have been heard. */
  answered(person: string, attempt: number): void {
    const askedAt = this.#asked.get(attempt) ?? 0;
    const states = this.#states.get(person) ?? [];
    const last = states.findLastIndex(({ number }) => number <= askedAt);
    if (last > 0) states.splice(0, last);
  }

  mayAllow(person: string, ward: string): boolean {
    const states = this.#states.get(person);
    return states === undefined || states.some(({ wards }) => wards === undefined || wards.includes(ward));
  }
}
