/**
 * Many people with tokens of any lifetime, some of whom bring the next one in time, while events never cease. What
 * leaves for whom is read from the writes of the server's sockets, at the server's time: outside everything that is to
 * see to it.
 */

import type { Socket } from "node:net";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { runWard, type Live, type Ward } from "./refreshing.js";

interface Person {
  /** Of the first token. Seconds. */
  readonly lifetime: number;
  /** Whether its client has shown that it can refresh, and so is waited for. */
  readonly isAware: boolean;
  /** Seconds after the first token's end at which the next one comes; negative: before. */
  readonly refreshesAt: number | undefined;
  readonly isInBand: boolean;
  readonly keepsRole: boolean;
}

/** From then on it may see what is told, until then. */
interface Span {
  readonly from: number;
  readonly until: number;
}

interface Member {
  readonly person: Person;
  readonly live: Live;
  readonly endsAt: number;
  readonly spans: Span[];
  /** What was written to its socket: when, and which readings. */
  readonly written: { readonly at: number; readonly reading: number }[];
  /** How many of them when a token without the role took the place of the first. */
  writtenAtLoss: number | undefined;
  isOver: boolean;
}

const SECOND = 1_000;
const ROUNDS = 45;
const EVENT = /"target":"vitals","arguments":\[(\d+)\]/g;

const people = fc.array(
  fc.record({
    lifetime: fc.integer({ min: 12, max: 30 }),
    isAware: fc.boolean(),
    refreshesAt: fc.option(fc.integer({ min: -8, max: 14 }), { nil: undefined }),
    isInBand: fc.boolean(),
    keepsRole: fc.boolean(),
  }),
  { minLength: 15, maxLength: 30 },
);

/** By the client's port, which its socket at the server knows it by. */
function watchWrites({ server, clock }: Ward): Map<number, Member["written"]> {
  const written = new Map<number, Member["written"]>();
  server.on("connection", (socket: Socket) => {
    const list: Member["written"] = [];
    written.set(socket.remotePort ?? 0, list);
    const write = socket.write;
    socket.write = function (this: Socket, ...args: unknown[]): boolean {
      const [chunk] = args;
      const text = typeof chunk === "string" ? chunk : Buffer.from(chunk as Uint8Array).toString("latin1");
      for (const [, reading] of text.matchAll(EVENT)) list.push({ at: clock.now(), reading: Number(reading) });
      return Reflect.apply(write, this, args) as boolean;
    } as typeof socket.write;
  });
  return written;
}

async function enter(
  ward: Ward,
  person: Person,
  index: number,
  writes: Map<number, Member["written"]>,
): Promise<Member> {
  const { clock, enter: open } = ward;
  const from = clock.now();
  const live = await open(`person-${index}`, { lifetime: person.lifetime, roles: ["icu"] });
  if (person.isAware) await live.socket.invoke("aware", "hubward.notices");
  await live.socket.invoke("watch", "Watch");
  const endsAt = from + person.lifetime * SECOND;
  const written = writes.get(live.socket.socket.localPort ?? 0) ?? [];
  return { person, live, endsAt, spans: [{ from, until: endsAt }], written, writtenAtLoss: undefined, isOver: false };
}

/** Whether the next token was taken. */
async function refresh(ward: Ward, { person, live }: Member, subject: string): Promise<boolean> {
  const token = await ward.token(subject, { lifetime: 300, roles: person.keepsRole ? ["icu"] : [] });
  if (!person.isInBand) return (await ward.refresh(live.id, token)).status === 200;
  const answer = await Promise.race([
    live.socket.invoke("renew", "hubward.reauthenticate", token),
    live.socket.closed.then(() => undefined),
  ]);
  return answer !== undefined && answer["error"] === undefined;
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function observe(crowd: readonly Person[]): Promise<void> {
  const ward = await runWard();
  const writes = watchWrites(ward);
  const members = await Promise.all(crowd.map((person, index) => enter(ward, person, index, writes)));
  for (const member of members) void member.live.socket.closed.then(() => (member.isOver = true));
  let reading = 0;
  for (let round = 0; round < ROUNDS; round++) {
    // On its way when the second ends, which for some is the last.
    ward.tell(++reading);
    ward.clock.advance(SECOND);
    ward.tell(++reading);
    await turns();
    const now = ward.clock.now();
    for (const [index, member] of members.entries()) {
      const { refreshesAt, keepsRole } = member.person;
      if (refreshesAt === undefined || member.isOver || now !== member.endsAt + refreshesAt * SECOND) continue;
      if (!(await refresh(ward, member, `person-${index}`))) continue;
      if (keepsRole) member.spans.push({ from: now, until: now + 300 * SECOND });
      else member.writtenAtLoss = member.written.length;
    }
  }
  await turns();
  for (const member of members) check(member, reading);
  expect(members.some(({ written }) => written.length > 0)).toBe(true);
}

function check({ person, endsAt, spans, written, writtenAtLoss, isOver }: Member, told: number): void {
  const readings = written.map(({ reading }) => reading);
  expect(readings).toEqual([...readings].sort((a, b) => a - b));
  expect(new Set(readings).size).toBe(readings.length);
  const late = written.filter(({ at }) => !spans.some(({ from, until }) => at >= from && at < until));
  expect({ person, endsAt, late }).toEqual({ person, endsAt, late: [] });
  if (writtenAtLoss !== undefined) expect(written).toHaveLength(writtenAtLoss);
  // Who was in time and may still see it has missed nothing, held back or not.
  if (spans.length === 2) expect({ isOver, count: readings.length }).toEqual({ isOver: false, count: told });
  const isInTime = person.refreshesAt !== undefined && person.refreshesAt < (person.isAware ? 10 : 0);
  expect(spans.length === 2).toBe(isInTime && person.keepsRole);
}

test("nobody is sent an event after the end of their token, and who refreshes in time misses none", async () => {
  await fc.assert(fc.asyncProperty(people, observe), { numRuns: 4 });
}, 60_000);
