/** A hub and a guarded route on a real port, for whatever authenticator, and stock clients that connect to it. */

import { createServer } from "node:http";
import { HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import { hubward, type App, type Authentication, type HubwardOptions, type TelemetryEvent } from "@hubward/server";
import { attach, requirePolicy } from "@hubward/server/node";
import type { Clock } from "@hubward/server/ports";
import { onTestFinished } from "vitest";
import { Recorder } from "../../support/recorder.js";
import { ask, bearer, listen, shut, type PlainReply } from "../../support/server.js";

export interface RunningHub {
  readonly app: Pick<App<never>, "revoke" | "carryOut">;
  readonly telemetry: Recorder<TelemetryEvent>;
  /** A stock client that presents what `accessToken` says at each attempt; not started. */
  build(accessToken: () => string): HubConnection;
  /** A stock client, connected. */
  connect(accessToken: string): Promise<HubConnection>;
  /** The guarded route. */
  getMe(accessToken: string): Promise<PlainReply>;
  /** The hub's own door. */
  negotiate(accessToken: string): Promise<PlainReply>;
}

export interface HubSetting {
  /** What the directory says of somebody. Default: what the credential says. */
  readonly rolesOf?: ((who: Authentication) => readonly string[]) | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

export async function runHub(
  authenticator: HubwardOptions["authenticator"],
  { rolesOf = ({ claims }) => claims["roles"] as readonly string[], clock }: HubSetting = {},
): Promise<RunningHub> {
  const telemetry = new Recorder<TelemetryEvent>();
  const app = hubward({
    authenticator,
    authenticationRefresh: true,
    principal: (authentication) => ({ roles: rolesOf(authentication) }),
    telemetry: telemetry.push,
    ...(clock === undefined ? {} : { clock }),
  });
  const staff = app.policy("Staff", ({ principal }) => principal.hasRole("doctor", "nurse"));
  app
    .hub("/hubs/clinic")
    .allow(staff)
    .methods((m) => ({ WhoAmI: m.handle(({ principal }) => `${principal.subject}: ${principal.roles.join()}`) }));
  const me = requirePolicy(app, staff, (_request, response, { principal }) => void response.end(principal.subject));
  const server = createServer((request, response) => void me(request, response));
  attach(server, app);
  const port = await listen(server);
  const connections: HubConnection[] = [];
  onTestFinished(async () => {
    await Promise.all(connections.map((connection) => connection.stop()));
    await app.close();
    await shut(server);
  });

  const build: RunningHub["build"] = (accessToken) => {
    const connection = new HubConnectionBuilder()
      .configureLogging(LogLevel.None)
      .withUrl(`http://127.0.0.1:${port}/hubs/clinic`, { accessTokenFactory: accessToken })
      .build();
    connections.push(connection);
    return connection;
  };
  return {
    app,
    telemetry,
    build,
    async connect(accessToken) {
      const connection = build(() => accessToken);
      await connection.start();
      return connection;
    },
    getMe: (accessToken) => ask(port, { path: "/me", headers: bearer(accessToken) }),
    negotiate: (accessToken) =>
      ask(port, { method: "POST", path: "/hubs/clinic/negotiate?negotiateVersion=1", headers: bearer(accessToken) }),
  };
}
