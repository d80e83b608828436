import { describe, expect, it } from "vitest";
import { createFakeClock, settle } from "./fake-clock.js";
import { createOrders } from "./orders.js";

/** A hub that answers each order with the next of the answers given, and remembers what it was sent. */
function open(...answers: readonly (string | Error)[]) {
  const clock = createFakeClock();
  const sent: string[] = [];
  const refused: string[] = [];
  let ids = 0;
  const orders = createOrders({
    clock,
    random: () => 0,
    createId: () => `command-${(ids += 1)}`,
    invoke: (_method, patientId, drugName, commandId) => {
      const answer = answers[sent.length] ?? "order-last";
      sent.push(`${patientId} ${drugName} ${commandId}`);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve({ orderId: answer });
    },
    onOrdered: () => undefined,
    onRefused: (intent) => refused.push(intent.drugName),
  });
  return { clock, orders, sent, refused };
}

const lost = new Error("WebSocket closed with status code: 1006 (no reason given).");

describe("ordering medication", () => {
  it("shows the intent at once and the order once it is made", async () => {
    const { orders } = open("order-1");
    orders.order("p1", "Morphine");
    expect(orders.intent("p1").value?.status).toEqual({ kind: "pending" });
    await settle();
    expect(orders.intent("p1").value?.status).toEqual({ kind: "ordered", orderId: "order-1" });
  });

  it("is sent again with the same command id when its answer was lost with the connection", async () => {
    const { orders, sent } = open(lost, "order-1");
    orders.order("p1", "Morphine");
    await settle();
    expect(orders.intent("p1").value?.status.kind).toBe("waiting");
    orders.connected();
    await settle();
    expect(sent).toEqual(["p1 Morphine command-1", "p1 Morphine command-1"]);
    expect(orders.intent("p1").value?.status).toEqual({ kind: "ordered", orderId: "order-1" });
  });

  it("waits through an expired credential instead of failing", async () => {
    const { orders, sent } = open(new Error("token_expired;action=refresh"), "order-1");
    orders.order("p1", "Morphine");
    await settle();
    orders.connected();
    await settle();
    expect(new Set(sent).size).toBe(1);
    expect(orders.intent("p1").value?.status.kind).toBe("ordered");
  });

  it("comes back when a busy server asked it to", async () => {
    const { clock, orders, sent } = open(new Error("rate_limited;action=retry-after;retry_after=5"), "order-1");
    orders.order("p1", "Morphine");
    await settle();
    await clock.advance(4_999);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    expect(sent).toHaveLength(2);
    expect(orders.intent("p1").value?.status.kind).toBe("ordered");
  });

  it("that is denied says so, is not repeated by itself, and keeps its id when the person tries again", async () => {
    const { orders, sent, refused } = open(new Error("forbidden: only doctors order medication"), "order-1");
    orders.order("p1", "Morphine");
    await settle();
    expect(orders.intent("p1").value?.status).toMatchObject({ kind: "refused", failure: { condition: "denied" } });
    expect(refused).toEqual(["Morphine"]);
    orders.connected();
    await settle();
    expect(sent).toHaveLength(1);
    orders.retry("p1");
    await settle();
    expect(sent).toEqual(["p1 Morphine command-1", "p1 Morphine command-1"]);
  });

  it("a second click while one is under way is not a second intent; a later order is", async () => {
    const { orders, sent } = open("order-1", "order-2");
    orders.order("p1", "Morphine");
    orders.order("p1", "Morphine");
    await settle();
    expect(sent).toHaveLength(1);
    orders.order("p1", "Morphine");
    await settle();
    expect(sent).toEqual(["p1 Morphine command-1", "p1 Morphine command-2"]);
  });

  it("announced twice is listed once", () => {
    const { orders } = open();
    const order = { orderId: "o1", patientId: "p1", ward: "icu", drugName: "Morphine", orderedBy: "x", at: 0 };
    orders.announce(order);
    orders.announce({ ...order });
    expect(orders.announced.value).toHaveLength(1);
  });

  it("leaves nothing behind after a sign-out, and a late answer changes nothing", async () => {
    const { clock, orders } = open(new Error("rate_limited;action=retry-after;retry_after=5"));
    orders.order("p1", "Morphine");
    await settle();
    orders.reset();
    expect(clock.armed).toBe(0);
    expect(orders.intent("p1").value).toBeUndefined();
  });
});
