/** One switch a ward: watched, on its way, off, or refused. */
import type { JSX } from "preact";
import { type WardId, wardIds, wardNames } from "../hub-contract.js";
import type { WardStanding } from "../wards.js";
import { usePage } from "./context.js";

export function WardToggles(): JSX.Element {
  return (
    <div class="ward-toggles" role="group" aria-label="Wards to watch">
      {wardIds.map((ward) => (
        <WardToggle key={ward} ward={ward} />
      ))}
    </div>
  );
}

function WardToggle({ ward }: { readonly ward: WardId }): JSX.Element {
  const { clinic } = usePage();
  const standing = clinic.wards.standing(ward).value;
  const count = clinic.patients.inWard(ward).value.length;
  const isLive = clinic.connection.state.value.kind === "live";
  const isOn = standing.kind === "joined" || standing.kind === "joining";
  return (
    <button
      type="button"
      class="ward-toggle"
      data-testid={`ward-${ward}`}
      data-state={standing.kind}
      aria-pressed={isOn}
      onClick={() => clinic.wards.toggle(ward)}
    >
      <span class="ward-switch" aria-hidden="true" />
      <span class="ward-toggle-words">
        <span class="ward-toggle-name">{wardNames[ward]}</span>
        <span class="ward-toggle-state">{describe(standing, count, isLive)}</span>
      </span>
    </button>
  );
}

function describe(standing: WardStanding, patients: number, isLive: boolean): string {
  switch (standing.kind) {
    case "off":
      return "Not watched";
    case "joining":
      return isLive ? "Joining" : "Waiting for the connection";
    case "joined":
      return patients === 1 ? "1 patient" : `${patients} patients`;
    case "refused":
      return standing.failure.condition === "denied" ? "Not allowed" : "Not accepted";
  }
}
