/** The patients of one watched ward. */
import type { JSX } from "preact";
import { type WardId, wardNames } from "../hub-contract.js";
import { usePage } from "./context.js";
import { PatientCard } from "./patient-card.js";

export function WardSection({ ward }: { readonly ward: WardId }): JSX.Element | null {
  const { clinic } = usePage();
  const standing = clinic.wards.standing(ward).value;
  const patients = clinic.patients.inWard(ward).value;
  if (standing.kind === "off" || standing.kind === "refused") return null;
  return (
    <section class="ward" aria-labelledby={`ward-title-${ward}`}>
      <h2 id={`ward-title-${ward}`}>{wardNames[ward]}</h2>
      {patients.length === 0 ? (
        <p class="muted">{standing.kind === "joined" ? "Fetching the patients" : "Waiting to join the ward"}</p>
      ) : (
        <div class="cards">
          {patients.map((patient) => (
            <PatientCard key={patient.id} patient={patient} />
          ))}
        </div>
      )}
    </section>
  );
}
