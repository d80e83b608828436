/** Puts names in the place of what differs between two runs of the same thing: ids, tokens, ports. */

export type Named = "connection id" | "connection token" | "ticket" | "jwt";

const LONG_RUN = /(.)\1{59,}/gs;

export class Names {
  readonly #known = new Map<string, string>();
  #calls = 0;
  readonly #counts = new Map<Named, number>();

  /** From here on the value reads `<connection id 1>` and the like. */
  learn(kind: Named, value: string): void {
    if (this.#known.has(value)) return;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    this.#known.set(value, `<${kind} ${count}>`);
  }

  /** The id of a call of the server's, which is short: only as a whole text. */
  learnCall(id: string): void {
    const quoted = JSON.stringify(id);
    if (!this.#known.has(quoted)) this.#known.set(quoted, `"<server's call ${++this.#calls}>"`);
  }

  /** The text with every known value named, in hexadecimal too, and a long run of one character counted. */
  mask(text: string): string {
    let masked = text;
    for (const [value, name] of this.#known) {
      masked = masked.replaceAll(value, name).replaceAll(Buffer.from(value).toString("hex"), name);
      masked = masked.replaceAll(encodeURIComponent(value), name);
    }
    return masked.replace(LONG_RUN, (run, each: string) => `<${each} ${run.length} times>`);
  }
}
