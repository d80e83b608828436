/** `@hubward/sessions`: login sessions for applications without an identity provider. */

export { createSessions, type Login, type Sessions } from "./sessions.js";
export {
  sessionsDefaults,
  type SessionDescription,
  type SessionListing,
  type SessionsOptions,
} from "./sessions-options.js";
export {
  exportSigningKey,
  generateSigningKey,
  importSigningKey,
  type PublicJwk,
  type PublicJwks,
  type SigningKey,
} from "./signing-key.js";
export { deriveRefreshKey, importRefreshKey } from "./refresh-token.js";
export { defaultMaxJsonBytes, readJson, type JsonReading } from "./read-json.js";
export {
  createMemorySessionStore,
  memorySessionStoreDefaults,
  type MemorySessionStoreOptions,
} from "./memory-session-store.js";
export type { Claims, SessionHolder, SessionStore, StoredSession } from "./session-store.js";
export type { SessionEnded } from "./session-life.js";
export type { EndReason, Family, FamilyEnd } from "./family.js";
export type { Clock } from "./clock.js";
