/** Signed in, and not allowed to connect: said once, clearly, without trying again. */
import type { JSX } from "preact";
import { conditionTitles, describeFailure } from "../wording.js";
import { usePage } from "./context.js";
import { BlockedIcon } from "./icons.js";

export function DeniedPanel(): JSX.Element | null {
  const { clinic } = usePage();
  const state = clinic.connection.state.value;
  if (state.kind !== "denied") return null;
  return (
    <section class="denied" role="alert" data-testid="refusal" data-condition="denied" data-name={state.failure.name}>
      <BlockedIcon />
      <h2>{conditionTitles.denied}</h2>
      <p>
        You are signed in, but this account may not open the ward dashboard. {describeFailure(state.failure)} Ask an
        administrator for access, or sign in as somebody else.
      </p>
      <p class="denied-said">
        The server said <code>{state.failure.text}</code>
      </p>
      <div class="denied-actions">
        <button type="button" class="button primary" onClick={() => void clinic.signOut()}>
          Sign in as somebody else
        </button>
        <button type="button" class="button" data-testid="reconnect" onClick={() => clinic.connection.reconnectNow()}>
          Try once more
        </button>
      </div>
    </section>
  );
}
