/**
 * One connection's calls: begun in order, so many at a time as allowed, and the peer held back when it sends faster.
 * Streams, and calls that bring streams along, begin in the same order but take no turn: they may last for hours.
 * A call that asks a client gives its turn away.
 */

import type { HubwardError, InvocationMessage, StreamInvocationMessage } from "@hubward/wire";
import type { CallControl, Turns } from "../core/dispatch/call-control.js";
import type { Upload } from "../core/dispatch/upload.js";
import type { Throttle } from "./throttle.js";

/** A call as it came, with what came to be of it here. */
export interface Invocation {
  readonly message: InvocationMessage | StreamInvocationMessage;
  readonly control: CallControl;
  readonly uploads: readonly Upload[];
  /** Whether it counts against the calls that may run at the same time. */
  readonly takesTurn: boolean;
}

/** Runs one call to its end. Undefined when it ended at once. Never throws, never rejects. */
export type RunInvocation = (invocation: Invocation) => Promise<void> | undefined;

/** Calls that wait before the peer is held back; what one read already brought is still taken. */
const MAX_WAITING = 16;
/** Calls that may have given their turn away and not ended; one more keeps its turn. */
const MAX_WITHOUT_TURN = 64;

export class Invocations implements Turns {
  readonly #maxParallel: number;
  readonly #run: RunInvocation;
  readonly #throttle: Throttle;
  #waiting: Invocation[] | undefined;
  /** What runs and can be cancelled or told that the connection ended. */
  #live: Set<Invocation> | undefined;
  /** What has not come to its first wait yet; more than one where a call gives its turn away at once. */
  readonly #starting: Invocation[] = [];
  #running = 0;
  #withoutTurn = 0;
  #isOnHold = false;
  #isThrottling = false;

  constructor(maxParallel: number, run: RunInvocation, throttle: Throttle) {
    this.#maxParallel = maxParallel;
    this.#run = run;
    this.#throttle = throttle;
  }

  /** Whether a call is being handled that holds up others. */
  get isBusy(): boolean {
    return this.#running > 0;
  }

  add(invocation: Invocation): void {
    if (this.#mayStart(invocation) && (this.#waiting?.length ?? 0) === 0) return this.#start(invocation);
    const waiting = (this.#waiting ??= []);
    if (waiting.push(invocation) < MAX_WAITING || this.#isThrottling) return;
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

  /** The caller wants no answer any more. Unknown ids are ignored: the answer may be on its way. */
  cancel(invocationId: string): void {
    const isMeant = ({ message }: Invocation): boolean => message.invocationId === invocationId;
    for (const invocation of this.#live ?? []) if (isMeant(invocation)) invocation.control.cancel();
    for (const invocation of this.#waiting ?? []) if (isMeant(invocation)) invocation.control.cancel();
  }

  /** Whether a stream with this id runs. A cancelled one is over for its caller, whatever its method still does. */
  hasStream(invocationId: string): boolean {
    for (const { message, control } of this.#live ?? [])
      if (message.invocationId === invocationId && message.type === 4 && !control.isCancelled) return true;
    return false;
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
    for (const invocation of waiting ?? []) {
      invocation.control.stop(refusal);
      void this.#run(invocation);
    }
    this.#startNext();
  }

  /** Another principal: may what runs go on? */
  judgeAgain(): void {
    for (const { control } of this.#begun()) control.judgeAgain();
  }

  /** The connection ended: forgets what waits, and tells what runs. */
  clear(): void {
    this.#waiting = undefined;
    for (const { control } of this.#begun()) control.cancel();
  }

  #begun(): readonly Invocation[] {
    return [...(this.#live ?? []), ...this.#starting];
  }

  #mayStart({ takesTurn }: Invocation): boolean {
    return !this.#isOnHold && (!takesTurn || this.#running < this.#maxParallel);
  }

  #start(invocation: Invocation): void {
    // Before it runs: it may give its turn away at once.
    if (invocation.takesTurn) this.#running++;
    this.#starting.push(invocation);
    const ending = this.#run(invocation);
    this.#starting.pop();
    if (ending === undefined) return this.#takeBack(invocation);
    const live = (this.#live ??= new Set());
    live.add(invocation);
    const over = (): void => {
      live.delete(invocation);
      this.#takeBack(invocation);
      this.#startNext();
    };
    ending.then(over, over);
  }

  #takeBack({ takesTurn, control }: Invocation): void {
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
