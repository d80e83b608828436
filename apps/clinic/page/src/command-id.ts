/** Ids for a person's intents. */

/** 128 random bits as text. `crypto.randomUUID` exists on https and loopback only, so plain http has its own way. */
export function createCommandId(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
