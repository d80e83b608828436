/** The top of the dashboard: the product, the connection, the credential, the person. */
import type { JSX } from "preact";
import { ConnectionBadge } from "./connection-badge.js";
import { usePage } from "./context.js";
import { CredentialCountdown } from "./credential-countdown.js";
import { BrandMark, SignOutIcon } from "./icons.js";
import { ThemeToggle } from "./theme-toggle.js";
import { Who } from "./who.js";

export function Header(): JSX.Element {
  const { clinic } = usePage();
  return (
    <header class="top">
      <div class="brand">
        <BrandMark />
        <span>Hubward Clinic</span>
      </div>
      <div class="top-connection">
        <ConnectionBadge />
        <CredentialCountdown />
      </div>
      <Who />
      <div class="top-tools">
        <ThemeToggle />
        <button
          type="button"
          class="icon-button labelled"
          data-testid="sign-out"
          onClick={() => void clinic.signOut()}
          title="Sign out"
        >
          <SignOutIcon />
          <span class="button-label">Sign out</span>
        </button>
      </div>
    </header>
  );
}
