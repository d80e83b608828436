/** Calls of the server that this client has yet to answer. */

import { HubwardError, type CompletionMessage, type ReasonName } from "@hubward/wire";
import type { Clock } from "../core/clock.js";
import type { InvokeOptions } from "../core/connection/protocol-handler.js";
import { ClientError } from "../core/errors.js";

/** Calls that one client may leave unanswered at a time. */
const MAX_PENDING = 64;

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

export class ClientResults {
  readonly #clock: Pick<Clock, "after">;
  readonly #pending = new Map<string, Pending>();
  #lastId = 0;

  constructor(clock: Pick<Clock, "after">) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#pending.size;
  }

  /**
   * Sends a call with an id of its own and waits for the answer.
   * @throws (rejects with) ClientError; HubwardError too_many_inflight | upstream_timeout | why the connection ended;
   * the signal's reason; what `send` throws
   */
  ask(send: (id: string) => void, { timeoutMs, signal }: InvokeOptions): Promise<unknown> {
    if (this.#pending.size >= MAX_PENDING) return Promise.reject(new HubwardError("too_many_inflight"));
    const id = `s${++this.#lastId}`;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#pending.delete(id);
        timer.cancel();
        signal?.removeEventListener("abort", onAbort);
      };
      const fail = (error: unknown): void => {
        settle();
        reject(error instanceof Error ? error : new Error("the call was aborted", { cause: error }));
      };
      const onAbort = (): void => fail(signal?.reason);
      const timer = this.#clock.after(timeoutMs, () => fail(new HubwardError("upstream_timeout")));
      this.#pending.set(id, {
        resolve(result) {
          settle();
          resolve(result);
        },
        reject: fail,
      });
      signal?.addEventListener("abort", onAbort);
      try {
        send(id);
      } catch (error) {
        fail(error);
      }
    });
  }

  /** False when nothing with this id was asked of this client. */
  complete({ invocationId, outcome }: CompletionMessage): boolean {
    const pending = this.#pending.get(invocationId);
    if (pending === undefined) return false;
    if (outcome.kind === "error") pending.reject(new ClientError(outcome.error));
    else pending.resolve(outcome.kind === "value" ? outcome.value : undefined);
    return true;
  }

  /** The connection ended: nobody will answer. */
  fail(reason: ReasonName): void {
    for (const pending of Array.from(this.#pending.values())) pending.reject(new HubwardError(reason));
  }
}
