/** Random schedules: what clients, the application, the network and time do to a server, in any order. */

import type { CredentialFacts } from "./history.js";
import type { Peer } from "./peer.js";
import { changeRights, rechecking, revoking } from "./revocations.js";
import { TENANTS, WARDS } from "./ward-app.js";
import type { AttachOptions, World } from "./world.js";

type Step = (world: World) => void | Promise<void>;

export interface ScheduleOptions {
  readonly steps: number;
  /** Connections there are before the first step. */
  readonly crowd: number;
  /** Steps beyond these, with their weights. */
  readonly further?: Readonly<Record<string, { readonly weight: number; readonly step: Step }>> | undefined;
}

/** Runs one schedule to its end. */
export async function runSchedule(world: World, { steps, crowd, further = {} }: ScheduleOptions): Promise<void> {
  const { choices } = world;
  const all: Readonly<Record<string, { readonly weight: number; readonly step: Step }>> = {
    ...ordinary,
    ...revoking,
    ...rechecking,
    ...further,
  };
  await world.ward.app.ready();
  const weights = Object.fromEntries(Object.entries(all).map(([name, { weight }]) => [name, weight]));
  for (let count = 0; count < crowd; count++) {
    void arrive(world);
    if (count % 10 === 0) await world.settle();
  }
  await world.settle();
  world.endTurns();
  for (let count = 0; count < steps; count++) {
    await all[choices.weighted(weights)]?.step(world);
    // Often several things happen before any promise settles.
    if (choices.chance(0.6)) await world.settle();
    if (choices.chance(0.3)) world.clock.endTurn();
  }
  await wind(world);
}

/** Lets everything that was begun come to its end, the last graces too. */
export async function wind(world: World): Promise<void> {
  world.hurry();
  for (let count = 0; count < 40; count++) {
    await world.settle();
    world.endTurns();
    for (const { socket, isThere } of world.peers) if (isThere) while (socket?.confirm() === true);
    world.clock.advance(500);
  }
}

async function arrive(world: World): Promise<void> {
  const { choices } = world;
  const how = choices.oneOf(ways);
  settleIn(world, await world.connect({}, how.transport === "WebSockets" && choices.chance(0.4), how));
}

const ways: readonly AttachOptions[] = [
  { transport: "WebSockets" },
  { transport: "WebSockets" },
  { transport: "WebSockets", encoding: "messagepack" },
  { transport: "ServerSentEvents" },
  { transport: "LongPolling" },
  { transport: "LongPolling", encoding: "messagepack" },
  { transport: "Rooms" },
  { transport: "Rooms" },
];

/**
 * Takes as long to connect as it may, by either attempt of its ticket, with the ticket or the token, and is judged again
 * meanwhile. Whoever else is there may not outlast it.
 */
export async function arriveLate(world: World): Promise<void> {
  const { choices } = world;
  // What was said before is on its way by then.
  const pass = (ms: number): void => {
    world.endTurns();
    world.clock.advance(ms);
  };
  const { token, facts } = world.issue({ livesMs: 200_000 });
  const first = await world.negotiate(token);
  const ticket = first?.accessToken;
  if (first === undefined || ticket === undefined) return;
  void changeRights(world, facts);
  pass(choices.between(20_000, 29_999));
  const second = await world.negotiate(ticket);
  pass(choices.between(0, 25_000));
  void changeRights(world, { ...facts, subject: "somebody-else" });
  const attempt = choices.chance(0.8) ? (second ?? first) : first;
  const shown = choices.chance(0.8) ? token : undefined;
  const peer = await world.attach(attempt, facts, ticket, { shakesHands: false, token: shown });
  pass(choices.between(0, 14_000));
  peer?.shakeHands();
  settleIn(world, peer);
}

/** With a token that was used before, and may have been revoked since. */
export async function arriveAgain(world: World): Promise<void> {
  const tokens = Array.from(world.issued.keys()).slice(-60);
  if (tokens.length > 0)
    settleIn(world, await world.connectWith(world.choices.oneOf(tokens), false, world.choices.oneOf(ways)));
}

function settleIn(world: World, peer: Peer | undefined): void {
  const { choices } = world;
  if (peer === undefined) return;
  if (choices.chance(0.5)) peer.call("hubward.notices");
  for (const ward of WARDS) if (choices.chance(0.6)) join(world, peer, ward);
}

/** Joins each peer has asked for: one that is asked for behind a leave may come to be before its answer does. */
const joins = new WeakMap<Peer, number>();

function join(world: World, peer: Peer, ward: string): void {
  joins.set(peer, (joins.get(peer) ?? 0) + 1);
  world.history.record({ type: "joining", connection: peer.name, ward });
  peer.call("Join", [ward]);
}

function leave(world: World, peer: Peer, ward: string): void {
  const before = joins.get(peer);
  peer.call("Leave", [ward], (message) => {
    if (!("error" in message) && joins.get(peer) === before)
      world.history.record({ type: "left", connection: peer.name, ward });
  });
}

/** Somebody who has a socket, or had one. */
function anyone(world: World): Peer | undefined {
  const there = world.choices.chance(0.8) ? world.peers.filter(({ isThere }) => isThere) : world.peers;
  return there.length === 0 ? undefined : world.choices.oneOf(there);
}

function withPeer(run: (peer: Peer, world: World) => void | Promise<void>): Step {
  return (world) => {
    const peer = anyone(world);
    if (peer?.isThere === true) return run(peer, world);
  };
}

/** A credential for somebody who is here: mostly their own, later and with other rights; sometimes not. */
function nextCredential(world: World, peer: Peer): { token: string; facts: CredentialFacts } {
  const { choices } = world;
  const { subject, tenant, sessionId } = peer.credential;
  const draw = choices.fraction();
  if (draw < 0.05) return world.issue({ subject: "somebody-else", tenant });
  if (draw < 0.1) return world.issue({ subject, tenant: tenant === "annex" ? "general" : "annex" });
  if (draw < 0.2) return world.issue({ subject, tenant, livesMs: 1_000 });
  const rights = { wards: WARDS.filter(() => choices.chance(0.5)), livesMs: choices.between(20, 200) * 1000 };
  if (draw < 0.4) return world.issue({ subject, tenant, ...rights });
  return world.issue({ subject, tenant, sessionId, ...rights });
}

const ordinary: Readonly<Record<string, { readonly weight: number; readonly step: Step }>> = {
  arrive: { weight: 9, step: (world) => void arrive(world) },
  "arrive again": { weight: 6, step: (world) => void arriveAgain(world) },
  "one ticket, two transports": { weight: 2, step: (world) => void raceForTicket(world) },
  "a ticket used again": {
    weight: 1,
    step: withPeer((peer, world) => void useTicketAgain(world, peer)),
  },
  "go away": { weight: 2, step: withPeer((peer) => peer.loses(true)) },
  "lose the network": { weight: 2, step: withPeer((peer) => peer.loses(false)) },
  "come back": {
    weight: 4,
    step: (world) => {
      const peer = anyone(world);
      if (peer?.isResumable === true && peer.isAttached && !peer.isThere && !peer.isEnded) void resume(world, peer);
    },
  },
  WhoAmI: { weight: 8, step: withPeer((peer) => peer.call("WhoAmI")) },
  Later: { weight: 6, step: withPeer((peer) => peer.call("Later")) },
  Watch: { weight: 3, step: withPeer((peer) => peer.call("Watch")) },
  Join: { weight: 6, step: withPeer((peer, world) => join(world, peer, world.choices.oneOf(WARDS))) },
  Leave: { weight: 2, step: withPeer((peer, world) => leave(world, peer, world.choices.oneOf(WARDS))) },
  Order: {
    weight: 5,
    step: withPeer((peer, { choices }) => {
      const command = `command-${choices.between(1, 5)}`;
      // Sent again by whoever is not sure that it arrived.
      for (let sent = 0; sent < choices.between(1, 3); sent++) peer.call("Order", [command]);
    }),
  },
  Tell: { weight: 6, step: withPeer((peer, world) => peer.call("Tell", [world.choices.oneOf(WARDS)])) },
  TellAll: { weight: 1, step: withPeer((peer) => peer.call("TellAll")) },
  "vitals of a ward": {
    weight: 14,
    step: (world) => {
      const ward = world.choices.oneOf(WARDS);
      const tenant = world.choices.oneOf(TENANTS);
      const { app, ward: group } = world.ward;
      const count = world.choices.between(1, 3);
      for (let each = 0; each < count; each++) app.tenant(tenant).to(group(ward)).emit("vitals", { tenant, ward });
    },
  },
  "a word to a hospital": {
    weight: 2,
    step: (world) => {
      const tenant = world.choices.oneOf(TENANTS);
      world.ward.app.tenant(tenant).toAll().emit("word", { tenant });
    },
  },
  "a word to a person": {
    weight: 4,
    step: (world) => {
      const tenant = world.choices.oneOf(TENANTS);
      const subject = anyone(world)?.credential.subject ?? "nobody";
      world.ward.app.tenant(tenant).toPrincipal({ subject }).emit("word", { tenant });
    },
  },
  "a word to everybody": {
    weight: 1,
    step: (world) => world.ward.app.everyTenant().toAll().emit("word", { tenant: "*" }),
  },
  "re-authenticate in band": {
    weight: 14,
    step: withPeer((peer, world) => {
      const { token, facts } = nextCredential(world, peer);
      peer.reauthenticate(facts, token);
    }),
  },
  "re-authenticate over HTTP": {
    weight: 12,
    step: (world) => {
      const peer = anyone(world);
      if (peer === undefined) return;
      const { token, facts } = nextCredential(world, peer);
      void world.refresh(peer, facts, token);
    },
  },
  notices: { weight: 2, step: withPeer((peer) => peer.call("hubward.notices")) },
  stall: { weight: 5, step: withPeer(({ socket }) => socket?.stall()) },
  unstall: { weight: 5, step: withPeer(({ socket }) => socket?.unstall()) },
  confirm: { weight: 8, step: withPeer(({ socket }) => void socket?.confirm()) },
  "the turn ends": { weight: 15, step: (world) => world.endTurns() },
  "what took its time goes on": { weight: 14, step: (world) => void world.goOn() },
  "a moment": { weight: 10, step: (world) => world.clock.advance(world.choices.between(0, 400)) },
  "some seconds": { weight: 4, step: (world) => world.clock.advance(world.choices.between(500, 6_000)) },
  "the loop stands still": { weight: 2, step: (world) => world.block(world.choices.between(1, 20_000)) },
  "the wall clock is stepped": {
    weight: 1,
    step: (world) => world.clock.stepWallClock(world.choices.between(-20_000, 20_000)),
  },
};

async function raceForTicket(world: World): Promise<void> {
  const { choices } = world;
  const { token, facts } = world.issue();
  const first = await world.negotiate(token);
  const ticket = first?.accessToken;
  if (first === undefined || ticket === undefined) return;
  // The stock client's way: the ticket as bearer adds a connection token to the same attempt.
  const second = await world.negotiate(ticket);
  const attempts = second === undefined ? [first] : [first, second];
  if (choices.chance(0.3)) world.clock.advance(choices.between(0, 31_000));
  const peers = await Promise.all(
    attempts.map((attempt) => world.attach(attempt, facts, ticket, { shakesHands: choices.chance(0.5) })),
  );
  for (const peer of peers) if (peer?.isThere === true && !peer.isAttached) peer.shakeHands();
}

async function useTicketAgain(world: World, peer: Peer): Promise<void> {
  const again = await world.negotiate(peer.ticket);
  if (again !== undefined) await world.attach(again, peer.cameWith, peer.ticket);
}

async function resume(world: World, peer: Peer): Promise<void> {
  if (await world.resume(peer)) peer.resumeAt(world.choices.between(1, 8));
}
