/** Passwords at rest: scrypt (RFC 7914), a salt each. */

import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

export interface PasswordHash {
  readonly salt: Buffer;
  readonly key: Buffer;
}

export interface Passwords {
  hash(password: string): Promise<PasswordHash>;
  /** Whether it is the password. Without a hash the answer is no, and takes as long. */
  verify(password: string, hash: PasswordHash | undefined): Promise<boolean>;
}

/** 16 MiB and some 50 ms of one core each. */
const cost = { N: 16_384, r: 8, p: 1 } as const;
const saltBytes = 16;
const keyBytes = 32;

/**
 * At most so many at the same time: they share the process's four worker threads with file reads and with the
 * verification of tokens, which sign-ins must not starve.
 */
const maxRunning = 2;

export function createPasswords(): Passwords {
  const decoy: PasswordHash = { salt: randomBytes(saltBytes), key: randomBytes(keyBytes) };
  const waiting: (() => void)[] = [];
  let running = 0;

  async function derive(password: string, salt: Buffer): Promise<Buffer> {
    if (running >= maxRunning) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        scrypt(password.normalize("NFC"), salt, keyBytes, cost, (error, key) => (error ? reject(error) : resolve(key)));
      });
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  }

  return {
    async hash(password) {
      const salt = randomBytes(saltBytes);
      return { salt, key: await derive(password, salt) };
    },
    async verify(password, hash) {
      const { salt, key } = hash ?? decoy;
      const isEqual = timingSafeEqual(await derive(password, salt), key);
      return hash !== undefined && isEqual;
    },
  };
}
