import type { HubConnection } from "@microsoft/signalr";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MedicationOrder } from "./orders.js";
import { failureOf, nextEvent, runClinic, type RunningClinic } from "./test/running-clinic.js";

let running: RunningClinic;

beforeAll(async () => {
  running = await runClinic();
});
afterAll(async () => {
  await running.end();
});

function collect<T>(connection: HubConnection, name: string): T[] {
  const events: T[] = [];
  connection.on(name, (value: T) => events.push(value));
  return events;
}

describe("orders", () => {
  test("an order is told to the ward and to nobody else", async () => {
    const [doctor, nurse, elsewhere, annex] = await Promise.all(
      ["doctor-icu", "nurse-icu", "nurse-er", "doctor-annex"].map((name) => running.connect(name)),
    );
    await Promise.all([
      nurse!.invoke("SubscribeToWard", "icu"),
      elsewhere!.invoke("SubscribeToWard", "er"),
      annex!.invoke("SubscribeToWard", "icu"),
    ]);
    const [inEr, inAnnex] = [elsewhere!, annex!].map((connection) => collect(connection, "MedicationOrdered"));
    const heard = nextEvent<MedicationOrder>(nurse!, "MedicationOrdered");
    const placed = await doctor!.invoke("OrderMedication", "general-icu-2", "Heparin 5000 IU", "c-1");
    expect(placed).toEqual({ orderId: expect.any(String) });
    expect(await heard).toEqual({
      orderId: (placed as { orderId: string }).orderId,
      patientId: "general-icu-2",
      ward: "icu",
      drugName: "Heparin 5000 IU",
      orderedBy: "doctor-icu",
      at: expect.any(Number),
    });
    // Both would have been told before this reading.
    await Promise.all([nextEvent(elsewhere!, "Vitals"), nextEvent(annex!, "Vitals")]);
    expect([inEr, inAnnex]).toEqual([[], []]);
    await Promise.all([doctor, nurse, elsewhere, annex].map((connection) => connection!.stop()));
  });

  test("the same command again is the same order and no second event, also from another connection", async () => {
    const [first, second, nurse] = await Promise.all(
      ["doctor-icu", "doctor-icu", "nurse-icu"].map((name) => running.connect(name)),
    );
    const events = collect<MedicationOrder>(nurse!, "MedicationOrdered");
    await nurse!.invoke("SubscribeToWard", "icu");
    const order = (connection: HubConnection): Promise<unknown> =>
      connection.invoke("OrderMedication", "general-icu-1", "Paracetamol 1 g", "c-2");
    const answers = await Promise.all([order(first!), order(first!), order(second!)]);
    await first!.stop();
    answers.push(await order(second!));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    await second!.invoke("OrderMedication", "general-icu-1", "Paracetamol 1 g", "c-3");
    // The nurse's answer stands behind whatever the orders said.
    await nurse!.invoke("WhoAmI");
    expect(events).toHaveLength(2);
    expect(events[0]).toMatchObject(answers[0] as object);
    await Promise.all([second!.stop(), nurse!.stop()]);
  });

  test("the same command id for something else is a conflict, for someone else a command of their own", async () => {
    const [icu, er] = await Promise.all(["doctor-icu", "doctor-er"].map((name) => running.connect(name)));
    const placed = await icu!.invoke("OrderMedication", "general-icu-1", "Aspirin", "c-4");
    const failure = await failureOf(icu!.invoke("OrderMedication", "general-icu-1", "Insulin", "c-4"));
    expect(failure).toContain("idempotency_conflict");
    expect(await er!.invoke("OrderMedication", "general-er-1", "Aspirin", "c-4")).not.toEqual(placed);
    await Promise.all([icu!.stop(), er!.stop()]);
  });

  test.each([
    ["nurse-icu", "general-icu-1", "forbidden: only doctors may order medication"],
    ["admin", "general-icu-1", "forbidden: only doctors may order medication"],
    ["doctor-icu", "general-er-1", "forbidden: this is no patient of your ward"],
    ["doctor-icu", "annex-icu-1", "forbidden: this is no patient of your ward"],
    ["doctor-icu", "nobody", "forbidden: this is no patient of your ward"],
    ["doctor-annex", "general-icu-1", "forbidden: this is no patient of your ward"],
  ])("%s may not order for %s", async (username, patientId, refusal) => {
    const connection = await running.connect(username);
    expect(await failureOf(connection.invoke("OrderMedication", patientId, "Aspirin", "c-5"))).toBe(refusal);
    await connection.stop();
  });

  test("a command id has 1 to 64 characters", async () => {
    const connection = await running.connect("doctor-annex");
    const order = (id: unknown): Promise<unknown> => connection.invoke("OrderMedication", "annex-icu-1", "Aspirin", id);
    for (const id of ["x", "c".repeat(64), "💊".repeat(64), "with space / and ü"]) {
      expect(await order(id)).toEqual({ orderId: expect.any(String) });
    }
    for (const id of ["", "c".repeat(65), 7, null]) {
      expect(await failureOf(order(id))).toContain("Failed to invoke 'OrderMedication'");
    }
    await connection.stop();
  });
});
