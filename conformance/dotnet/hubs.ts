/** The hubs that the .NET client's scenarios call, on Hubward: as much of reference/README.md as they need. */

import { createServer } from "node:http";
import { ClientError, hasRole, HubError, hubward, type App, type HubOptions, type Principal } from "@hubward/server";
import { attach } from "@hubward/server/node";
import * as v from "valibot";
import { systemClock } from "../../packages/server/src/platform/system-clock.js";
import { anything, text } from "../../tests/support/schemas.js";
import { listen, shut } from "../../tests/support/server.js";
import { createIssuer } from "../../tests/support/tokens.js";

export interface DotnetHubs {
  readonly url: string;
  readonly token: string;
  stop(): Promise<void>;
}

type Events = {
  said: [what: string];
  done: [];
  several: [one: string, two: number, three: null, four: readonly number[]];
  bytes: [bytes: Uint8Array];
};

const int32 = v.pipe(v.number(), v.integer(), v.minValue(-(2 ** 31)), v.maxValue(2 ** 31 - 1));
const bytes = v.nullable(v.union([v.string(), v.instance(Uint8Array)]));

export async function startDotnetHubs(): Promise<DotnetHubs> {
  const issuer = await createIssuer(systemClock);
  const app = hubward({
    authenticator: issuer.authenticator,
    principal: ({ claims }) => ({ roles: (claims["roles"] as readonly string[] | undefined) ?? [] }),
    telemetry: () => undefined,
    limits: false,
  });
  const everybody = app.policy("Everybody", () => true);
  declare(app, "/hubs/main", {});
  declare(app, "/hubs/resumable", { statefulReconnect: true });
  app
    .hub("/hubs/refusing-hub-exception")
    .allow(app.policy("Nobody", () => false, { message: "not today" }))
    .methods((m) => ({ Nothing: m.allow(everybody).handle(() => undefined) }));
  const server = createServer();
  attach(server, app);
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    token: await issuer.token("ada"),
    async stop() {
      await app.close();
      await shut(server);
    },
  };
}

function declare(app: App<Principal>, path: string, options: HubOptions): void {
  const gates = new Map<string, PromiseWithResolvers>();
  const gate = (name: string): PromiseWithResolvers => {
    const known = gates.get(name) ?? deferred();
    gates.set(name, known);
    return known;
  };
  const everybody = app.policy(`Everybody of ${path}`, () => true);
  const group = app.group(`${path.slice("/hubs/".length)}/{name}`, { name: v.pipe(text, v.regex(/^[a-z]+$/)) });
  const named = group.allow(everybody);
  app
    .hub<Events>(path, options)
    .allow(everybody)
    .methods((m) => ({
      Echo: m.args(anything).handle((_call, value) => value),
      EchoBytes: m.args(bytes).handle((_call, value) => value),
      Add: m.args(int32, int32).handle((_call, a, b) => a + b),
      Nothing: m.handle(() => undefined),
      Abort: m.handle((call) => call.abort()),
      Null: m.handle(() => null),
      Fail: m.args(text).handle((_call, message) => {
        throw new HubError(message);
      }),
      Crash: m.handle(() => {
        throw new Error("a secret of the server");
      }),
      Doctors: m.allow(app.policy(`Doctors of ${path}`, hasRole("doctor"))).handle(() => "open"),
      TellCaller: m.args(text).handle((call, what) => call.toCaller().emit("said", what)),
      TellNothing: m.handle((call) => call.toCaller().emit("done")),
      TellSeveral: m.handle((call) => call.toCaller().emit("several", "one", 2, null, [3, 4])),
      TellBytes: m.handle((call) => call.toCaller().emit("bytes", Uint8Array.of(1, 2, 255))),
      Join: m.args(text).handle((call, name) => call.groups.join(named({ name }))),
      Leave: m.args(text).handle((call, name) => call.groups.leave(named({ name }))),
      TellGroup: m.args(text, text).handle((call, name, what) => call.to(named({ name })).emit("said", what)),
      Wait: m.args(text).handle(async (_call, name) => {
        await gate(name).promise;
        return name;
      }),
      Count: m.args(int32).stream((_call, to) => Array.from({ length: to }, (_, index) => index + 1)),
      CountThenFail: m.args(int32, text).stream(function* (_call, to, message) {
        for (let count = 1; count <= to; count++) yield count;
        throw new HubError(message);
      }),
      Endless: m.args(text).stream(async function* ({ signal }, name) {
        yield "first";
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
        gate(name).resolve();
      }),
      Sum: m.uploads(int32).handle((_call, numbers) => sum(numbers)),
      SumTwo: m.uploads(int32, int32).handle(async (_call, first, second) => [await sum(first), await sum(second)]),
      Scale: m
        .args(int32)
        .uploads(int32)
        .stream(async function* (_call, factor, numbers) {
          for await (const number of numbers) yield number * factor;
        }),
      Ask: m.args(text).handle(async (call, question) => {
        try {
          return await call.toCaller().invoke("answer", [question], { result: text, signal: call.signal });
        } catch (error) {
          // ASP.NET Core hands the client's words on by itself; here the application decides.
          throw error instanceof ClientError ? new HubError(error.message) : error;
        }
      }),
    }));
}

async function sum(numbers: AsyncIterable<number>): Promise<number> {
  let total = 0;
  for await (const number of numbers) total += number;
  return total;
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function deferred(): PromiseWithResolvers {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
