/** A call as it came, with what came to be of it here. */

import { messageType, type InvocationMessage, type StreamInvocationMessage } from "@hubward/wire";
import type { CallQueue, QueuedCall } from "../core/dispatch/call-queue.js";
import type { Upload } from "../core/dispatch/upload.js";

export interface Invocation extends QueuedCall {
  readonly message: InvocationMessage | StreamInvocationMessage;
  readonly uploads: readonly Upload[];
}

/** Whether a stream with this id runs. A cancelled one is over for its caller, whatever its method still does. */
export function hasStream(calls: Pick<CallQueue<Invocation>, "running">, invocationId: string): boolean {
  for (const { message, control } of calls.running()) {
    const isMeant = message.type === messageType.streamInvocation && message.invocationId === invocationId;
    if (isMeant && !control.isCancelled) return true;
  }
  return false;
}
