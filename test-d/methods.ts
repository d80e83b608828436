/** Arguments, results and calls: what a schema says is what a handler gets, and what a client will see. */

import type { Authentication, Call, ConnectionId, Hub, Method } from "@hubward/server";
import * as v from "valibot";
import { z } from "zod";
import { app, doctors, staff, type Staff } from "./app.js";
import type { Equal, Expect, HasNoAny, IsNotAny } from "./expect.js";

const trimmed = z.string().transform((text) => text.trim().length);
const withDefault = z.number().default(1);
const valibotDate = v.pipe(
  v.string(),
  v.transform((text) => new Date(text)),
);
const patient = z.object({ id: z.string(), beds: z.array(z.number()).optional() });

export const hub = app
  .hub("/methods")
  .allow(staff)
  .methods((m) => ({
    Zod: m.args(z.string(), patient).handle((call, text, record) => {
      type _ = [
        Expect<Equal<typeof text, string>>,
        Expect<Equal<typeof record, { id: string; beds?: number[] | undefined }>>,
        Expect<Equal<typeof call, Call<Staff, unknown>>>,
      ];
      return record.beds ?? [];
    }),
    Transformed: m.args(trimmed, withDefault).handle((_call, length, count) => {
      type _ = [Expect<Equal<typeof length, number>>, Expect<Equal<typeof count, number>>];
      return length > count;
    }),
    Valibot: m.args(valibotDate, v.optional(v.boolean())).handle((_call, date, flag) => {
      type _ = [Expect<Equal<typeof date, Date>>, Expect<Equal<typeof flag, boolean | undefined>>];
      return { at: date.getTime(), flag };
    }),
    Union: m.args(z.union([z.literal("a"), z.literal("b")])).handle((_call, letter) => {
      type _ = [Expect<Equal<typeof letter, "a" | "b">>];
      return letter;
    }),
    Later: m.args(z.string()).handle(async (_call, text) => {
      await Promise.resolve();
      return [text];
    }),
    Nothing: m.handle(() => undefined),
    NothingLater: m.handle(async () => {
      await Promise.resolve();
    }),
    Nobody: m.handle(() => null),
    Sometimes: m.handle((): Promise<number> | string => "now"),
    NoArguments: m.handle((...given) => {
      type _ = [Expect<Equal<(typeof given)["length"], 1>>];
      return 0;
    }),
    Command: m
      .args(z.string(), z.number())
      .allow(doctors)
      .once((id, amount) => {
        type _ = [Expect<Equal<typeof id, string>>, Expect<Equal<typeof amount, number>>];
        return id;
      })
      .handle((_call, id, amount) => ({ id, amount })),
  }));

type Methods = typeof hub extends Hub<infer _P, infer _Events, infer M> ? M : never;
type ArgsOf<Name extends keyof Methods> = Methods[Name] extends Method<infer Args, infer _Result> ? Args : never;
type ResultOf<Name extends keyof Methods> = Methods[Name] extends Method<infer _Args, infer Result> ? Result : never;

// A client passes what goes into the schemas, and gets what the handler's promise holds.
type _Inputs = [
  Expect<Equal<ArgsOf<"Zod">, [string, { id: string; beds?: number[] | undefined }]>>,
  Expect<Equal<ArgsOf<"Transformed">, [string, number | undefined]>>,
  Expect<Equal<ArgsOf<"Valibot">, [string, boolean | undefined]>>,
  Expect<Equal<ArgsOf<"Union">, ["a" | "b"]>>,
  Expect<Equal<ArgsOf<"NoArguments">, []>>,
  Expect<Equal<ArgsOf<"Command">, [string, number]>>,
];
type _Results = [
  Expect<Equal<ResultOf<"Zod">, number[]>>,
  Expect<Equal<ResultOf<"Transformed">, boolean>>,
  Expect<Equal<ResultOf<"Valibot">, { at: number; flag: boolean | undefined }>>,
  Expect<Equal<ResultOf<"Union">, "a" | "b">>,
  Expect<Equal<ResultOf<"Later">, string[]>>,
  Expect<Equal<ResultOf<"Nothing">, undefined>>,
  Expect<Equal<ResultOf<"NothingLater">, void>>,
  Expect<Equal<ResultOf<"Nobody">, null>>,
  Expect<Equal<ResultOf<"Sometimes">, string | number>>,
  Expect<Equal<ResultOf<"Command">, { id: string; amount: number }>>,
];
type _NothingIsAny = [
  Expect<IsNotAny<Methods>>,
  Expect<IsNotAny<Methods[keyof Methods]>>,
  Expect<HasNoAny<ArgsOf<keyof Methods>>>,
  Expect<HasNoAny<ResultOf<keyof Methods>>>,
  Expect<HasNoAny<Call<Staff>["principal"]>>,
  Expect<Equal<keyof Methods & string, keyof Methods>>,
];

// What a call offers.
app
  .hub("/calls")
  .allow(staff)
  .methods((m) => ({
    Look: m.handle((call) => {
      type _ = [
        Expect<IsNotAny<typeof call>>,
        Expect<IsNotAny<typeof call.principal>>,
        Expect<Equal<typeof call.principal, Staff>>,
        Expect<Equal<typeof call.principal.department, string | null>>,
        Expect<Equal<typeof call.authentication, Authentication>>,
        Expect<Equal<typeof call.connectionId, ConnectionId>>,
        Expect<Equal<typeof call.expiresInSeconds, number>>,
        Expect<Equal<typeof call.signal, AbortSignal>>,
        Expect<Equal<typeof call.method, string>>,
      ];
      // @ts-expect-error a call cannot become somebody else's
      call.principal = {} as Staff;
      // @ts-expect-error any text is not a connection's id
      call.toConnection("not an id");
    }),
  }));

app
  .hub("/mistakes")
  .allow(staff)
  .methods((m) => ({
    // @ts-expect-error the argument is text
    WrongType: m.args(z.string()).handle((_call, text: number) => text),
    // @ts-expect-error there is one argument
    TooMany: m.args(z.string()).handle((_call, _text, second: string) => second),
    // @ts-expect-error a schema is a Standard Schema
    NoSchema: m.args(String).handle(() => 1),
    // @ts-expect-error a command's id is text
    NumericId: m.args(z.number()).once((id) => id),
    LateRule: m
      .args(z.string())
      .once((id) => id)
      // @ts-expect-error nothing can be added to a command but what it does
      .allow(doctors),
  }));

// Names that begin with `hubward.` are reserved.
app
  .hub("/reserved")
  .allow(staff)
  // @ts-expect-error as a method's name
  .methods((m) => ({ "hubward.x": m.handle(() => 1) }));
app
  .hub("/reserved-among-others")
  .allow(staff)
  // @ts-expect-error also among others
  .methods((m) => ({ Fine: m.handle(() => 1), "hubward.reauthenticate": m.handle(() => 1) }));
app
  .hub("/nearly-reserved")
  .allow(staff)
  .methods((m) => ({ hubward: m.handle(() => 1), hubwardX: m.handle(() => 1) }));
