/** One patient: who and where, the numbers, the last minutes as lines, alarms in words, and ordering. */
import { useComputed } from "@preact/signals";
import type { JSX } from "preact";
import { labelAlarm, vitalOfAlarm } from "../alarms.js";
import type { Patient } from "../hub-contract.js";
import { formatCountdown } from "../wording.js";
import { usePage } from "./context.js";
import { AlarmIcon } from "./icons.js";
import { OrderForm } from "./order-form.js";
import { Sparkline } from "./sparkline.js";

/** Readings come every second; older than this they are shown as old. Milliseconds. */
const staleAfterMs = 5_000;

export function PatientCard({ patient }: { readonly patient: Patient }): JSX.Element {
  const { clinic, ticker } = usePage();
  const trace = clinic.vitals.trace(patient.id);
  const reading = trace.reading.value;
  const vitals = reading?.vitals;
  const staleForMs = useComputed(() => {
    const receivedAt = trace.reading.value?.receivedAt;
    const ageMs = receivedAt === undefined ? 0 : ticker.value - receivedAt;
    return ageMs > staleAfterMs ? Math.floor(ageMs / 1_000) * 1_000 : 0;
  });
  const alarms = vitals?.alarms ?? [];
  const alarmed = new Set(alarms.map(vitalOfAlarm));
  const isStale = staleForMs.value > 0;

  return (
    <article
      id={`card-${patient.id}`}
      class="card"
      data-testid={`patient-${patient.id}`}
      data-heart-rate={vitals?.heartRate}
      data-alarm={alarms.length > 0}
      data-stale={isStale}
      aria-labelledby={`name-${patient.id}`}
    >
      <div class="card-head">
        <h3 id={`name-${patient.id}`}>{patient.name}</h3>
        <span class="bed">{formatBed(patient.bed)}</span>
      </div>
      <p class="card-note">
        {isStale ? <span class="stale-note">No reading for {formatCountdown(staleForMs.value)}</span> : null}
        {alarms.length > 0 ? (
          <span class="alarm-note">
            <AlarmIcon />
            {alarms.map(labelAlarm).join(", ")}
          </span>
        ) : isStale ? null : (
          <span class="calm-note">{vitals === undefined ? "Waiting for a reading" : "No alarms"}</span>
        )}
      </p>
      <div class="traces">
        <dl class="vital hr" data-alarm={alarmed.has("heartRate")}>
          <dt>
            HR <span>bpm</span>
          </dt>
          <dd>{format(vitals?.heartRate)}</dd>
        </dl>
        <dl class="vital spo2" data-alarm={alarmed.has("spo2")}>
          <dt>
            SpO₂ <span>%</span>
          </dt>
          <dd>{format(vitals?.spo2)}</dd>
        </dl>
        <Sparkline trace={trace} />
      </div>
      <dl class="minor-vitals">
        <div data-alarm={alarmed.has("pressure")}>
          <dt>
            BP <span>mmHg</span>
          </dt>
          <dd>
            {format(vitals?.systolic)}/{format(vitals?.diastolic)}
          </dd>
        </div>
        <div data-alarm={alarmed.has("respiration")}>
          <dt>
            RR <span>/min</span>
          </dt>
          <dd>{format(vitals?.respiration)}</dd>
        </div>
        <div data-alarm={alarmed.has("temperature")}>
          <dt>
            Temp <span>°C</span>
          </dt>
          <dd>{format(vitals?.temperature, 1)}</dd>
        </div>
      </dl>
      <OrderForm patient={patient} />
    </article>
  );
}

function format(value: number | undefined, digits = 0): string {
  return value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits);
}

function formatBed(bed: string | undefined): string {
  if (bed === undefined) return "";
  return /^\d/.test(bed) ? `Bed ${bed}` : bed;
}
