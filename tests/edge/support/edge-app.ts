/**
 * An application on a real port for clients that come by way of a proxy. Ended with the test; those that run side by
 * side bring their own `onTestFinished`, as `atEnd`.
 */

import { createServer, request as httpRequest, type RequestListener } from "node:http";
import { HubConnectionBuilder, LogLevel, type HubConnection, type IHttpConnectionOptions } from "@microsoft/signalr";
import { hubward, type App, type HubwardOptions, type Principal, type TelemetryEvent } from "@hubward/server";
import { attach, requirePolicy } from "@hubward/server/node";
import { onTestFinished, type TestContext } from "vitest";
import type { FakeClock } from "../../support/fake-clock.js";
import { Recorder } from "../../support/recorder.js";
import { text as textSchema } from "../../support/schemas.js";
import { listen, shut, type PlainReply, type PlainRequest } from "../../support/server.js";

export type EdgeApp = App<Principal>;

export interface RunningEdgeApp {
  readonly app: EdgeApp;
  readonly port: number;
  readonly telemetry: Recorder<TelemetryEvent>;
}

export interface EdgeAppOptions extends Partial<HubwardOptions> {
  readonly authenticator: HubwardOptions["authenticator"];
  readonly trustedProxies?: readonly string[] | undefined;
  /** Hears ordinary requests before the guarded route does. */
  readonly listener?: RequestListener | undefined;
}

/**
 * A hub `/hub` whose `WhoAmI` tells the subject, whose `Say` sends an event `said` to everybody; and `GET /me` behind
 * a guard, with the subject for an answer.
 */
export async function runEdgeApp(
  { trustedProxies, listener, ...options }: EdgeAppOptions,
  atEnd: TestContext["onTestFinished"] = onTestFinished,
): Promise<RunningEdgeApp> {
  const telemetry = new Recorder<TelemetryEvent>();
  const app = hubward({
    telemetry: telemetry.push,
    principal: ({ claims }) => ({ roles: Array.isArray(claims["roles"]) ? (claims["roles"] as string[]) : [] }),
    ...options,
  });
  const staff = app.policy("Staff", ({ principal }) => principal.hasRole("staff"));
  app
    .hub<{ said: [text: string] }>("/hub")
    .allow(staff)
    .methods((m) => ({
      WhoAmI: m.handle(({ principal }) => principal.subject),
      Say: m.args(textSchema).handle((call, said) => call.toAll().emit("said", said)),
    }));
  const guarded = requirePolicy(app, staff, (_request, response, { principal }) => {
    response.end(principal.subject);
  });
  const server = createServer((request, response) => {
    listener?.(request, response);
    void guarded(request, response);
  });
  attach(server, app, { trustedProxies });
  const port = await listen(server);
  atEnd(async () => {
    const closing = app.close();
    // A client that polls and does not come again is waited for; on a fake clock nobody else lets that time pass.
    if (options.clock !== undefined && "advance" in options.clock) (options.clock as FakeClock).advance(15_000);
    await closing;
    await shut(server);
  });
  return { app, port, telemetry };
}

/** A stock client, started and stopped with the test. */
export async function connectStock(
  url: string,
  options: IHttpConnectionOptions,
  atEnd: TestContext["onTestFinished"] = onTestFinished,
): Promise<HubConnection> {
  const connection = new HubConnectionBuilder().configureLogging(LogLevel.None).withUrl(url, options).build();
  atEnd(() => connection.stop());
  await connection.start();
  return connection;
}

/** A request from an address of its own: the whole of 127.0.0.0/8 is this machine. */
export function askFrom(
  localAddress: string,
  port: number,
  { method = "GET", path, headers = {}, body = "" }: PlainRequest,
): Promise<PlainReply> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, method, path, headers, localAddress, agent: false };
    const sent = httpRequest(options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
