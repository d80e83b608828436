/** Tokens for the reference server, which reads the claims and checks no signature. */

import type { TokenWishes } from "./run.js";

let issued = 0;

export function unsignedToken(subject: string, { roles = [], lifetime = 300 }: TokenWishes): Promise<string> {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + lifetime;
  return Promise.resolve(
    `${encode({ alg: "none" })}.${encode({ sub: subject, roles, exp, jti: `token-${++issued}` })}.unsigned`,
  );
}
