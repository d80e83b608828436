/** What stands for a token where the token itself must not. */

import { hash } from "node:crypto";

/** SHA-256 of the token's UTF-8 bytes as base64url: what memory and logs may hold in its place. */
export function hashToken(token: string): string {
  return hash("sha256", token, "base64url");
}
