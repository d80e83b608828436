/** Who needs a look, in one line; each leads to its card. */
import { useComputed } from "@preact/signals";
import type { JSX } from "preact";
import { labelAlarm } from "../alarms.js";
import { usePage } from "./context.js";
import { AlarmIcon, CheckIcon } from "./icons.js";

export function AlarmSummary(): JSX.Element | null {
  const { clinic } = usePage();
  const alarming = clinic.vitals.alarming.value;
  // While lapsed nothing is heard: silence is no good news then.
  const isLive = clinic.connection.state.value.kind === "live" && clinic.renewal.value !== "lapsed";
  if (alarming.length === 0) {
    return isLive ? (
      <p class="alarm-summary quiet">
        <CheckIcon /> No alarms
      </p>
    ) : null;
  }
  return (
    <ul class="alarm-summary" aria-label="Patients with alarms">
      {isLive ? null : <li class="muted">Last known</li>}
      {alarming.map((patientId) => (
        <AlarmLink key={patientId} patientId={patientId} />
      ))}
    </ul>
  );
}

function AlarmLink({ patientId }: { readonly patientId: string }): JSX.Element | null {
  const { clinic } = usePage();
  const trace = clinic.vitals.trace(patientId);
  // Readings come every second; the words change only with the alarms.
  const words = useComputed(() => (trace.reading.value?.vitals.alarms ?? []).map(labelAlarm).join(", "));
  return (
    <li>
      <a class="alarm-link" href={`#card-${patientId}`}>
        <AlarmIcon />
        <span>
          <b>{clinic.patients.find(patientId)?.name ?? patientId}</b> {words}
        </span>
      </a>
    </li>
  );
}
