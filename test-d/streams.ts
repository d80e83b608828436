/** Streams, uploads, client results, filters and hooks: inferred from schemas and generators, and never `any`. */

import type { Authentication, Call, ConnectionId, Departure, Hub, Method, StreamMethod } from "@hubward/server";
import { z } from "zod";
import { app, doctors, ownWard, staff, type Staff } from "./app.js";
import type { Equal, Expect, HasNoAny, IsNotAny } from "./expect.js";

const length = z.string().transform((text) => text.length);
const reading = z.object({ heartRate: z.number() });

export const hub = app
  .hub("/streams")
  .allow(staff)
  .methods((m) => ({
    Count: m.args(z.number()).stream(async function* (call, to) {
      type _ = [Expect<Equal<typeof to, number>>, Expect<Equal<typeof call, Call<Staff, unknown>>>];
      yield to;
    }),
    List: m.stream(() => ["a", "b"]),
    Later: m.stream(async () => new Set([1])),
    Promised: m.stream(() => [Promise.resolve(true)]),
    Web: m.stream((): ReadableStream<bigint> => new ReadableStream()),
    Upload: m
      .args(z.string())
      .uploads(reading, length)
      .handle(async (_call, ward, readings, lengths) => {
        type _ = [
          Expect<Equal<typeof ward, string>>,
          Expect<Equal<typeof readings, AsyncIterable<{ heartRate: number }>>>,
          Expect<Equal<typeof lengths, AsyncIterable<number>>>,
        ];
        return true;
      }),
    Both: m
      .allow(doctors)
      .uploads(length)
      .stream(async function* (_call, lengths) {
        for await (const each of lengths) yield [each];
      }),
    Guarded: m
      .args(z.string())
      .allow(ownWard, (ward) => ward)
      .stream((_call, ward) => [ward]),
    Ask: m.handle(async (call) => {
      const answer = await call.toCaller().invoke("who", [1], { result: length });
      type _ = [Expect<Equal<typeof answer, number>>];
      return answer;
    }),
  }));

type Methods = typeof hub extends Hub<infer _P, infer _Events, infer M> ? M : never;
type ArgsOf<Name extends keyof Methods> = Methods[Name] extends Method<infer Args, infer _Result> ? Args : never;
type ResultOf<Name extends keyof Methods> = Methods[Name] extends Method<infer _Args, infer Result> ? Result : never;
type ItemOf<Name extends keyof Methods> = Name extends unknown
  ? Methods[Name] extends StreamMethod<infer _Args, infer Item>
    ? Item
    : never
  : never;

type ItemsOf<Streamed> = Streamed extends AsyncIterable<infer Item> ? Item : never;

type _Items = [
  Expect<Equal<ItemOf<"Count">, number>>,
  Expect<Equal<ItemOf<"List">, string>>,
  Expect<Equal<ItemOf<"Later">, number>>,
  Expect<Equal<ItemOf<"Promised">, boolean>>,
  Expect<Equal<ItemOf<"Web">, bigint>>,
  Expect<Equal<ItemOf<"Both">, number[]>>,
  Expect<Equal<ItemOf<"Guarded">, string>>,
];
// What goes into the schemas is what a client passes, streams included.
type _Inputs = [
  Expect<Equal<ArgsOf<"Count">, readonly [number]>>,
  Expect<Equal<ArgsOf<"List">, readonly []>>,
  Expect<Equal<ArgsOf<"Upload">, readonly [string, AsyncIterable<{ heartRate: number }>, AsyncIterable<string>]>>,
  Expect<Equal<ArgsOf<"Both">, readonly [AsyncIterable<string>]>>,
  Expect<Equal<ResultOf<"Upload">, boolean>>,
  Expect<Equal<ResultOf<"Ask">, number>>,
];
type _NothingIsAny = [
  Expect<IsNotAny<Methods[keyof Methods]>>,
  Expect<HasNoAny<ItemOf<keyof Methods>>>,
  Expect<HasNoAny<ArgsOf<"Count" | "Guarded">>>,
  // Not the whole: TypeScript's own AsyncIterable returns `any` when it is done.
  Expect<HasNoAny<ItemsOf<ArgsOf<"Upload" | "Both">[number]>>>,
];

app
  .hub("/stream-mistakes")
  .allow(staff)
  .methods((m) => ({
    // @ts-expect-error a number cannot be read item by item
    NoStream: m.stream(() => 1),
    // @ts-expect-error a schema is a Standard Schema
    NoSchema: m.uploads(String).handle(() => 1),
    // @ts-expect-error there is one upload
    TooMany: m.uploads(length).handle((_call, _lengths, more: AsyncIterable<number>) => more),
    // @ts-expect-error a stream has no outcome that could be told again
    Command: m.once(() => "id").stream(() => []),
    // @ts-expect-error nor is one that takes streams a command
    Uploading: m.uploads(length).once(() => "id"),
  }));

// Without a policy of the hub's there is no stream before a policy of the method's.
app.hub("/stream-unguarded").methods((m) => ({
  // @ts-expect-error nothing guards it
  Open: m.stream(() => [1]),
  // @ts-expect-error nothing guards what it takes either
  Taking: m.uploads(length).handle(() => 1),
  Guarded: m.allow(staff).stream(() => [1]),
}));
app
  .hub("/stream-reserved")
  .allow(staff)
  // @ts-expect-error as a stream's name
  .methods((m) => ({ "hubward.x": m.stream(() => [1]) }));

type WardEvents = { vitals: [reading: number] };
app
  .hub<WardEvents>("/hooks")
  .filter((call, args, next) => {
    type _ = [
      Expect<Equal<typeof call.principal, Staff>>,
      Expect<Equal<typeof args, readonly unknown[]>>,
      Expect<Equal<ReturnType<typeof next>, Promise<unknown>>>,
    ];
    return next();
  })
  .allow(staff)
  .connected((call) => {
    type _ = [Expect<Equal<typeof call, Call<Staff, WardEvents>>>];
    call.toCaller().emit("vitals", 80);
    // @ts-expect-error a reading is a number
    call.toCaller().emit("vitals", "80");
  })
  .disconnected((departure) => {
    type _ = [
      Expect<Equal<typeof departure, Departure<Staff, WardEvents>>>,
      Expect<Equal<typeof departure.principal, Staff>>,
      Expect<Equal<typeof departure.authentication, Authentication>>,
      Expect<Equal<typeof departure.connectionId, ConnectionId>>,
      Expect<IsNotAny<typeof departure.reason>>,
    ];
    departure.toAll().emit("vitals", 0);
    // @ts-expect-error who has gone joins no group
    departure.groups.join();
  })
  .methods((m) => ({
    Ask: m.handle(async (call) => {
      // @ts-expect-error without a schema an answer would be anything
      await call.toCaller().invoke("who", []);
      // @ts-expect-error a reserved name
      await call.toCaller().invoke("hubward.who", [], { result: length });
      // @ts-expect-error many cannot be asked for one answer
      await call.toAll().invoke("who", [], { result: length });
    }),
  }));
