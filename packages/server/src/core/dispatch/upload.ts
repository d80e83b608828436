/**
 * A stream of items that the caller sends along with a call. Its method reads it as an async iterable, once; what
 * the method is slow to read holds the peer back.
 */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { HubError } from "../errors.js";

/** Told when the items that wait reach the bound, and when they are below it again. */
export interface UploadPressure {
  hold(): void;
  release(): void;
}

interface Reader {
  resolve(result: IteratorResult<unknown, undefined>): void;
  reject(error: unknown): void;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

export class Upload implements AsyncIterable<unknown> {
  readonly #maxItems: number;
  readonly #pressure: UploadPressure;
  #items: unknown[] = [];
  #reader: Reader | undefined;
  #isHolding = false;
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;
  #isTaken = false;

  constructor(maxItems: number, pressure: UploadPressure) {
    this.#maxItems = maxItems;
    this.#pressure = pressure;
  }

  /** The peer sent an item. What one read of the network brought is taken even beyond the bound. */
  push(item: unknown): void {
    if (this.#isOver) return;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve({ done: false, value: item });
      return;
    }
    this.#items.push(item);
    if (this.#items.length < this.#maxItems || this.#isHolding) return;
    this.#isHolding = true;
    this.#pressure.hold();
  }

  /** The peer is done; a text means that it failed. Items that wait are still read, the failure after them. */
  end(error?: string): void {
    this.#finish(error === undefined ? undefined : { error: new HubError(error) });
  }

  /** The connection ended: nothing that waits counts any more. */
  fail(error: unknown): void {
    this.#items = [];
    this.#finish({ error });
    this.#failure ??= { error };
  }

  /** The method is done with it, whatever it read: later items go nowhere. */
  dispose(): void {
    this.#items = [];
    this.#finish(undefined);
  }

  /** @throws TypeError when it is read a second time */
  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    if (this.#isTaken) throw new TypeError("upload: a stream can be read once");
    this.#isTaken = true;
    return {
      next: () => this.#next(),
      return: () => {
        this.dispose();
        return Promise.resolve(DONE);
      },
    };
  }

  #next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#items.length > 0) {
      const value = this.#items.shift();
      if (this.#items.length < this.#maxItems) this.#release();
      return Promise.resolve({ done: false, value });
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.#isOver) return Promise.resolve(DONE);
    if (this.#reader !== undefined) return Promise.reject(new TypeError("upload: one item is asked for at a time"));
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  #finish(failure: { readonly error: unknown } | undefined): void {
    if (this.#items.length === 0) this.#release();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader === undefined) return;
    if (failure === undefined) reader.resolve(DONE);
    else reader.reject(failure.error);
  }

  #release(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    this.#pressure.release();
  }
}

/** What a method gets for the streams its caller sends: items that their schemas let through. */
export function readUploads(
  uploads: readonly Upload[],
  schemas: readonly StandardSchemaV1[],
): readonly AsyncIterable<unknown>[] {
  return uploads.map((upload, index) => readItems(upload, schemas[index] as StandardSchemaV1));
}

async function* readItems(upload: Upload, schema: StandardSchemaV1): AsyncGenerator<unknown, void> {
  for await (const item of upload) {
    const result = await schema["~standard"].validate(item);
    // .NET's own words for an item that does not fit.
    if (result.issues !== undefined) throw new HubError("Failed to bind Stream message.");
    yield result.value;
  }
}
