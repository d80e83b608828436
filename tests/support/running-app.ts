/** An application on a real port, with its identity provider and its stock clients. Ended with the test. */

import { createServer, type RequestListener, type Server } from "node:http";
import type { Socket } from "node:net";
import { HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import {
  hubward,
  type App,
  type HubwardOptions,
  type Principal,
  type PrincipalMapping,
  type TelemetryEvent,
} from "@hubward/server";
import { attach, type AttachOptions } from "@hubward/server/node";
import { onTestFinished } from "vitest";
import { createFakeClock, type FakeClock } from "./fake-clock.js";
import { Recorder } from "./recorder.js";
import { listen, shut } from "./server.js";
import { createIssuer, type TestIssuer, type TokenOptions } from "./tokens.js";

export interface Started {
  readonly connection: HubConnection;
  /** Every event it heard: name and arguments. */
  readonly heard: Recorder<readonly unknown[]>;
}

export interface RunningApp<P> {
  readonly app: App<P>;
  readonly server: Server;
  readonly port: number;
  readonly clock: FakeClock;
  readonly issuer: TestIssuer;
  readonly telemetry: Recorder<TelemetryEvent>;
  /** Cuts every connection there is, as a failing network would. */
  cutNetwork(): void;
  /** A stock client for a hub, not started. A new token each time it is asked for one, by default of `issuer`. */
  build(hub: string, subject: string, options?: TokenOptions, events?: readonly string[], from?: TestIssuer): Started;
  connect(...args: Parameters<RunningApp<P>["build"]>): Promise<Started>;
}

export interface RunOptions extends Partial<HubwardOptions> {
  readonly tenantClaim?: string | undefined;
  /** Other requests' listener. */
  readonly listener?: RequestListener | undefined;
  readonly attachOptions?: AttachOptions | undefined;
}

export async function runApp<Attributes extends object>(
  principal: PrincipalMapping<Attributes>,
  declare: (app: App<Principal<Attributes>>) => void,
  { tenantClaim, listener, attachOptions, ...options }: RunOptions = {},
): Promise<RunningApp<Principal<Attributes>>> {
  const clock = createFakeClock();
  const issuer = await createIssuer(clock, { tenantClaim });
  const telemetry = new Recorder<TelemetryEvent>();
  const app = hubward({
    telemetry: telemetry.push,
    clock,
    authenticator: issuer.authenticator,
    ...options,
    principal,
  });
  declare(app);
  const server = createServer(listener);
  attach(server, app, attachOptions);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const port = await listen(server);
  const connections: HubConnection[] = [];
  onTestFinished(async () => {
    await Promise.all(connections.map((connection) => connection.stop()));
    await app.close();
    await shut(server);
  });

  const build: RunningApp<never>["build"] = (hub, subject, tokenOptions = {}, events = [], from = issuer) => {
    const connection = new HubConnectionBuilder()
      .configureLogging(LogLevel.None)
      .withUrl(`http://127.0.0.1:${port}${hub}`, { accessTokenFactory: () => from.token(subject, tokenOptions) })
      .withAutomaticReconnect([0, 0, 0])
      .build();
    connections.push(connection);
    const heard = new Recorder<readonly unknown[]>();
    for (const event of events) connection.on(event, (...args: readonly unknown[]) => heard.push([event, ...args]));
    return { connection, heard };
  };
  return {
    app,
    server,
    port,
    clock,
    issuer,
    telemetry,
    cutNetwork() {
      for (const socket of sockets) socket.destroy();
    },
    build,
    async connect(...args: Parameters<typeof build>) {
      const started = build(...args);
      await started.connection.start();
      return started;
    },
  };
}

/** What a promise came to, as text: its value in JSON, or the error's message. */
export function outcomeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    (value) => JSON.stringify(value) ?? "undefined",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}
