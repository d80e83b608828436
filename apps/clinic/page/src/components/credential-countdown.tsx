/** How long the live connection's credential still holds. */
import type { JSX } from "preact";
import type { RenewalPhase } from "../renewal.js";
import { formatCountdown } from "../wording.js";
import { usePage } from "./context.js";

const labels: Readonly<Record<RenewalPhase, string>> = {
  steady: "Credential",
  expiring: "Ends soon, renewing",
  renewed: "Renewed in place",
  lapsed: "Ended, renewing",
};

const radius = 15;
const circumference = 2 * Math.PI * radius;

export function CredentialCountdown(): JSX.Element {
  const { clinic, ticker } = usePage();
  const life = clinic.connectionCredential.value;
  const newest = clinic.session.credential.value;
  const leftMs = life === undefined ? undefined : Math.max(0, life.expiresAt - ticker.value);
  const share = life === undefined || leftMs === undefined ? 0 : Math.min(1, leftMs / life.lifetimeMs);
  // A token much younger than the connection's has been fetched ahead of time.
  const isNextReady = life !== undefined && newest !== undefined && newest.expiresAt - life.expiresAt > 2_000;
  const phase = clinic.renewal.value;
  const text = leftMs === undefined ? "–:––" : formatCountdown(leftMs);
  return (
    <div
      class="countdown"
      role="timer"
      data-testid="credential-countdown"
      data-seconds={leftMs === undefined ? "" : Math.ceil(leftMs / 1_000)}
      data-phase={life === undefined ? "none" : phase}
      data-low={share > 0 && share < 0.25}
      title="How long this connection's credential holds. A new one is fetched before it ends."
    >
      <svg viewBox="0 0 36 36" aria-hidden="true" focusable="false">
        <circle class="ring-track" cx="18" cy="18" r={radius} />
        <circle
          class="ring-left"
          cx="18"
          cy="18"
          r={radius}
          stroke-dasharray={circumference}
          stroke-dashoffset={circumference * (1 - share)}
        />
      </svg>
      <span class="countdown-text">
        <span class="countdown-label">{phase === "steady" && isNextReady ? "Next one ready" : labels[phase]}</span>
        <span class="countdown-time">{text}</span>
      </span>
    </div>
  );
}
