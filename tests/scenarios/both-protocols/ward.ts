/** One application, mounted twice: its wards are groups for hub clients and rooms for plain WebSockets. */

import {
  hasRole,
  HubError,
  HubwardError,
  type App,
  type GroupReference,
  type Policy,
  type Principal,
} from "@hubward/server";
import { createSeededRandom } from "@hubward/testing";
import { runApp, type RunningApp, type RunOptions } from "../../support/running-app.js";
import { text, word } from "../../support/schemas.js";
import type { TokenOptions } from "../../support/tokens.js";
import { hubProtocol, hubVariants } from "./hub-protocol.js";
import { Refused, type Ending, type Peer, type Protocol, type Visitor } from "./protocol.js";
import { COOKIE, HUB, PAGE, ROOMS } from "./places.js";
import { roomsProtocol, roomsVariants } from "./rooms-protocol.js";

/** Each once, as most clients speak it. */
export const protocols: readonly Protocol[] = [hubProtocol, roomsProtocol];

/** Each in every encoding and over every transport that it has. */
export const variants: readonly Protocol[] = [...protocols, ...hubVariants, ...roomsVariants];

type Staff = Principal<{ readonly ward: string }>;

/** What tests change while connections live. */
interface World {
  /** Who somebody is, other than their token says. `nobody`: unknown; `down`: the directory fails. */
  readonly directory: Map<string, readonly string[] | "nobody" | "down">;
  /** What the directory waits for, and how many have come there. */
  desk: Promise<void> | undefined;
  atDesk: number;
  /** Whether somebody belongs to a ward: the rule of its group. */
  rule: (principal: Staff, ward: string) => boolean | Promise<boolean>;
  /** How often it was asked. */
  asked: number;
  /** Orders that took effect: who, what. */
  readonly orders: string[];
  /** What an order waits for before it takes effect. */
  gate: Promise<void>;
  /** Orders that have begun. */
  begun: number;
  /** Who may give alarm and order; set once it is declared. */
  nurses: Policy<Staff> | undefined;
}

export interface Ward extends RunningApp<Staff>, World {
  ward(name: string): GroupReference<Staff>;
  /** Says something to a ward from outside any connection. */
  tell(ward: string, what: string): void;
  /** Lets time pass second by second, so that who is told something can answer meanwhile. */
  pass(seconds: number): Promise<void>;
  /** By default a nurse of the ICU, for five minutes. */
  token(subject?: string, options?: TokenOptions): Promise<string>;
  /** Cuts a peer's network and waits until the ward has noticed; over some transports only time shows it. */
  lose(peer: Peer): Promise<void>;
  /** @throws (rejects with) Refused */
  enter(protocol: Protocol, subject?: string, options?: TokenOptions): Promise<Peer>;
  knock(protocol: Protocol, visitor: Visitor): Promise<Peer>;
  /** How somebody is refused; `let in` where they are not. */
  refusal(protocol: Protocol, visitor: Visitor): Promise<Ending | "let in">;
}

function declare(app: App<Staff>, world: World): (name: string) => GroupReference<Staff> {
  const staff = app.policy("Staff", ({ principal }) => !principal.hasRole("visitor"));
  const nurses = app.policy("Nurses", hasRole("nurse"), { message: "nurses only" });
  world.nurses = nurses;
  const broken = app.policy("Broken", () => {
    throw new Error("the policy broke");
  });
  const gentle = app.policy("Gentle", (_context, what: string) => what === what.toLowerCase(), {
    message: "no shouting",
  });
  const ownWard = app.policy(
    "OwnWard",
    ({ principal }, name: string) => {
      world.asked++;
      return world.rule(principal, name);
    },
    {
      message: "another ward",
    },
  );
  const take = async (subject: string, what: string): Promise<string> => {
    world.begun++;
    await world.gate;
    if (what === "none") throw new HubError("out of stock");
    if (what === "poison") throw new Error("a secret of the pharmacy");
    world.orders.push(`${subject} ${what}`);
    return what;
  };
  /** Hands its signal to what it waits for, and lets through what comes of that. */
  const watch = (what: string, signal: AbortSignal): Promise<never> => {
    world.begun++;
    return new Promise<never>((_resolve, reject) => {
      const stopped = what === "broken" ? new Error("the monitor broke") : undefined;
      signal.addEventListener("abort", () => reject(stopped ?? signal.reason));
    });
  };
  const group = app
    .group("ward/{ward}", { ward: word })
    .allow(ownWard, ({ ward }) => ward)
    .room((room) =>
      room
        .publish("note", text, (draft) => draft.members())
        .publish("alarm", text, (draft) => draft.allow(nurses).allow(gentle, (what) => what))
        .publish("broken", text, (draft) => draft.allow(broken))
        .publish("watch", text, (draft) => draft.allow(nurses).handle((call, what) => watch(what, call.signal)))
        .publish("order", text, (draft) =>
          draft
            .allow(nurses)
            .once()
            .handle((call, what) => take(call.principal.subject, what)),
        ),
    );
  const ward = (name: string): GroupReference<Staff> => group({ ward: name });
  app.rooms(ROOMS, { queryToken: true }).allow(staff);
  app
    .hub(HUB)
    .allow(staff)
    .methods((m) => {
      const member = (call: { readonly groups: { has(group: GroupReference<Staff>): boolean } }, name: string) => {
        if (!call.groups.has(ward(name))) throw new HubwardError("not_member");
        return ward(name);
      };
      return {
        Join: m.args(text).handle((call, name) => call.groups.join(ward(name))),
        Leave: m.args(text).handle((call, name) => {
          if (!call.groups.leave(ward(name))) throw new HubwardError("not_member");
        }),
        note: m.args(text, text).handle((call, name, what) => call.to(member(call, name)).emit("note", what)),
        alarm: m
          .args(text, text)
          .allow(nurses)
          .allow(gentle, (_name, what) => what)
          .handle((call, name, what) => call.to(member(call, name)).emit("alarm", what)),
        broken: m
          .args(text, text)
          .allow(broken)
          .handle((call, name, what) => call.to(member(call, name)).emit("broken", what)),
        watch: m
          .args(text, text)
          .allow(nurses)
          .handle((call, _name, what) => watch(what, call.signal)),
        order: m
          .args(text, text, text)
          .allow(nurses)
          .once((_name, _what, id) => id)
          .handle(async (call, name, what) => {
            const group = member(call, name);
            call.to(group).emit("order", await take(call.principal.subject, what));
          }),
      };
    });
  return ward;
}

export async function runWard(options: RunOptions = {}): Promise<Ward> {
  const world: World = {
    directory: new Map(),
    desk: undefined,
    atDesk: 0,
    rule: (principal, name) => principal.ward === name,
    asked: 0,
    orders: [],
    gate: Promise.resolve(),
    begun: 0,
    nurses: undefined,
  };
  const declared: ReturnType<typeof declare>[] = [];
  const running = await runApp<{ readonly ward: string }>(
    ({ claims, subject }) => {
      const entry = world.directory.get(subject);
      if (entry === "nobody") return null;
      if (entry === "down") throw new Error("the directory is down");
      const found = { roles: entry ?? (claims["roles"] as readonly string[]), ward: String(claims["ward"]) };
      world.atDesk += world.desk === undefined ? 0 : 1;
      return world.desk === undefined ? found : world.desk.then(() => found);
    },
    (app) => declared.push(declare(app, world)),
    {
      authenticationRefresh: true,
      allowQueryToken: true,
      allowedOrigins: [PAGE],
      cookie: { name: COOKIE, insecureLoopback: true },
      // Time that passes at one stroke gives nobody a chance to answer meanwhile.
      clientTimeoutMs: 3_600_000,
      keepAliveMs: 3_600_000,
      outbox: { maxLagMs: 3_600_000 },
      random: createSeededRandom(11),
      ...options,
    },
  );
  const [ward] = declared;
  if (ward === undefined) throw new TypeError("nothing was declared");
  const { app, issuer, port } = running;
  const token: Ward["token"] = (subject = "ada", { roles = ["nurse"], claims, ...rest } = {}) =>
    issuer.token(subject, { roles, claims: { ward: "icu", ...claims }, ...rest });
  const knock: Ward["knock"] = (protocol, visitor) => protocol.connect(port, visitor);
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      running.clock.advance(1_000);
      for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return Object.assign(world, {
    ...running,
    ward,
    tell: (name: string, what: string) => app.to(ward(name)).emit("vitals", what),
    token,
    knock,
    pass,
    async lose(peer: Peer) {
      const closed = (): number => running.telemetry.items.filter(({ event }) => event === "connection.closed").length;
      const before = closed();
      peer.cut();
      while (closed() === before) await pass(1);
    },
    enter: async (protocol: Protocol, subject?: string, tokenOptions?: TokenOptions) =>
      knock(protocol, { token: await token(subject, tokenOptions) }),
    refusal: (protocol: Protocol, visitor: Visitor) =>
      knock(protocol, visitor).then(
        () => "let in" as const,
        (error: unknown) => {
          if (!(error instanceof Refused)) throw error;
          return { code: error.code, reason: error.reason };
        },
      ),
  }) as unknown as Ward;
}
