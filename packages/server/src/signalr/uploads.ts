/** One connection's streams from the client, by the ids it gave them. */

import { HubwardError, type ReasonName } from "@hubward/wire";
import { Upload, type UploadPressure } from "../core/dispatch/upload.js";

const NONE: readonly Upload[] = [];

export class Uploads {
  readonly #maxItems: number;
  readonly #pressure: UploadPressure;
  readonly #open = new Map<string, Upload>();

  constructor(maxItems: number, pressure: UploadPressure) {
    this.#maxItems = maxItems;
    this.#pressure = pressure;
  }

  get size(): number {
    return this.#open.size;
  }

  /** One stream for each id, from now on fed by it. An id in use goes over to the newer call, as in .NET; the older ends. */
  open(ids: readonly string[] | undefined): readonly Upload[] {
    if (ids === undefined || ids.length === 0) return NONE;
    return ids.map((id) => {
      const upload = new Upload(this.#maxItems, this.#pressure);
      this.#open.get(id)?.end("The stream's id went over to a newer call.");
      this.#open.set(id, upload);
      return upload;
    });
  }

  /** Items of streams nobody reads any more are dropped. */
  item(id: string, item: unknown): void {
    this.#open.get(id)?.push(item);
  }

  /** False when no stream has this id. */
  end(id: string, error: string | undefined): boolean {
    const upload = this.#open.get(id);
    if (upload === undefined) return false;
    this.#open.delete(id);
    upload.end(error);
    return true;
  }

  /** Their call is over, whatever it read of them. */
  close(ids: readonly string[] | undefined, uploads: readonly Upload[]): void {
    for (const [index, upload] of uploads.entries()) {
      const id = ids?.[index] ?? "";
      if (this.#open.get(id) === upload) this.#open.delete(id);
      upload.dispose();
    }
  }

  /** The connection ended. */
  fail(reason: ReasonName): void {
    for (const upload of this.#open.values()) upload.fail(new HubwardError(reason));
    this.#open.clear();
  }
}
