/** The connection's state in a word. It is the one place that announces a change of it. */
import type { JSX } from "preact";
import { badgeLabels } from "../wording.js";
import { usePage } from "./context.js";

export function ConnectionBadge(): JSX.Element {
  const { clinic } = usePage();
  const { kind } = clinic.connection.state.value;
  const isLapsed = kind === "live" && clinic.renewal.value === "lapsed";
  const shown = isLapsed ? "refreshing" : kind === "idle" ? "connecting" : kind;
  return (
    <p class="badge" role="status" data-testid="connection-badge" data-state={shown}>
      <span class="badge-dot" aria-hidden="true" />
      <span class="visually-hidden">Connection: </span>
      {badgeLabels[shown]}
    </p>
  );
}
