/** Every invariant has a fault that breaks it, planted in a part: a checker that misses one proves nothing. */

import { HubwardError } from "@hubward/wire";
import { createMemorySessionStore, type SessionStore } from "@hubward/sessions";
import { afterEach, describe, expect, test, vi } from "vitest";
import type * as TicketsModule from "../../packages/server/src/core/auth/tickets.js";
import { Connection } from "../../packages/server/src/core/connection/connection.js";
import { CredentialIndex } from "../../packages/server/src/core/connection/credential-index.js";
import { Outbox } from "../../packages/server/src/core/connection/outbox.js";
import { check, type Invariant } from "./check.js";
import { runRefreshes } from "./refreshes.js";
import { runWithRestarts, type PlantLog } from "./restarts.js";
import { runSchedule } from "./schedule.js";
import { World, type WorldOptions } from "./world.js";
import type { Plant } from "./ward-app.js";

const fault = vi.hoisted(() => ({ ticketsBindTwice: false }));

vi.mock("../../packages/server/src/core/auth/tickets.js", async (original) => {
  const module = await original<typeof TicketsModule>();
  return {
    ...module,
    createTickets: (...ports: Parameters<typeof module.createTickets>) => {
      const tickets = module.createTickets(...ports);
      const bind: typeof tickets.bind = (ticket, token) =>
        tickets.bind(ticket, token) === undefined && !fault.ticketsBindTwice ? undefined : [];
      return { ...tickets, bind };
    },
  };
});

vi.setConfig({ testTimeout: 60_000 });

afterEach(() => {
  vi.restoreAllMocks();
  fault.ticketsBindTwice = false;
});

/** Runs schedules until one of them shows something; what it shows. */
async function invariantsBroken(
  options: Omit<WorldOptions, "seed"> = {},
  schedules: number = 40,
): Promise<ReadonlySet<Invariant>> {
  for (let seed = 1; seed <= schedules; seed++) {
    const world = new World({ ...options, seed });
    await runSchedule(world, { steps: 300, crowd: 25 });
    const found = check(world.history.events);
    if (found.length > 0) return new Set(found.map(({ invariant }) => invariant));
  }
  return new Set();
}

/** Puts an authenticator in front of the real one that reports something else. */
function misreading(change: (said: { expiresAt: number; tenant: string | undefined }) => object): Plant {
  return (options) => ({
    ...options,
    authenticator: {
      ...options.authenticator,
      authenticate: async (credential) => {
        const said = await options.authenticator.authenticate(credential);
        return { ...said, ...change(said) };
      },
    },
  });
}

describe("the checker catches", () => {
  test("a revocation that is acknowledged and told to nobody", async () => {
    const { apply } = Connection.prototype;
    vi.spyOn(Connection.prototype, "apply").mockImplementation(function (this: Connection<unknown>, event) {
      if (event.type !== "revoked") apply.call(this, event);
    });
    expect(await invariantsBroken()).toContain("I1");
  });

  test("an index that does not hear of new credentials", async () => {
    vi.spyOn(CredentialIndex.prototype, "replaced").mockReturnValue();
    expect(await invariantsBroken()).toContain("I1");
  });

  test("a log that has lost an entry when it is read again", async () => {
    const forgetful: PlantLog = (log) => ({
      isDurable: true,
      append: (entry) => log.append(entry),
      subscribe: (listener) => log.subscribe(listener),
      close: () => log.close(),
      async read(after) {
        const page = await log.read(after);
        return { ...page, entries: page.entries.filter(({ number }) => number % 2 === 0) };
      },
    });
    const found = new Set<Invariant>();
    for (let seed = 1; seed <= 8 && found.size === 0; seed++) {
      const world = await runWithRestarts({ seed }, 300, forgetful);
      for (const { invariant } of check(world.history.events)) found.add(invariant);
    }
    expect(found).toEqual(new Set(["I3"]));
  });

  test("an outbox that forgets to evict", async () => {
    vi.spyOn(Outbox.prototype, "evict").mockReturnValue(0);
    expect(await invariantsBroken()).toContain("I2");
  });

  test("a verifier that believes in leeway", async () => {
    expect(
      await invariantsBroken({ plant: misreading(({ expiresAt }) => ({ expiresAt: expiresAt + 30_000 })) }),
    ).toContain("I4");
  });

  test("a gate that does not look at the time", async () => {
    vi.spyOn(Connection.prototype, "due").mockReturnValue();
    vi.spyOn(Connection.prototype, "refusal").mockImplementation(function (this: Connection<unknown>) {
      return this.isActive ? undefined : new HubwardError("not_found");
    });
    expect(await invariantsBroken()).toContain("I4");
  });

  test("an outbox that writes what was queued before the end of the credential", async () => {
    const { flush } = Outbox.prototype;
    vi.spyOn(Outbox.prototype, "flush").mockImplementation(function (this: Outbox, instant) {
      this.renew(undefined);
      flush.call(this, instant);
    });
    expect(await invariantsBroken()).toContain("I4");
  });

  test("a grace that is longer than was promised", async () => {
    expect(await invariantsBroken({ options: { graceMs: 30_000 } })).toContain("I4");
  });

  test("a verifier that takes one tenant for another", async () => {
    expect(await invariantsBroken({ plant: misreading(() => ({ tenant: "general" })) })).toContain("I5");
  });

  test("a store that lets a command run twice", async () => {
    const plant: Plant = (options) => ({
      ...options,
      idempotency: { start: () => ({ state: "started", finish: () => undefined, abandon: () => undefined }) },
    });
    expect(await invariantsBroken({ plant })).toContain("I6");
  });

  test("a ticket that binds twice", async () => {
    fault.ticketsBindTwice = true;
    expect(await invariantsBroken()).toContain("I7");
  });

  test("a session store that forgets what it was told last", async () => {
    const forgetful = (store: SessionStore): SessionStore => ({
      ...store,
      compareAndSet: async (revision, next, mayCommit) =>
        next.family.generation % 3 === 0 || (await store.compareAndSet(revision, next, mayCommit)),
    });
    const found = await Promise.all(
      [1, 2, 3, 4, 5].map(async (seed) =>
        check(await runRefreshes(seed, (clock) => forgetful(createMemorySessionStore({ clock })))),
      ),
    );
    expect(new Set(found.flat().map(({ invariant }) => invariant))).toEqual(new Set(["I7"]));
  });
});

test("without a fault the same schedules show nothing", async () => {
  expect(await invariantsBroken({}, 8)).toEqual(new Set());
});
