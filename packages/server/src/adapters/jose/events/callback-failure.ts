/** What an application's callback threw, kept apart from what is wrong with a message: it says nothing about that. */

export class CallbackFailure extends Error {}

/** @throws CallbackFailure (rejects) with what the callback threw as its cause */
export async function guardCallback<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new CallbackFailure("a callback failed", { cause });
  }
}
