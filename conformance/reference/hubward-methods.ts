/** The methods that every hub of the reference has, on Hubward. */

import {
  ClientError,
  hasRole,
  HubError,
  type App,
  type Call,
  type Departure,
  type HubOptions,
  type Principal,
} from "@hubward/server";
import * as v from "valibot";
import { anything, text } from "../../tests/support/schemas.js";

type Events = {
  said: [what: string];
  done: [];
  several: [one: string, two: number, three: null, four: readonly number[]];
  bytes: [bytes: Uint8Array];
  number: [number: number];
};

const int32 = v.pipe(v.number(), v.integer(), v.minValue(-(2 ** 31)), v.maxValue(2 ** 31 - 1));
const bytes = v.nullable(v.union([v.string(), v.instance(Uint8Array)]));
/** What clients are asked for. */
export const question: { readonly result: v.GenericSchema<string | null> } = { result: v.nullable(text) };

/** What one hub has beyond its methods. */
export interface HubWishes extends HubOptions {
  readonly connected?: ((call: Call<Principal, Events>) => unknown) | undefined;
  readonly disconnected?: ((departure: Departure<Principal, Events>) => unknown) | undefined;
}

/** Mounts one hub. All have the same methods. */
export function declareHub(
  app: App<Principal>,
  path: string,
  { connected = () => undefined, disconnected = () => undefined, ...options }: HubWishes,
): void {
  const gates = new Gates();
  const everybody = app.policy("Everybody", () => true);
  const doctors = app.policy("Doctors", hasRole("doctor"));
  const group = app.group(`${path.slice("/hubs/".length)}/{name}`, { name: text }).allow(everybody);
  const named = (name: string): ReturnType<typeof group> => group({ name } as never);

  app
    .hub<Events>(path, options)
    .allow(everybody)
    .connected(connected)
    .disconnected(disconnected)
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
      Abort: m.handle((call) => call.abort()),

      Count: m.args(int32).stream((_call, count) => upTo(count)),
      CountChannel: m.args(int32).stream((_call, count) => Array.from({ length: count }, (_, index) => index + 1)),
      CountLater: m.args(int32).stream((_call, count) => Promise.resolve(upTo(count))),
      Texts: m.stream(() => ["one", null]),
      CountThenFail: m.args(int32, text).stream(async function* (_call, count, message) {
        yield* upTo(count);
        throw new HubError(message);
      }),
      CountThenCrash: m.args(int32).stream(async function* (_call, count) {
        yield* upTo(count);
        throw new Error("a secret of the server");
      }),
      FailBeforeStream: m.args(text).stream((_call, message): readonly number[] => {
        throw new HubError(message);
      }),
      NoStream: m.stream(() => null as unknown as readonly number[]),
      Endless: m.args(text).stream(async function* ({ signal }, gate) {
        try {
          yield "first";
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
        } finally {
          gates.open(gate);
        }
      }),
      Gated: m.args(int32, text).stream(async function* ({ signal }, count, gate) {
        for (let number = 1; number <= count; number++) {
          await gates.pass(`${gate}-${number}`, signal);
          yield number;
        }
      }),
      DoctorsCount: m
        .args(int32)
        .allow(doctors)
        .stream((_call, count) => upTo(count)),

      Sum: m.uploads(int32).handle((_call, items) => sum(items)),
      SumChannel: m.uploads(int32).handle((_call, items) => sum(items)),
      SumBetween: m
        .args(int32, int32)
        .uploads(int32)
        .handle(async (_call, before, after, items) => `${before} ${await sum(items)} ${after}`),
      SumTwo: m.uploads(int32, int32).handle(async (_call, one, two) => [await sum(one), await sum(two)]),
      Swallow: m.uploads(int32).handle(async (_call, items) => {
        await sum(items);
      }),
      SumThenOpen: m
        .args(text)
        .uploads(int32)
        .handle(async (_call, gate, items) => {
          try {
            await sum(items);
          } finally {
            gates.open(gate);
          }
        }),
      IgnoreUpload: m.uploads(int32).handle(() => "ignored"),
      FirstOf: m.uploads(int32).handle(async (_call, items) => {
        for await (const item of items) return item;
        return 0;
      }),
      UploadOutcome: m.uploads(int32).handle((_call, items) => outcome(async () => `sum ${await sum(items)}`)),
      Scale: m
        .args(int32)
        .uploads(int32)
        .stream(async function* (_call, factor, items) {
          for await (const item of items) yield item * factor;
        }),

      Ask: m.args(text).handle((call, what) => call.toCaller().invoke("answer", [what], question)),
      AskOutcome: m
        .args(text)
        .handle((call, what) =>
          outcome(async () => `answer ${(await call.toCaller().invoke("answer", [what], question)) ?? ""}`),
        ),
      AskConnection: m
        .args(text, text)
        .handle((call, id, what) => call.toConnection(id as never).invoke("answer", [what], question)),
      AskConnectionOutcome: m
        .args(text, text)
        .handle((call, id, what) =>
          outcome(
            async () => `answer ${(await call.toConnection(id as never).invoke("answer", [what], question)) ?? ""}`,
          ),
        ),

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

async function* upTo(count: number): AsyncGenerator<number, void> {
  for (let number = 1; number <= count; number++) {
    await Promise.resolve();
    yield number;
  }
}

async function sum(items: AsyncIterable<number>): Promise<number> {
  let total = 0;
  for await (const item of items) total += item;
  return total;
}

/** What came of it, or the error's kind and text. */
async function outcome(work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    return describe(error);
  }
}

/** An error as its kind and text: what .NET has one name for has one here. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isTold = error instanceof HubError || error instanceof ClientError;
  return `${isTold ? "HubException" : error.name}: ${error.message}`;
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
