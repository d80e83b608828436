/**
 * The hubs of the reference server, declared on Hubward: paths, methods and settings as the table in README.md
 * says, as far as Hubward has them.
 */

import { createServer, type Server } from "node:http";
import { hasRole, HubError, hubward, type App, type HubOptions, type Principal } from "@hubward/server";
import { attach } from "@hubward/server/node";
import { systemClock } from "../../packages/server/src/platform/system-clock.js";
import * as v from "valibot";
import { anything, text } from "../../tests/support/schemas.js";
import { listen, shut } from "../../tests/support/server.js";
import { createIssuer } from "../../tests/support/tokens.js";
import type { Target } from "./runner/run.js";

export interface HubwardServer extends Target {
  stop(): Promise<void>;
}

type Events = {
  said: [what: string];
  done: [];
  several: [one: string, two: number, three: null, four: readonly number[]];
  bytes: [bytes: Uint8Array];
  number: [number: number];
};

const int32 = v.pipe(v.number(), v.integer(), v.minValue(-(2 ** 31)), v.maxValue(2 ** 31 - 1));
const bytes = v.nullable(v.union([v.string(), v.instance(Uint8Array)]));

/** Hubs that differ in their settings only. */
const hubs: Readonly<Record<string, HubOptions>> = {
  "/hubs/main": {},
  "/hubs/detailed": { detailedErrors: true },
  "/hubs/parallel": { maxParallelInvocations: 2 },
  "/hubs/small": { maxMessageBytes: 1024 },
  "/hubs/resumable": { statefulReconnect: true },
  "/hubs/web-sockets": { transports: ["WebSockets"] },
  "/hubs/server-sent-events": { transports: ["ServerSentEvents"] },
  "/hubs/long-polling": { transports: ["LongPolling"] },
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

function declareHub(app: App<Principal>, path: string, options: HubOptions): void {
  const gates = new Gates();
  const everybody = app.policy("Everybody", () => true);
  const doctors = app.policy("Doctors", hasRole("doctor"));
  const group = app.group(`${path.slice("/hubs/".length)}/{name}`, { name: text }).allow(everybody);
  const named = (name: string): ReturnType<typeof group> => group({ name } as never);

  app
    .hub<Events>(path, options)
    .allow(everybody)
    .methods((m) => ({
      Echo: m.args(anything).handle((_call, value) => value),
      EchoBytes: m.args(bytes).handle((_call, value) => value),
      Add: m.args(int32, int32).handle((_call, a, b) => a + b),
      Describe: m
        .args(v.nullable(text), int32, v.boolean())
        .handle((_call, what, number, flag) => `${what ?? ""} ${number} ${flag ? "yes" : "no"}`),
      Nothing: m.handle(() => undefined),
      NothingLater: m.handle(async () => {
        await Promise.resolve();
      }),
      Null: m.handle(() => null),
      NullLater: m.handle(() => Promise.resolve(null)),
      EchoLater: m.args(anything).handle(async (_call, value) => {
        await Promise.resolve();
        return value;
      }),
      renamed: m.handle(() => "renamed"),
      Who: m.handle(({ principal, connectionId }) => `${principal.subject} ${connectionId}`),

      Fail: m.args(text).handle((_call, message) => {
        throw new HubError(message);
      }),
      FailLater: m.args(text).handle(async (_call, message) => {
        await Promise.resolve();
        throw new HubError(message);
      }),
      FailWithoutText: m.handle(() => {
        throw new HubError("");
      }),
      Crash: m.handle(() => {
        throw new Error("a secret of the server");
      }),
      Doctors: m.allow(doctors).handle(() => "open"),
      DoctorsAdd: m
        .args(int32, int32)
        .allow(doctors)
        .handle((_call, a, b) => a + b),

      Wait: m.args(text).handle(async ({ signal }, gate) => {
        await gates.pass(gate, signal);
        return gate;
      }),
      Open: m.args(text).handle((_call, gate) => gates.open(gate)),

      Join: m.args(text).handle((call, name) => call.groups.join(named(name))),
      Leave: m.args(text).handle((call, name) => {
        call.groups.leave(named(name));
      }),
      TellGroup: m.args(text, text).handle((call, name, what) => call.to(named(name)).emit("said", what)),
      TellOthersInGroup: m
        .args(text, text)
        .handle((call, name, what) => call.to(named(name)).except(call.connectionId).emit("said", what)),
      TellGroupExcept: m.args(text, text, text).handle((call, name, what, id) =>
        call
          .to(named(name))
          .except(id as never)
          .emit("said", what),
      ),
      TellAll: m.args(text).handle((call, what) => call.toAll().emit("said", what)),
      TellAllExcept: m.args(text, text).handle((call, what, id) =>
        call
          .toAll()
          .except(id as never)
          .emit("said", what),
      ),
      TellOthers: m.args(text).handle((call, what) => call.toOthers().emit("said", what)),
      TellCaller: m.args(text).handle((call, what) => call.toCaller().emit("said", what)),
      TellUser: m.args(text, text).handle((call, subject, what) => call.toPrincipal({ subject }).emit("said", what)),
      TellConnection: m.args(text, text).handle((call, id, what) => call.toConnection(id as never).emit("said", what)),
      TellNothing: m.handle((call) => call.toCaller().emit("done")),
      TellSeveral: m.handle((call) => call.toCaller().emit("several", "one", 2, null, [3, 4])),
      TellBytes: m.handle((call) => call.toCaller().emit("bytes", Uint8Array.of(1, 2, 255))),
      TellMany: m.args(int32).handle((call, count) => {
        for (let number = 1; number <= count; number++) call.toCaller().emit("number", number);
      }),
    }));
}

/** What one call waits for and another opens. Whoever passes closes the gate behind him. */
class Gates {
  readonly #opened = new Map<string, { readonly opened: Promise<void>; readonly open: () => void }>();

  open(name: string): void {
    this.#gate(name).open();
  }

  async pass(name: string, signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    await Promise.race([this.#gate(name).opened, aborted]);
    this.#opened.delete(name);
  }

  #gate(name: string): { readonly opened: Promise<void>; readonly open: () => void } {
    const known = this.#opened.get(name);
    if (known !== undefined) return known;
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const gate = { opened, open };
    this.#opened.set(name, gate);
    return gate;
  }
}
