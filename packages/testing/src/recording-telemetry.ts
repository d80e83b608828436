/** A telemetry sink that keeps what it is told. */

import type { Telemetry, TelemetryEvent } from "@hubward/server/ports";

type EventOf<Name extends TelemetryEvent["event"]> = Extract<TelemetryEvent, { readonly event: Name }>;

export interface RecordingTelemetry {
  /** The sink itself: pass it where a `Telemetry` is wanted. */
  readonly telemetry: Telemetry;
  /** Everything told so far, in order. */
  readonly events: readonly TelemetryEvent[];
  /** The events of one name, in order. */
  of<Name extends TelemetryEvent["event"]>(name: Name): readonly EventOf<Name>[];
  clear(): void;
}

export function recordingTelemetry(): RecordingTelemetry {
  const events: TelemetryEvent[] = [];
  return {
    telemetry: (event) => void events.push(event),
    events,
    of: <Name extends TelemetryEvent["event"]>(name: Name) =>
      events.filter((event): event is EventOf<Name> => event.event === name),
    clear: () => void events.splice(0),
  };
}
