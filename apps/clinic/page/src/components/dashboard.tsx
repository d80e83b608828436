/** The dashboard: who and how connected above, wards in the middle, orders and the log beside. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { wardIds } from "../hub-contract.js";
import { AdminPanel } from "./admin-panel.js";
import { AlarmSummary } from "./alarm-summary.js";
import { usePage } from "./context.js";
import { DeniedPanel } from "./denied-panel.js";
import { Header } from "./header.js";
import { LogPanel } from "./log-panel.js";
import { OrdersFeed } from "./orders-feed.js";
import { RefusalBanner } from "./refusal-banner.js";
import { StatusStrip } from "./status-strip.js";
import { WardSection } from "./ward-section.js";
import { WardToggles } from "./ward-toggles.js";

export function Dashboard(): JSX.Element {
  const { clinic } = usePage();
  const title = useRef<HTMLHeadingElement>(null);
  const { kind: connection } = clinic.connection.state.value;
  const isDenied = connection === "denied";
  const isAdministrator = clinic.identity.value?.roles.includes("admin") === true;
  const isNothingWatched = wardIds.every((ward) => {
    const { kind } = clinic.wards.standing(ward).value;
    return kind === "off" || kind === "refused";
  });

  // The form that had the focus is gone; start reading here.
  useEffect(() => title.current?.focus({ preventScroll: true }), []);

  return (
    <>
      <a class="skip-link" href="#wards">
        Skip to the wards
      </a>
      <Header />
      <StatusStrip />
      <div class="layout">
        <main id="wards" tabIndex={-1}>
          <h1 ref={title} tabIndex={-1} class="visually-hidden">
            Ward dashboard
          </h1>
          {isDenied ? (
            <DeniedPanel />
          ) : (
            <>
              <RefusalBanner />
              {isAdministrator ? <AdminPanel /> : null}
              <div class="ward-bar">
                <WardToggles />
                <AlarmSummary />
              </div>
              {isNothingWatched ? <p class="muted">No ward is watched. Switch one on to see its patients.</p> : null}
              {wardIds.map((ward) => (
                <WardSection key={ward} ward={ward} />
              ))}
            </>
          )}
        </main>
        <aside class="side" aria-label="Orders and server log">
          {isDenied ? null : <OrdersFeed />}
          <LogPanel />
        </aside>
      </div>
    </>
  );
}
