/**
 * One connection's calls: begun in order, so many at a time as allowed, and the peer held back when it sends faster.
 * Streams, and calls that bring streams along, begin in the same order but take no turn: they may last for hours.
 * A call that asks a client gives its turn away.
 */

import type { HubwardError } from "@hubward/wire";
import type { Throttle } from "../connection/throttle.js";
import type { CallControl, Turns } from "./call-control.js";

/** What the queue knows of a call; the rest is its protocol's. */
export interface QueuedCall {
  readonly control: CallControl;
  /** Whether it counts against the calls that may run at the same time. */
  readonly takesTurn: boolean;
}

/** Runs one call to its end. Undefined when it ended at once. Never throws, never rejects. */
export type RunCall<C extends QueuedCall> = (call: C) => Promise<void> | undefined;

/** Calls that wait before the peer is held back; what one read already brought is still taken. */
const MAX_WAITING = 16;
/** Calls that may have given their turn away and not ended; one more keeps its turn. */
const MAX_WITHOUT_TURN = 64;

export class CallQueue<C extends QueuedCall> implements Turns {
  readonly #maxParallel: number;
  readonly #run: RunCall<C>;
  readonly #throttle: Throttle;
  #waiting: C[] | undefined;
  /** What runs and can be cancelled or told that the connection ended. */
  #live: Set<C> | undefined;
  /** What has not come to its first wait yet; more than one where a call gives its turn away at once. */
  readonly #starting: C[] = [];
  #running = 0;
  #withoutTurn = 0;
  #isOnHold = false;
  #isThrottling = false;

  constructor(maxParallel: number, run: RunCall<C>, throttle: Throttle) {
    this.#maxParallel = maxParallel;
    this.#run = run;
    this.#throttle = throttle;
  }

  /** Whether a call is being handled that holds up others. */
  get isBusy(): boolean {
    return this.#running > 0;
  }

  add(call: C): void {
    if (this.#mayStart(call) && (this.#waiting?.length ?? 0) === 0) return this.#start(call);
    const waiting = (this.#waiting ??= []);
    if (waiting.push(call) < MAX_WAITING || this.#isThrottling) return;
    this.#isThrottling = true;
    this.#throttle.hold();
  }

  give(): boolean {
    if (this.#withoutTurn >= MAX_WITHOUT_TURN) return false;
    this.#withoutTurn++;
    this.#running--;
    this.#startNext();
    return true;
  }

  /** Starts nothing until `release`. */
  hold(): void {
    this.#isOnHold = true;
  }

  release(): void {
    this.#isOnHold = false;
    this.#startNext();
  }

  /** The caller wants no answer any more. Calls that are not here are ignored: the answer may be on its way. */
  cancel(isMeant: (call: C) => boolean): void {
    for (const call of this.#live ?? []) if (isMeant(call)) call.control.cancel();
    for (const call of this.#waiting ?? []) if (isMeant(call)) call.control.cancel();
  }

  /** Calls that have begun and not ended. */
  running(): Iterable<C> {
    return this.#live ?? [];
  }

  /** Calls that run, or wait for their turn. */
  get size(): number {
    return (this.#live?.size ?? 0) + (this.#waiting?.length ?? 0);
  }

  /** Calls with streams, in either direction, whose method has not ended. */
  get streams(): number {
    let count = 0;
    for (const { takesTurn } of this.#live ?? []) if (!takesTurn) count++;
    return count;
  }

  /** Standing is lost for now: what waits is run to its refusal at once, whoever has the turn. */
  refuse(refusal: HubwardError): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const { control } of this.#begun()) control.stop(refusal);
    for (const call of waiting ?? []) {
      call.control.stop(refusal);
      void this.#run(call);
    }
    this.#startNext();
  }

  /** Another principal: may what runs go on? */
  judgeAgain(): void {
    for (const { control } of this.#begun()) control.judgeAgain();
  }

  /** Resolves when it is known of all that run whether they may go on. */
  get judging(): Promise<unknown> | undefined {
    const asked = Array.from(this.#live ?? [], ({ control }) => control.judging).filter((each) => each !== undefined);
    return asked.length === 0 ? undefined : Promise.all(asked);
  }

  /** The connection ended: forgets what waits, and tells what runs. */
  clear(): void {
    this.#waiting = undefined;
    for (const { control } of this.#begun()) control.cancel();
  }

  #begun(): readonly C[] {
    return [...(this.#live ?? []), ...this.#starting];
  }

  #mayStart({ takesTurn }: C): boolean {
    return !this.#isOnHold && (!takesTurn || this.#running < this.#maxParallel);
  }

  #start(call: C): void {
    // Before it runs: it may give its turn away at once.
    if (call.takesTurn) this.#running++;
    this.#starting.push(call);
    const ending = this.#run(call);
    this.#starting.pop();
    if (ending === undefined) return this.#takeBack(call);
    const live = (this.#live ??= new Set());
    live.add(call);
    const over = (): void => {
      live.delete(call);
      this.#takeBack(call);
      this.#startNext();
    };
    ending.then(over, over);
  }

  #takeBack({ takesTurn, control }: C): void {
    if (!takesTurn) return;
    if (control.hasGivenTurn) this.#withoutTurn--;
    else this.#running--;
  }

  #startNext(): void {
    for (;;) {
      const next = this.#waiting?.[0];
      if (next === undefined || !this.#mayStart(next)) break;
      this.#waiting?.shift();
      this.#start(next);
    }
    if (!this.#isThrottling || (this.#waiting?.length ?? 0) > MAX_WAITING / 2) return;
    this.#isThrottling = false;
    this.#throttle.release();
  }
}
