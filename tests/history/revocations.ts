/** What a schedule takes back: revocations, their lifts, claims that changed, and people judged again. */

import type { CredentialFacts, Target } from "./history.js";
import type { Peer } from "./peer.js";
import type { World } from "./world.js";
import { TENANTS, WARDS } from "./ward-app.js";

/** Where it happens: a world, or a server with real sockets. */
export type Grounds = Pick<World, "ward" | "history" | "choices" | "directory" | "idOf" | "isDraining"> & {
  readonly clock: { now(): number; after(delayMs: number, run: () => void): unknown };
  readonly peers: readonly Pick<Peer, "name" | "credential" | "isThere">[];
};

type Steps = Readonly<Record<string, { readonly weight: number; readonly step: (world: Grounds) => void }>>;

let revocations = 0;
let rechecks = 0;
/** What is suspended, or about to be: a second suspension of the same would be lifted with the first. */
const suspended = new WeakMap<Grounds, Set<string>>();

export const revoking: Steps = {
  "revoke a token": { weight: 1.5, step: revokeSomebodys(({ id }) => ({ type: "token", tokenId: id })) },
  "revoke a session": { weight: 2, step: revokeSomebodys(({ sessionId }) => ({ type: "session", sessionId })) },
  "revoke a connection": {
    weight: 1.5,
    step: revokeSomebodys((_facts, { name }) => ({ type: "connection", connection: name })),
  },
  "revoke what was issued until now": {
    weight: 0.5,
    step: (world) => {
      const facts = somebody(world)?.credential;
      if (facts === undefined) return;
      const { subject, tenant } = facts;
      void revoke(world, { type: "issued-before", before: world.clock.now(), subject, tenant });
    },
  },
  "suspend a person": {
    weight: 1,
    step: revokeSomebodys(({ subject, tenant }) => ({ type: "identity", subject, tenant }), { isLifted: true }),
  },
  "suspend a hospital": {
    weight: 0.15,
    step: (world) => void revoke(world, { type: "tenant", tenant: world.choices.oneOf(TENANTS) }, { isLifted: true }),
  },
  "suspend a client": {
    weight: 0.15,
    step: (world) => void revoke(world, { type: "client", clientId: "ward-page" }, { isLifted: true }),
  },
  "claims have changed": {
    weight: 1,
    step: (world) => {
      const facts = somebody(world)?.credential;
      if (facts !== undefined) void requireReauthentication(world, facts);
    },
  },
};

export const rechecking: Steps = {
  "a role is lost": {
    weight: 4,
    step: (world) => {
      const facts = somebody(world)?.credential;
      if (facts !== undefined) void changeRights(world, facts);
    },
  },
};

function somebody(world: Grounds): Grounds["peers"][number] | undefined {
  const { choices, peers } = world;
  if (peers.length === 0) return undefined;
  const isChosen = choices.chance(0.8) ? ({ isThere }: { readonly isThere: boolean }) => isThere : () => true;
  // Looked for from somewhere on: there may be thousands.
  const from = choices.between(0, peers.length - 1);
  for (let step = 0; step < peers.length; step++) {
    const peer = peers[(from + step) % peers.length];
    if (peer !== undefined && isChosen(peer)) return peer;
  }
  return undefined;
}

function revokeSomebodys(
  targetOf: (facts: CredentialFacts, peer: Pick<Peer, "name">) => Target,
  how: { readonly isLifted?: boolean } = {},
): (world: Grounds) => void {
  return (world) => {
    const peer = somebody(world);
    if (peer !== undefined) void revoke(world, targetOf(peer.credential, peer), how);
  };
}

/** Asks for it and writes down its acknowledgement; one that stands until it is lifted is, some time later. */
export async function revoke(
  world: Grounds,
  target: Target,
  { isLifted = false }: { readonly isLifted?: boolean } = {},
): Promise<void> {
  const id = `revocation-${++revocations}`;
  const { app } = world.ward;
  if (isLifted) {
    const known = suspended.get(world) ?? new Set();
    suspended.set(world, known);
    if (known.has(JSON.stringify(target))) return;
    known.add(JSON.stringify(target));
  }
  try {
    await ask(world, target);
  } catch (error) {
    if (world.ward.app === app && !world.isDraining) throw error;
    return;
  }
  // An acknowledgement from a process that has died reached nobody.
  if (world.ward.app !== app) return;
  world.history.record({ type: "revoked", id, target });
  if (!isLifted) return;
  world.clock.after(world.choices.between(500, 8_000), () => void lift(world, id, target));
}

function ask(world: Grounds, target: Target): Promise<unknown> {
  const { app } = world.ward;
  switch (target.type) {
    case "token":
      return app.revoke({ tokenId: target.tokenId });
    case "session":
      return app.revoke({ session: target.sessionId });
    case "client":
      return app.revoke({ client: target.clientId });
    case "key":
      return app.revoke({ keyId: target.keyId });
    case "tenant":
      return app.revoke({ tenant: target.tenant });
    case "connection":
      return app.revoke({ connection: world.idOf(target.connection) });
    case "identity":
      return app.tenant(target.tenant).revoke({ subject: target.subject });
    case "issued-before":
      return app.tenant(target.tenant).revoke({ issuedBefore: target.before, subject: target.subject });
  }
}

async function lift(world: Grounds, id: string, target: Target): Promise<void> {
  const { app } = world.ward;
  world.history.record({ type: "lifting", id });
  await orDrained(world, async () => {
    if (target.type === "identity") await app.tenant(target.tenant).lift({ subject: target.subject });
    else if (target.type === "tenant") await app.lift({ tenant: target.tenant });
    else if (target.type === "client") await app.lift({ client: target.clientId });
  });
  suspended.get(world)?.delete(JSON.stringify(target));
}

/** False where a process that ends has refused it. */
async function orDrained(world: Grounds, ask: () => Promise<unknown>): Promise<boolean> {
  const { app } = world.ward;
  try {
    await ask();
    return true;
  } catch (error) {
    if (world.ward.app === app && !world.isDraining) throw error;
    return false;
  }
}

async function requireReauthentication(world: Grounds, { subject, tenant }: CredentialFacts): Promise<void> {
  const { app } = world.ward;
  const before = world.clock.now();
  const isAcknowledged = await orDrained(world, () => app.tenant(tenant).requireReauthentication({ subject }));
  if (!isAcknowledged || world.ward.app !== app) return;
  const target = { type: "issued-before", before, subject, tenant } as const;
  world.history.record({ type: "revoked", id: `change-${++revocations}`, target, claimsChanged: true });
}

/** The directory gives somebody other wards, and the application has it judged. */
export async function changeRights(
  world: Grounds,
  { subject, tenant }: CredentialFacts,
  by: "subject" | "group" = world.choices.chance(0.6) ? "subject" : "group",
): Promise<void> {
  const wards = WARDS.filter(() => world.choices.chance(0.6));
  const attempt = ++rechecks;
  world.directory.set(`${tenant}/${subject}`, wards);
  world.history.record({ type: "changed", tenant, subject, wards });
  world.history.record({ type: "rechecking", tenant, subject, attempt });
  const { app, ward } = world.ward;
  const asked = app.tenant(tenant);
  // By whom it is about, or by all that it is about: whoever is in none of them may be about to join one.
  if (by === "subject") await asked.recheck({ subject });
  else await Promise.all(WARDS.map((name) => asked.recheck({ group: ward(name) })));
  if (world.ward.app === app) world.history.record({ type: "rechecked", tenant, subject, attempt });
}
