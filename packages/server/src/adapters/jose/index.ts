/** `@hubward/server/jose`: authenticates JSON Web Tokens. */

export { jwt, type JwtAuthenticator } from "./jwt.js";
export { jwtDefaults, type JwtOptions } from "./options.js";
export type { Algorithm } from "./algorithms.js";
export { publicKey, sharedSecret, type KeyOptions, type KeySelector, type KeySource } from "./key-source.js";
export { localJwks, type JsonWebKeySet } from "./jwks.js";
export { spkiPem, type Jwk, type PublicKeyInput } from "./public-key.js";
export { base64urlSecret } from "./base64url.js";
export { VerificationKey } from "./verification-key.js";
