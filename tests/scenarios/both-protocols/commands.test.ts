/** A command takes effect at most once, however often it is sent and over whatever connection. */

import { describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import type { Peer, Protocol } from "./protocol.js";
import { protocols, runWard, variants, type Ward } from "./ward.js";

const said = ({ heard }: Peer): readonly unknown[] => heard.items.map(([, what]) => what);

async function member(ward: Ward, protocol: Protocol, subject = "ada"): Promise<Peer> {
  const peer = await ward.enter(protocol, subject);
  await peer.join("icu");
  return peer;
}

describe.each(variants)("$name", (protocol) => {
  test("sent again, over this connection or the next, is answered and has no second effect", async () => {
    const ward = await runWard();
    const witness = await member(ward, protocol, "ben");
    const first = await member(ward, protocol);
    expect([
      await first.order("icu", "aspirin", "command-1"),
      await first.order("icu", "aspirin", "command-1"),
    ]).toEqual(["ok", "ok"]);
    await ward.lose(first);
    const second = await member(ward, protocol);
    expect(await second.order("icu", "aspirin", "command-1")).toBe("ok");
    expect(await second.order("icu", "aspirin", "command-2")).toBe("ok");
    await witness.heard.take(2);
    expect([ward.orders, ward.begun, said(witness)]).toEqual([
      ["ada aspirin", "ada aspirin"],
      2,
      ["aspirin", "aspirin"],
    ]);
  });

  test("whose network fails while it runs takes effect, and its answer is there for who comes back", async () => {
    const ward = await runWard();
    let open: () => void = () => undefined;
    ward.gate = new Promise((resolve) => (open = resolve));
    const witness = await member(ward, protocol, "ben");
    const first = await member(ward, protocol);
    void first.order("icu", "aspirin", "command-1").catch(() => undefined);
    await until(() => ward.begun === 1);
    await ward.lose(first);
    const second = await member(ward, protocol);
    const again = second.order("icu", "aspirin", "command-1");
    open();
    expect([await again, ward.orders, ward.begun]).toEqual(["ok", ["ada aspirin"], 1]);
    ward.tell("icu", "end");
    await witness.heard.first(([, what]) => what === "end");
    expect(said(witness)).toEqual(["aspirin", "end"]);
  });

  test("at the same time over several connections has one effect, and all are told the same", async () => {
    const ward = await runWard();
    let open: () => void = () => undefined;
    ward.gate = new Promise((resolve) => (open = resolve));
    const peers = await Promise.all([1, 2, 3].map(() => member(ward, protocol)));
    const answers = peers.flatMap((peer) => [1, 2].map(() => peer.order("icu", "aspirin", "command-1")));
    await until(() => ward.begun > 0);
    open();
    expect(new Set(await Promise.all(answers))).toEqual(new Set(["ok"]));
    expect([ward.orders, ward.begun]).toEqual([["ada aspirin"], 1]);
  });

  test("with something else in it is a conflict, somebody else's is their own, and without an id there is none", async () => {
    const ward = await runWard();
    const [ada, ben] = [await member(ward, protocol), await member(ward, protocol, "ben")];
    expect([
      await ada.order("icu", "aspirin", "command-1"),
      await ada.order("icu", "morphine", "command-1"),
      await ben.order("icu", "morphine", "command-1"),
      await ada.order("icu", "aspirin", ""),
    ]).toEqual([
      "ok",
      "idempotency_conflict;action=fix-request",
      "ok",
      expect.stringMatching(/^bad_(arguments|request);/),
    ]);
    expect(ward.orders).toEqual(["ada aspirin", "ben morphine"]);
  });

  test("that failed is told how, in the same words, and does not run again", async () => {
    const ward = await runWard();
    const ada = await member(ward, protocol);
    for (let time = 0; time < 2; time++)
      expect([await ada.order("icu", "none", "a"), await ada.order("icu", "poison", "b")]).toEqual([
        "application_error: out of stock",
        "internal_error;action=retry-after",
      ]);
    expect([ward.begun, ward.orders]).toEqual([2, []]);
  });

  test("that was refused is not used up, and one that was not is told of to nobody who may not ask", async () => {
    const ward = await runWard();
    const ada = await member(ward, protocol);
    ward.directory.set("ada", ["clerk"]);
    const clerk = await member(ward, protocol);
    expect(await clerk.order("icu", "aspirin", "command-1")).toBe("forbidden: nurses only");
    expect(await ada.order("icu", "aspirin", "command-1")).toBe("ok");
    expect(await clerk.order("icu", "aspirin", "command-1")).toBe("forbidden: nurses only");
    expect(ward.orders).toEqual(["ada aspirin"]);
  });
});

test("the same id in a hub's method and in a room's message is of two commands: each has its effect, once", async () => {
  const ward = await runWard();
  const peers = await Promise.all(protocols.map((protocol) => member(ward, protocol)));
  for (let time = 0; time < 2; time++)
    for (const peer of peers) expect(await peer.order("icu", "aspirin", "command-1")).toBe("ok");
  expect([ward.orders, ward.begun]).toEqual([["ada aspirin", "ada aspirin"], 2]);
});
