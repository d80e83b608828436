/** `@hubward/server/jose`: authenticates JSON Web Tokens. */

export { jwt, type JwtAuthenticator, type TokenAuthenticator } from "./jwt.js";
export { issuers } from "./issuers.js";
export { jwtDefaults, type JwtOptions } from "./options.js";
export type { ClientAudience } from "./option-checks.js";
export type { Algorithm } from "./algorithms.js";
export { publicKey, sharedSecret, type KeyOptions, type KeySelector, type KeySource } from "./key-source.js";
export { jwks } from "./remote-jwks.js";
export { discover } from "./discover.js";
export { remoteKeyDefaults, type RemoteKeyDefaults, type RemoteKeyOptions } from "./remote-key-options.js";
export {
  auth0,
  cognito,
  entra,
  keycloak,
  type ClientProviderOptions,
  type ProviderOptions,
  type ProviderRules,
} from "./providers.js";
export { introspection, type IntrospectionAuthenticator } from "./introspection/introspection.js";
export { hashToken } from "./token-hash.js";
export {
  introspectionDefaults,
  type IntrospectionClient,
  type IntrospectionDefaults,
  type IntrospectionOptions,
} from "./introspection/introspection-options.js";
export {
  backChannelLogout,
  backChannelLogoutDefaults,
  type BackChannelLogoutDefaults,
  type BackChannelLogoutOptions,
} from "./events/back-channel-logout.js";
export type { Logout } from "./events/logout-claims.js";
export { securityEvents } from "./events/security-events.js";
export {
  securityEventsDefaults,
  type SecurityEventsDefaults,
  type SecurityEventsOptions,
} from "./events/security-events-options.js";
export type {
  EventMessage,
  SecurityEvent,
  SecurityEventName,
  StreamVerification,
  UnknownSecurityEvent,
} from "./events/security-event.js";
export type { EventTarget, SecurityAction } from "../../core/auth/security-action.js";
export type { EventReceiver } from "./events/receive.js";
export { receiverDefaults, type ReceiverOptions } from "./events/receiver-options.js";
export { verifyDpopProof, type DpopProofInput } from "./dpop/dpop-proof.js";
export type { DpopVerdict, DpopVerifier } from "../../core/auth/dpop.js";
export { dpop, type DpopOptions } from "./dpop/dpop.js";
export { dpopNonces, type DpopNonceOptions, type DpopNonces } from "./dpop/dpop-nonces.js";
export {
  dpopReplays,
  type DpopReplayOptions,
  type DpopReplays,
  type DpopUse,
  type SpentProof,
} from "./dpop/dpop-replays.js";
export { localJwks, type JsonWebKeySet } from "./jwks.js";
export { spkiPem, type Jwk, type PublicKeyInput } from "./public-key.js";
export { base64urlSecret } from "./base64url.js";
export { VerificationKey } from "./verification-key.js";
