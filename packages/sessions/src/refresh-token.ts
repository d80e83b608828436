/**
 * Refresh tokens: `<session id>.<generation>.<mac>`. They are derived, never stored: the MAC (HMAC-SHA-256, 256
 * bits) under the server's own key is the secret part, and the same generation always has the same bytes. Only
 * one spelling of a token is genuine.
 */

import { createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from "node:crypto";

const keyBytes = 32;
const derivationLabel = "@hubward/sessions: refresh token key, version 1";
const macLabel = "@hubward/sessions: refresh token, version 1";

/** Longest text looked at: 22 for the id, at most 15 digits, 43 for the MAC, two dots. */
const maxTokenLength = 82;
const tokenPattern = /^([A-Za-z0-9_-]{22})\.(0|[1-9][0-9]{0,14})\.([A-Za-z0-9_-]{43})$/;

/** What a genuine token says. Holds no secret: the MAC is not part of it. */
export interface RefreshTokenContent {
  readonly sessionId: string;
  readonly generation: number;
}

/**
 * Derives the key of the refresh tokens from a secret of the application (HKDF-SHA-256, RFC 5869), so that the
 * same secret can serve other purposes. Whoever changes it signs everyone out.
 * @param secret random, at least 32 bytes; a text counts in UTF-8. A password is not enough: HKDF adds no strength.
 * @throws RangeError when it is shorter.
 */
export function deriveRefreshKey(secret: string | Uint8Array): KeyObject {
  const bytes = typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
  if (bytes.length < keyBytes) throw new RangeError("refresh secret: at least 32 random bytes");
  return createSecretKey(new Uint8Array(hkdfSync("sha256", bytes, new Uint8Array(), derivationLabel, keyBytes)));
}

/**
 * Takes a key as it is.
 * @throws RangeError unless it has exactly 32 bytes.
 */
export function importRefreshKey(bytes: Uint8Array): KeyObject {
  if (bytes.length !== keyBytes) throw new RangeError("refresh key: exactly 32 random bytes");
  return createSecretKey(bytes);
}

export function assertRefreshKey(key: KeyObject): void {
  if (key.type !== "secret" || key.symmetricKeySize !== keyBytes) {
    throw new TypeError("refreshKey: a key from deriveRefreshKey or importRefreshKey");
  }
}

/** Writes the token of one generation: always the same bytes. */
export function sealRefreshToken(key: KeyObject, { sessionId, generation }: RefreshTokenContent): string {
  const head = `${sessionId}.${generation}`;
  return `${head}.${mac(key, head)}`;
}

/** Reads a presented token, or returns undefined when this server never wrote it. Takes equally long for every MAC. */
export function openRefreshToken(key: KeyObject, text: string): RefreshTokenContent | undefined {
  if (text.length > maxTokenLength) return undefined;
  const [, sessionId, digits, presented] = tokenPattern.exec(text) ?? [];
  if (sessionId === undefined || digits === undefined || presented === undefined) return undefined;
  // The texts are compared, not the bytes they encode: base64url of 32 bytes has four spellings.
  const expected = mac(key, `${sessionId}.${digits}`);
  if (!timingSafeEqual(Buffer.from(presented, "latin1"), Buffer.from(expected, "latin1"))) return undefined;
  return { sessionId, generation: Number(digits) };
}

function mac(key: KeyObject, head: string): string {
  return createHmac("sha256", key).update(`${macLabel}\n${head}`).digest("base64url");
}
