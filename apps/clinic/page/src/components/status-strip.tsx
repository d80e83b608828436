/** What is happening to the connection, in a sentence, and what the person can do. Empty while all is well. */
import type { JSX } from "preact";
import type { ConnectionState } from "../connection.js";
import { conditionTitles, describeFailure, formatCountdown } from "../wording.js";
import { usePage } from "./context.js";
import { useLasting } from "./use-lasting.js";

/** A blip is told by the badge and the log alone: a strip that comes and goes only makes the page jump. */
const blipMs = 1_000;

export function StatusStrip(): JSX.Element | null {
  const { clinic, ticker } = usePage();
  const state = clinic.connection.state.value;
  const session = clinic.session.state.value;
  const outage = session.phase === "active" ? session.outage : undefined;
  const isLapsed = useLasting(state.kind === "live" && clinic.renewal.value === "lapsed", blipMs);
  const isBlip = !useLasting(state.kind === "refreshing" || state.kind === "reconnecting", blipMs);

  if (isLapsed) {
    return (
      <Strip tone={outage === undefined ? "calm" : "attention"} title={conditionTitles.expired}>
        Readings and orders wait until a new credential is there. You stay signed in.
        {outage === undefined ? "" : ` The next try is in ${formatCountdown(outage.nextTryAt - ticker.value)}.`}
      </Strip>
    );
  }
  if (state.kind === "live" && outage !== undefined) {
    return (
      <Strip tone="attention" title={conditionTitles.unavailable}>
        Your credential could not be renewed yet. You stay signed in; the next try is in{" "}
        {formatCountdown(outage.nextTryAt - ticker.value)}.
      </Strip>
    );
  }
  switch (state.kind) {
    case "refreshing":
      if (isBlip) return null;
      return (
        <Strip tone="calm" title={conditionTitles.expired} said={state.failure.text}>
          {describeFailure(state.failure)} You stay signed in and your wards come back by themselves.
        </Strip>
      );
    case "reconnecting":
      if (isBlip) return null;
      return (
        <Strip tone="attention" title={conditionTitles.unavailable} said={state.failure.text} canReconnect>
          {describeFailure(state.failure)} {nextTry(state.nextTryAt, ticker.value)}
        </Strip>
      );
    case "closed":
      return <ClosedStrip state={state} now={ticker.value} />;
    case "idle":
    case "connecting":
    case "live":
    case "denied":
      return null;
  }
}

function ClosedStrip({ state, now }: { readonly state: ConnectionState & { kind: "closed" }; readonly now: number }) {
  const { failure, nextTryAt } = state;
  if (nextTryAt === undefined) {
    return (
      <Strip tone="problem" title="The server ended the connection" said={failure.text} canReconnect isLast>
        {failure.text === "" ? "It gave no reason." : describeFailure(failure)} It is not tried again by itself.
      </Strip>
    );
  }
  return (
    <Strip tone="problem" title="The service still cannot be reached" said={failure.text} canReconnect>
      {describeFailure(failure)} You stay signed in. {nextTry(nextTryAt, now)}
    </Strip>
  );
}

function nextTry(at: number, now: number): string {
  const leftMs = at - now;
  return leftMs > 1_000 ? `Next try in ${formatCountdown(leftMs)}.` : "Trying now.";
}

interface StripProps {
  readonly tone: "calm" | "attention" | "problem";
  readonly title: string;
  readonly said?: string;
  readonly canReconnect?: boolean;
  readonly isLast?: boolean;
  readonly children: unknown;
}

function Strip({ tone, title, said = "", canReconnect = false, isLast = false, children }: StripProps): JSX.Element {
  const { clinic } = usePage();
  return (
    <section class={`strip ${tone}`} data-testid="status-strip" aria-label="Connection status">
      <div class="strip-words">
        <strong>{title}.</strong> <span>{children as string}</span>
        {said === "" ? null : <code>{said}</code>}
      </div>
      {canReconnect ? (
        <button type="button" class="button" data-testid="reconnect" onClick={() => clinic.connection.reconnectNow()}>
          {isLast ? "Connect again" : "Reconnect now"}
        </button>
      ) : null}
    </section>
  );
}
