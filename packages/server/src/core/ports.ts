/** The ports an embedder may implement, published as `@hubward/server/ports`. */

export type { Clock, EpochMs, MonotonicMs, Timer } from "./clock.js";
export type { Random } from "./random.js";
export type { Authenticator } from "./auth/authenticator.js";
export type { Authentication } from "./auth/authentication.js";
export type { BearerCredential } from "./auth/credential.js";
export { Secret } from "./auth/secret.js";
