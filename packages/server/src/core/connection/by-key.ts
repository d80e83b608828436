/** Values by a key that they share with others, and nearly always do not: only keys with more than one have a set. */
export class ByKey<K, V extends object> {
  readonly #held = new Map<K, V | Set<V>>();

  add(key: K, value: V): void {
    const held = this.#held.get(key);
    if (held === undefined) this.#held.set(key, value);
    else if (held instanceof Set) held.add(value);
    else if (held !== value) this.#held.set(key, new Set([held, value]));
  }

  remove(key: K, value: V): void {
    const held = this.#held.get(key);
    if (held instanceof Set) held.delete(value);
    if (held === value || (held instanceof Set && held.size === 0)) this.#held.delete(key);
  }

  /** In the order in which they came. */
  get(key: K): Iterable<V> {
    const held = this.#held.get(key);
    if (held === undefined) return [];
    return held instanceof Set ? held : [held];
  }

  /** Keys with a value. */
  get size(): number {
    return this.#held.size;
  }
}
