/** A list that can be awaited: what happened, and what is still to happen. */

interface Waiting<T> {
  readonly isMet: (items: readonly T[]) => boolean;
  readonly resolve: () => void;
}

export class Recorder<T> {
  readonly items: T[] = [];
  #waiting: Waiting<T>[] = [];

  /** Bound, so that it can be handed over as a callback. */
  readonly push = (item: T): void => {
    this.items.push(item);
    this.#waiting = this.#waiting.filter(({ isMet, resolve }) => {
      if (!isMet(this.items)) return true;
      resolve();
      return false;
    });
  };

  /** The first item that matches, whether it came already or not. */
  async first<Match extends T>(matches: (item: T) => item is Match): Promise<Match>;
  async first(matches?: (item: T) => boolean): Promise<T>;
  async first(matches: (item: T) => boolean = () => true): Promise<T> {
    await this.#until((items) => items.some(matches));
    return this.items.find(matches) as T;
  }

  /** The first so many items that match. */
  async take(count: number, matches: (item: T) => boolean = () => true): Promise<readonly T[]> {
    await this.#until((items) => items.filter(matches).length >= count);
    return this.items.filter(matches).slice(0, count);
  }

  #until(isMet: Waiting<T>["isMet"]): Promise<void> {
    if (isMet(this.items)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isMet, resolve }));
  }
}
