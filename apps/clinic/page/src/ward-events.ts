/** What becomes of the hub's events: readings for the cards, orders for the feed, and a line in the log for news. */
import { batch } from "@preact/signals";
import { createAlarmWatch } from "./alarm-watch.js";
import { labelAlarm } from "./alarms.js";
import type { Clock } from "./clock.js";
import { parseMedicationOrder, parseNote, parseVitals, wardIds } from "./hub-contract.js";
import type { Orders } from "./orders.js";
import type { Patients } from "./patients.js";
import type { ServerLog } from "./server-log.js";
import type { VitalsStore } from "./vitals-store.js";
import type { Wards } from "./wards.js";

/** Events of the hub, by their names there. */
export const hubEvents = ["Vitals", "MedicationOrdered", "note"] as const;
export type HubEvent = (typeof hubEvents)[number];

export interface WardEvents {
  /** Takes an event as it came; one that cannot be read is dropped. */
  receive(name: HubEvent, payload: unknown): void;
  reset(): void;
}

export interface WardEventsOptions {
  readonly clock: Clock;
  readonly wards: Wards;
  readonly patients: Patients;
  readonly vitals: VitalsStore;
  readonly orders: Orders;
  readonly log: ServerLog;
}

export function createWardEvents({ clock, wards, patients, vitals, orders, log }: WardEventsOptions): WardEvents {
  const alarmWatch = createAlarmWatch(clock);

  function receiveVitals(payload: unknown): void {
    const reading = parseVitals(payload);
    if (reading === undefined || !isWatched(reading.ward)) return;
    const { patientId, ward } = reading;
    batch(() => {
      patients.meet(patientId, ward);
      vitals.receive(reading);
      if (!patients.isKnown(patientId)) return; // an alarm is told with a name; the card shows it meanwhile
      const news = alarmWatch.onset(reading).map(labelAlarm);
      if (news.length > 0) log.add("alarm", `${nameOf(patientId)}: ${news.join(", ")}.`);
    });
  }

  function receiveOrder(payload: unknown): void {
    const order = parseMedicationOrder(payload);
    if (order === undefined) return;
    orders.announce(order);
    log.add("order", `${order.drugName} ordered for ${nameOf(order.patientId)} by ${order.orderedBy}.`, order.orderId);
  }

  function receiveNote(payload: unknown): void {
    const note = parseNote(payload);
    if (note !== undefined) log.add("note", `${note.by}: ${note.text}`);
  }

  /** Readings still under way when a ward was given up are not shown. */
  function isWatched(ward: string): boolean {
    return wardIds.some((id) => id === ward && wards.standing(id).peek().kind === "joined");
  }

  function nameOf(patientId: string): string {
    return patients.find(patientId)?.name ?? patientId;
  }

  return {
    receive(name, payload) {
      if (name === "Vitals") receiveVitals(payload);
      else if (name === "note") receiveNote(payload);
      else receiveOrder(payload);
    },
    reset: () => alarmWatch.reset(),
  };
}
