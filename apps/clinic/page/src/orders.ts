/**
 * Ordering medication. A person's intent gets one command id when it is formed and keeps it through every retry, so
 * that an order whose answer was lost takes effect once, however often it is sent.
 */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Clock } from "./clock.js";
import { type MedicationOrder, parseOrderId } from "./hub-contract.js";
import { type Failure, readFailure } from "./reasons.js";

export interface Intent {
  readonly commandId: string;
  readonly patientId: string;
  readonly drugName: string;
  readonly status: IntentStatus;
}

export type IntentStatus =
  | { readonly kind: "pending" }
  /** The answer was lost or the server could not say yet: it is sent again, with the same id. */
  | { readonly kind: "waiting"; readonly failure: Failure }
  | { readonly kind: "ordered"; readonly orderId: string }
  | { readonly kind: "refused"; readonly failure: Failure };

export interface Orders {
  /** The person's latest intent for a patient. */
  intent(patientId: string): ReadonlySignal<Intent | undefined>;
  /** Orders of the watched wards as the server announced them, newest first. */
  readonly announced: ReadonlySignal<readonly MedicationOrder[]>;
  /** Forms a new intent and sends it. Ignored while one for the same patient is under way. */
  order(patientId: string, drugName: string): void;
  /** Sends a refused intent again, as the same command. */
  retry(patientId: string): void;
  announce(order: MedicationOrder): void;
  /** A new connection: sends what is waiting. */
  connected(): void;
  reset(): void;
}

export interface OrdersOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly createId: () => string;
  readonly invoke: (method: string, patientId: string, drugName: string, commandId: string) => Promise<unknown>;
  readonly onOrdered: (intent: Intent, orderId: string) => void;
  readonly onRefused: (intent: Intent, failure: Failure) => void;
}

export const maxAnnouncedOrders = 50;

export function createOrders(options: OrdersOptions): Orders {
  const { clock, random, createId, invoke, onOrdered, onRefused } = options;
  const intents = new Map<string, Signal<Intent | undefined>>();
  const announced = signal<readonly MedicationOrder[]>([]);
  const timers = new Set<() => void>();

  function intentOf(patientId: string): Signal<Intent | undefined> {
    let intent = intents.get(patientId);
    if (intent === undefined) {
      intent = signal<Intent | undefined>(undefined);
      intents.set(patientId, intent);
    }
    return intent;
  }

  async function send(slot: Signal<Intent | undefined>, intent: Intent): Promise<void> {
    const move = (status: IntentStatus): void => {
      // Signed out meanwhile, or replaced: nobody is waiting for this any more.
      if (slot.peek()?.commandId === intent.commandId) slot.value = { ...intent, status };
    };
    move({ kind: "pending" });
    try {
      const orderId = parseOrderId(
        await invoke("OrderMedication", intent.patientId, intent.drugName, intent.commandId),
      );
      move({ kind: "ordered", orderId: orderId ?? "" });
      if (slot.peek()?.commandId === intent.commandId) onOrdered(intent, orderId ?? "");
    } catch (error) {
      const failure = readFailure(error, "failed");
      if (isWorthWaiting(failure)) {
        move({ kind: "waiting", failure });
        if (!failure.isLost && failure.condition === "unavailable") sendLater(failure);
        return;
      }
      move({ kind: "refused", failure });
      if (slot.peek()?.commandId === intent.commandId) onRefused(intent, failure);
    }
  }

  function sendLater({ retryAfterSeconds }: Failure): void {
    const cancel = clock.after(Math.max(2, retryAfterSeconds ?? 0) * 1_000 * (1 + random() * 0.5), () => {
      timers.delete(cancel);
      sendWaiting();
    });
    timers.add(cancel);
  }

  function sendWaiting(): void {
    for (const slot of intents.values()) {
      const intent = slot.peek();
      if (intent?.status.kind === "waiting") void send(slot, intent);
    }
  }

  return {
    intent: intentOf,
    announced,
    order(patientId, drugName) {
      const slot = intentOf(patientId);
      const current = slot.peek()?.status.kind;
      if (current === "pending" || current === "waiting") return;
      const intent: Intent = { commandId: createId(), patientId, drugName, status: { kind: "pending" } };
      slot.value = intent;
      void send(slot, intent);
    },
    retry(patientId) {
      const slot = intentOf(patientId);
      const intent = slot.peek();
      if (intent?.status.kind === "refused") void send(slot, intent);
    },
    announce(order) {
      if (announced.peek().some(({ orderId }) => orderId === order.orderId)) return;
      announced.value = [order, ...announced.peek()].slice(0, maxAnnouncedOrders);
    },
    connected: sendWaiting,
    reset() {
      for (const cancel of timers) cancel();
      timers.clear();
      for (const slot of intents.values()) slot.value = undefined;
      announced.value = [];
    },
  };
}

function isWorthWaiting({ condition, isLost }: Failure): boolean {
  return isLost || condition === "expired" || condition === "unavailable";
}
