/** Ordering one drug for one patient, and what became of it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import type { Patient } from "../hub-contract.js";
import type { Intent } from "../orders.js";
import { conditionTitles, describeFailure } from "../wording.js";
import { usePage } from "./context.js";

const drugNames: readonly string[] = [
  "Paracetamol",
  "Amoxicillin",
  "Furosemide",
  "Heparin",
  "Insulin",
  "Morphine",
  "Noradrenaline",
  "Salbutamol",
];

export function OrderForm({ patient }: { readonly patient: Patient }): JSX.Element {
  const { clinic } = usePage();
  const drug = useSignal("");
  const isIncomplete = useSignal(false);
  const select = useRef<HTMLSelectElement>(null);
  const intent = clinic.orders.intent(patient.id).value;
  const isUnderWay = intent?.status.kind === "pending" || intent?.status.kind === "waiting";
  const hintId = `order-hint-${patient.id}`;

  function submit(event: Event): void {
    event.preventDefault();
    if (isUnderWay) return;
    isIncomplete.value = drug.peek() === "";
    if (isIncomplete.peek()) {
      select.current?.focus();
      return;
    }
    clinic.orders.order(patient.id, drug.peek());
    drug.value = "";
  }

  return (
    <form class="order-form" data-testid="order-form" onSubmit={submit} aria-label={`Order for ${patient.name}`}>
      <div class="order-fields">
        <select
          ref={select}
          data-testid="order-drug"
          aria-label={`Drug for ${patient.name}`}
          aria-describedby={hintId}
          aria-invalid={isIncomplete.value}
          value={drug.value}
          onChange={(event) => {
            drug.value = event.currentTarget.value;
            isIncomplete.value = false;
          }}
        >
          <option value="">Choose a drug</option>
          {drugNames.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <button class="button" data-testid="order-submit" aria-disabled={isUnderWay}>
          Order
        </button>
      </div>
      <div
        id={hintId}
        class="order-status"
        data-testid="order-status"
        data-status={intent?.status.kind ?? "none"}
        role="status"
      >
        {isIncomplete.value ? <span class="order-refused">Choose a drug first.</span> : <Outcome intent={intent} />}
      </div>
    </form>
  );
}

function Outcome({ intent }: { readonly intent: Intent | undefined }): JSX.Element | null {
  const { clinic } = usePage();
  if (intent === undefined) return null;
  const { drugName, status, patientId } = intent;
  switch (status.kind) {
    case "pending":
      return <span class="order-pending">Ordering {drugName}</span>;
    case "waiting":
      return (
        <span class="order-pending">
          {drugName} is sent again once the service answers; it is ordered once however often that takes.
        </span>
      );
    case "ordered":
      return <span class="order-done">{drugName} ordered</span>;
    case "refused":
      return (
        <span class="order-refused">
          <b>{conditionTitles[status.failure.condition]}:</b> {drugName}. {describeFailure(status.failure)}{" "}
          <button type="button" class="link-button" onClick={() => clinic.orders.retry(patientId)}>
            Try again
          </button>
        </span>
      );
  }
}
