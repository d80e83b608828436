/** The demo where a browser finds it: at its own address over http, behind a relay that ends TLS over https. */

import { startDemo, type Demo, type DemoOptions } from "./demo.js";
import { startRelay, type Relay, type Scheme } from "./relay.js";

export interface ClinicSite {
  /** What stands in the address bar. */
  readonly origin: string;
  readonly demo: Demo;
  stop(): Promise<void>;
}

export interface RelayedSite extends ClinicSite {
  readonly relay: Relay;
}

export async function startSite(scheme: Scheme, options: Omit<DemoOptions, "publicOrigin"> = {}): Promise<ClinicSite> {
  if (scheme === "https") return await startRelayedSite(scheme, options);
  const demo = await startDemo(options);
  return { origin: demo.origin, demo, stop: demo.stop };
}

/** With a relay in between that can be told to fail. */
export async function startRelayedSite(
  scheme: Scheme,
  options: Omit<DemoOptions, "publicOrigin"> = {},
): Promise<RelayedSite> {
  const relay = await startRelay(scheme);
  const demo = await startDemo({ ...options, publicOrigin: relay.origin }).catch(async (error: unknown) => {
    await relay.close();
    throw error;
  });
  relay.aim(demo.port);
  return {
    origin: relay.origin,
    demo,
    relay,
    async stop() {
      await demo.stop();
      await relay.close();
    },
  };
}
