/** A command takes effect at most once, however often it is sent. */

import { hasRole, HubError } from "@hubward/server";
import { describe, expect, test } from "vitest";
import { outcomeOf, runApp, type RunOptions, type RunningApp } from "../support/running-app.js";
import { text } from "../support/schemas.js";
import { until } from "../support/until.js";

const HUB = "/hubs/orders";

interface Pharmacy {
  readonly running: RunningApp<unknown>;
  /** Orders that took effect. */
  readonly orders: { readonly orderId: number; readonly by: string; readonly drug: string }[];
  /** Handlers that have begun. */
  readonly begun: () => number;
  hold(): void;
  release(): void;
}

async function runPharmacy(options: RunOptions = {}): Promise<Pharmacy> {
  const orders: { orderId: number; by: string; drug: string }[] = [];
  let begun = 0;
  let gate = Promise.resolve();
  let release = (): void => undefined;
  const running = await runApp(
    ({ claims }) => ({ roles: claims["roles"] as readonly string[] }),
    (app) => {
      const doctors = app.policy("Doctors", hasRole("doctor"));
      const anyone = app.policy("Anyone", () => true);
      app
        .hub(HUB)
        .allow(anyone)
        .methods((m) => ({
          Order: m
            .args(text, text)
            .allow(doctors)
            .once((_drug, id) => id)
            .handle(async (call, drug) => {
              begun++;
              await gate;
              if (drug === "none") throw new HubError("out of stock");
              if (drug === "poison") throw new Error("a secret of the pharmacy");
              const order = { orderId: orders.length + 1, by: call.principal.subject, drug };
              orders.push(order);
              call.toAll().emit("ordered", order.orderId);
              return { orderId: order.orderId };
            }),
          Cancel: m
            .args(text)
            .allow(doctors)
            .once((id) => id)
            .handle(() => "cancelled"),
        }));
    },
    options,
  );
  return {
    running: running as unknown as RunningApp<unknown>,
    orders,
    begun: () => begun,
    hold() {
      gate = new Promise((resolve) => (release = resolve));
    },
    release: () => release(),
  };
}

const doctor = { roles: ["doctor"] };

describe("a command sent again", () => {
  test("after its answer was lost has no second effect, and is told the first one's result", async () => {
    const pharmacy = await runPharmacy();
    const { running, orders } = pharmacy;
    const { connection, heard } = await running.connect(HUB, "ada", doctor, ["ordered"]);
    pharmacy.hold();
    const lost = outcomeOf(connection.invoke("Order", "aspirin", "command-1"));
    await until(() => pharmacy.begun() === 1);
    // The network fails while the order is placed: the client comes back on its own, its call has failed.
    const back = new Promise<void>((resolve) => connection.onreconnected(() => resolve()));
    running.cutNetwork();
    expect(await lost).not.toContain("orderId");
    await back;

    const again = connection.invoke("Order", "aspirin", "command-1");
    const witness = await running.connect(HUB, "bob", doctor);
    expect(await outcomeOf(witness.connection.invoke("Cancel", "x"))).toBe('"cancelled"');
    expect(orders).toEqual([]);
    pharmacy.release();
    expect(await again).toEqual({ orderId: 1 });
    expect(await connection.invoke("Order", "aspirin", "command-1")).toEqual({ orderId: 1 });
    expect(orders).toEqual([{ orderId: 1, by: "ada", drug: "aspirin" }]);
    expect(pharmacy.begun()).toBe(1);
    await connection.invoke("Order", "aspirin", "command-2");
    await heard.take(2);
    expect(heard.items).toEqual([
      ["ordered", 1],
      ["ordered", 2],
    ]);
  });

  test("at the same time over several connections has one effect, and all are told the same", async () => {
    const { running, orders, begun, ...pharmacy } = await runPharmacy();
    const connections = await Promise.all(Array.from({ length: 5 }, () => running.connect(HUB, "ada", doctor)));
    pharmacy.hold();
    const answers = connections.flatMap(({ connection }) =>
      [1, 2].map(() => outcomeOf(connection.invoke("Order", "aspirin", "same"))),
    );
    await until(() => begun() > 0);
    pharmacy.release();
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['{"orderId":1}']));
    expect(orders).toHaveLength(1);
    expect(begun()).toBe(1);
  });

  test("with other arguments is a conflict, whether the first one runs or ran", async () => {
    const { running, orders, begun, ...pharmacy } = await runPharmacy();
    const first = await running.connect(HUB, "ada", doctor);
    const second = await running.connect(HUB, "ada", doctor);
    pharmacy.hold();
    const pending = first.connection.invoke("Order", "aspirin", "same");
    await until(() => begun() === 1);
    const conflict = "idempotency_conflict;action=fix-request";
    expect(await outcomeOf(second.connection.invoke("Order", "morphine", "same"))).toBe(conflict);
    pharmacy.release();
    expect(await pending).toEqual({ orderId: 1 });
    expect(await outcomeOf(second.connection.invoke("Order", "morphine", "same"))).toBe(conflict);
    expect(orders).toHaveLength(1);
  });

  test("that failed is told how, in the same words, and does not run again", async () => {
    const { running, orders, begun } = await runPharmacy();
    const { connection } = await running.connect(HUB, "ada", doctor);
    const unexpected = "An unexpected error occurred invoking 'Order' on the server.";
    for (let time = 0; time < 3; time++) {
      expect(await outcomeOf(connection.invoke("Order", "none", "a"))).toBe(`${unexpected} HubException: out of stock`);
      expect(await outcomeOf(connection.invoke("Order", "poison", "b"))).toBe(unexpected);
    }
    expect(begun()).toBe(2);
    expect(orders).toEqual([]);
  });

  test("is authorised before it is told anything", async () => {
    const { running, begun } = await runPharmacy();
    const { connection } = await running.connect(HUB, "ada", doctor);
    await connection.invoke("Order", "aspirin", "same");
    const demoted = await running.connect(HUB, "ada", { roles: ["nurse"] });
    expect(await outcomeOf(demoted.connection.invoke("Order", "aspirin", "same"))).toBe("forbidden");
    expect(begun()).toBe(1);
  });

  test("a day later is a new one", async () => {
    const { running, orders } = await runPharmacy({ maxTokenAgeMs: 200_000_000 });
    const { connection } = await running.connect(HUB, "ada", { ...doctor, lifetime: 200_000 });
    await connection.invoke("Order", "aspirin", "same");
    running.clock.jump(24 * 60 * 60 * 1000 - 1);
    expect(await connection.invoke("Order", "aspirin", "same")).toEqual({ orderId: 1 });
    running.clock.jump(1);
    expect(await connection.invoke("Order", "aspirin", "same")).toEqual({ orderId: 2 });
    expect(orders).toHaveLength(2);
  });
});

describe("a command of the same id", () => {
  test("from somebody else, or of another method, is another command", async () => {
    const { running, orders } = await runPharmacy();
    const ada = await running.connect(HUB, "ada", doctor);
    const bob = await running.connect(HUB, "bob", doctor);
    expect(await ada.connection.invoke("Order", "aspirin", "same")).toEqual({ orderId: 1 });
    expect(await bob.connection.invoke("Order", "aspirin", "same")).toEqual({ orderId: 2 });
    expect(await ada.connection.invoke("Cancel", "same")).toBe("cancelled");
    expect(orders.map(({ by }) => by)).toEqual(["ada", "bob"]);
  });

  test("that was refused is not used up by the refusal", async () => {
    const { running, orders } = await runPharmacy();
    const nurse = await running.connect(HUB, "ada", { roles: ["nurse"] });
    expect(await outcomeOf(nurse.connection.invoke("Order", "aspirin", "same"))).toBe("forbidden");
    const promoted = await running.connect(HUB, "ada", doctor);
    expect(await promoted.connection.invoke("Order", "aspirin", "same")).toEqual({ orderId: 1 });
    expect(orders).toHaveLength(1);
  });

  test("may be named like Object's own members", async () => {
    const { running, orders } = await runPharmacy();
    const { connection } = await running.connect(HUB, "ada", doctor);
    for (const id of ["__proto__", "constructor", "hasOwnProperty", "𝄞", "a:b", "1:a"]) {
      const first: unknown = await connection.invoke("Order", "aspirin", id);
      expect(await connection.invoke("Order", "aspirin", id)).toEqual(first);
    }
    expect(orders).toHaveLength(6);
  });
});

test("a command without an id is no command", async () => {
  const { running, begun } = await runPharmacy();
  const { connection } = await running.connect(HUB, "ada", doctor);
  expect(await outcomeOf(connection.invoke("Order", "aspirin", ""))).toBe(
    "Failed to invoke 'Order' due to an error on the server.",
  );
  expect(begun()).toBe(0);
});

describe("a command whose store fails", () => {
  test("is not run: nobody could tell whether it ran before", async () => {
    const pharmacy = await runPharmacy({
      idempotency: { start: () => Promise.reject(new Error("the store is down")) },
    });
    const { connection } = await pharmacy.running.connect(HUB, "ada", doctor);
    expect(await outcomeOf(connection.invoke("Order", "aspirin", "x"))).toBe(
      "auth_unavailable;action=retry-after;retry_after=1",
    );
    expect(pharmacy.begun()).toBe(0);
  });

  test("for lack of room is turned away, and earlier ones are still known", async () => {
    const pharmacy = await runPharmacy({ idempotency: { start: () => ({ state: "full" }) } });
    const { connection } = await pharmacy.running.connect(HUB, "ada", doctor);
    expect(await outcomeOf(connection.invoke("Order", "aspirin", "x"))).toBe(
      "rate_limited;action=retry-after;retry_after=60",
    );
    expect(pharmacy.begun()).toBe(0);
  });
});
