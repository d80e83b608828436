/** A string that does not print: bearer tokens, tickets and connection tokens travel inside one. */

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it where the secret is used, keep the result in no object. */
  reveal(): string {
    return this.#value;
  }

  get length(): number {
    return this.#value.length;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }
}

Object.defineProperty(Secret.prototype, Symbol.for("nodejs.util.inspect.custom"), { value: () => "[secret]" });
