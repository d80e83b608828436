import { describe, expect, it } from "vitest";
import { createFakeClock, settle } from "./fake-clock.js";
import type { WardId } from "./hub-contract.js";
import { createWards } from "./wards.js";

function open(answer: (call: string, times: number) => Error | undefined = () => undefined) {
  const clock = createFakeClock();
  const calls: string[] = [];
  const told: string[] = [];
  const wards = createWards({
    ids: ["icu", "er"],
    clock,
    random: () => 0,
    invoke: (method: string, ward: WardId) => {
      const call = `${method} ${ward}`;
      calls.push(call);
      const error = answer(call, calls.filter((other) => other === call).length);
      return error === undefined ? Promise.resolve(null) : Promise.reject(error);
    },
    onJoined: (ward) => told.push(`joined ${ward}`),
    onLeft: (ward) => told.push(`left ${ward}`),
    onRefused: (ward, failure) => told.push(`refused ${ward}: ${failure.detail ?? ""}`),
  });
  return { clock, wards, calls, told };
}

describe("watching wards", () => {
  it("waits for a connection, joins on it, and joins again on the next", async () => {
    const { wards, calls } = open();
    wards.want("icu");
    await settle();
    expect(calls).toEqual([]);
    wards.connected();
    await settle();
    expect(wards.standing("icu").value).toEqual({ kind: "joined" });
    wards.disconnected();
    expect(wards.standing("icu").value).toEqual({ kind: "joining" });
    wards.connected();
    await settle();
    expect(calls).toEqual(["SubscribeToWard icu", "SubscribeToWard icu"]);
    expect(wards.standing("icu").value).toEqual({ kind: "joined" });
  });

  it("a refusal is told, ends the wish and is not repeated on the next connection", async () => {
    const { wards, calls, told } = open((call) =>
      call.endsWith("er") ? new Error("forbidden: this ward needs a matching department") : undefined,
    );
    wards.connected();
    wards.toggle("er");
    await settle();
    expect(wards.standing("er").value).toMatchObject({ kind: "refused", failure: { condition: "denied" } });
    expect(told).toEqual(["refused er: this ward needs a matching department", "left er"]);
    wards.disconnected();
    wards.connected();
    await settle();
    expect(calls).toEqual(["SubscribeToWard er"]);
  });

  it("a ward whose right was lost meanwhile is dropped when it is joined again", async () => {
    const { wards, told } = open((_call, times) => (times === 2 ? new Error("forbidden: moved") : undefined));
    wards.connected();
    wards.want("icu");
    await settle();
    wards.disconnected();
    wards.connected();
    await settle();
    expect(told).toEqual(["joined icu", "refused icu: moved", "left icu"]);
  });

  it("toggling quickly ends where the last click left it", async () => {
    const { wards, calls } = open();
    wards.connected();
    wards.toggle("icu");
    wards.toggle("icu");
    await settle();
    expect(wards.standing("icu").value).toEqual({ kind: "off" });
    expect(calls).toEqual(["SubscribeToWard icu", "UnsubscribeFromWard icu"]);
  });

  it("a server that is too busy is asked again later, not counted as a refusal", async () => {
    const { clock, wards, told } = open((_call, times) =>
      times === 1 ? new Error("rate_limited;action=retry-after;retry_after=3") : undefined,
    );
    wards.connected();
    wards.want("icu");
    await settle();
    expect(wards.standing("icu").value).toEqual({ kind: "joining" });
    await clock.advance(3_000);
    expect(told).toEqual(["joined icu"]);
  });

  it("signing out forgets every wish", async () => {
    const { wards, calls } = open();
    wards.want("icu");
    wards.reset();
    wards.connected();
    await settle();
    expect(calls).toEqual([]);
    expect(wards.standing("icu").value).toEqual({ kind: "off" });
  });
});
