/** Hashing as the core sees it: a port, because the core has no synchronous hash of its own. */

/** SHA-256 of a text's UTF-8 bytes, as base64url. Synchronous. */
export type Digest = (text: string) => string;
