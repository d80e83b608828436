/** The page: signing in, or the dashboard. */
import type { ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Clinic } from "../clinic.js";
import type { ThemeChoice } from "../theme.js";
import { PageProvider } from "./context.js";
import { Dashboard } from "./dashboard.js";
import { SignIn } from "./sign-in.js";

export interface AppProps {
  readonly clinic: Clinic;
  readonly ticker: ReadonlySignal<number>;
  readonly theme: ThemeChoice;
}

export function App({ clinic, ticker, theme }: AppProps): JSX.Element {
  const session = clinic.session.state.value;
  return (
    <PageProvider value={{ clinic, ticker, theme }}>
      {session.phase === "active" ? (
        <Dashboard />
      ) : session.phase === "restoring" && session.outage === undefined ? (
        <p class="splash" role="status">
          Looking for your session
        </p>
      ) : (
        <SignIn />
      )}
    </PageProvider>
  );
}
