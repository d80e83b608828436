/**
 * The hubs of the reference server, declared on Hubward: paths, methods and settings as the table in README.md
 * says, as far as Hubward has them.
 */

import { createServer, type Server } from "node:http";
import { HubError, hubward } from "@hubward/server";
import { attach } from "@hubward/server/node";
import { systemClock } from "../../packages/server/src/platform/system-clock.js";
import { listen, shut } from "../../tests/support/server.js";
import { createIssuer } from "../../tests/support/tokens.js";
import { declareHub, describe, question, type HubWishes } from "./hubward-methods.js";
import type { Target } from "./runner/run.js";

export interface HubwardServer extends Target {
  stop(): Promise<void>;
}

const refuse = (): never => {
  throw new Error("a secret of the server");
};

/** Every hub has every method. Some have a setting, some a hook. */
const hubs: Readonly<Record<string, HubWishes>> = {
  "/hubs/main": {},
  "/hubs/detailed": { detailedErrors: true },
  "/hubs/parallel": { maxParallelInvocations: 2 },
  "/hubs/small": { maxMessageBytes: 1024 },
  "/hubs/resumable": { statefulReconnect: true },
  // There is no setting for the encodings of one hub, nor for the lowest version of negotiate.
  "/hubs/json-only": {},
  "/hubs/version-one": {},
  "/hubs/web-sockets": { transports: ["WebSockets"] },
  "/hubs/server-sent-events": { transports: ["ServerSentEvents"] },
  "/hubs/long-polling": { transports: ["LongPolling"] },
  // Every hub closes connections whose credential expired.
  "/hubs/expiring": {},
  "/hubs/greeting": {
    connected: (call) => call.toCaller().emit("said", "welcome"),
    disconnected: (gone) => gone.toAll().emit("said", `gone: ${gone.reason === "normal" ? "no error" : gone.reason}`),
  },
  "/hubs/refusing": { connected: refuse },
  "/hubs/refusing-detailed": { detailedErrors: true, connected: refuse },
  "/hubs/refusing-hub-exception": {
    connected() {
      throw new HubError("not today");
    },
  },
  "/hubs/aborting": { connected: (call) => call.abort() },
  "/hubs/asking": {
    async connected(call) {
      try {
        await call.toCaller().invoke("answer", ["at connect"], question);
      } catch (error) {
        call.toCaller().emit("said", describe(error));
      }
    },
  },
};

export async function startHubward(): Promise<HubwardServer> {
  const issuer = await createIssuer(systemClock);
  const common = {
    authenticator: issuer.authenticator,
    principal: ({ claims }: { readonly claims: Readonly<Record<string, unknown>> }) => ({
      roles: (claims["roles"] as readonly string[] | undefined) ?? [],
    }),
    allowedOrigins: ["https://app.example"],
    allowQueryToken: true,
    // ASP.NET Core has none.
    limits: false as const,
    telemetry: () => undefined,
  };
  const app = hubward(common);
  for (const [path, options] of Object.entries(hubs)) declareHub(app, path, options);
  // Times hold for a whole application.
  const impatient = hubward({ ...common, keepAliveMs: 900, clientTimeoutMs: 2_000, handshakeTimeoutMs: 300 });
  declareHub(impatient, "/hubs/impatient", {});

  let sessions = 0;
  const server: Server = createServer();
  attach(server, app);
  attach(server, impatient);
  const port = await listen(server);
  return {
    port,
    patienceMs: 3_500,
    // Sessions whose connections end early are held back at their next negotiate: so each has its own.
    token: (subject, { roles, lifetime }) =>
      issuer.token(subject, { roles, lifetime, claims: { sid: `session-${++sessions}` } }),
    async stop() {
      await Promise.all([app.close(), impatient.close()]);
      await shut(server);
    },
  };
}
