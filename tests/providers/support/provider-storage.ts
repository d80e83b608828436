/** What an OpenID provider remembers, outside the provider: it outlives a change of keys. Nothing here expires. */

import type { Adapter, AdapterConstructor, AdapterPayload } from "oidc-provider";

export function createProviderStorage(): AdapterConstructor {
  const stored = new Map<string, AdapterPayload>();

  return class implements Adapter {
    readonly #kind: string;

    constructor(kind: string) {
      this.#kind = kind;
    }

    #key(id: string): string {
      return `${this.#kind}:${id}`;
    }

    #findBy(matches: (payload: AdapterPayload) => boolean): AdapterPayload | undefined {
      return [...stored].find(([key, payload]) => key.startsWith(`${this.#kind}:`) && matches(payload))?.[1];
    }

    upsert(id: string, payload: AdapterPayload): Promise<void> {
      stored.set(this.#key(id), payload);
      return Promise.resolve();
    }

    find(id: string): Promise<AdapterPayload | undefined> {
      return Promise.resolve(stored.get(this.#key(id)));
    }

    findByUid(uid: string): Promise<AdapterPayload | undefined> {
      return Promise.resolve(this.#findBy((payload) => payload.uid === uid));
    }

    findByUserCode(): Promise<undefined> {
      return Promise.resolve(undefined);
    }

    consume(id: string): Promise<void> {
      const payload = stored.get(this.#key(id));
      if (payload !== undefined) stored.set(this.#key(id), { ...payload, consumed: Math.floor(Date.now() / 1000) });
      return Promise.resolve();
    }

    destroy(id: string): Promise<void> {
      stored.delete(this.#key(id));
      return Promise.resolve();
    }

    revokeByGrantId(grantId: string): Promise<void> {
      for (const [key, payload] of stored) if (payload.grantId === grantId) stored.delete(key);
      return Promise.resolve();
    }
  };
}
