/** What came, to be taken one at a time; a wait ends with the inbox, or when nothing comes. */

export class NothingCame extends Error {}

export class Inbox<T> {
  readonly #patienceMs: number;
  readonly #items: T[] = [];
  #waiting: ((item: T) => void) | undefined;

  /** `patienceMs` is longer than anything a script waits for: one that reaches it has failed. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  readonly push = (item: T): void => {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#items.push(item);
    else waiting(item);
  };

  /** @throws NothingCame */
  take(): Promise<T> {
    const [item] = this.#items.splice(0, 1);
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = undefined;
        reject(new NothingCame());
      }, this.#patienceMs);
      this.#waiting = (came) => {
        clearTimeout(timer);
        resolve(came);
      };
    });
  }

  /** What is here now and was not taken. */
  rest(): readonly T[] {
    return this.#items.splice(0);
  }
}
