/** The application goes away: everybody is told, what was said before still leaves, and nobody else comes in. */

import { describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import { WatchedSocket } from "./watched-socket.js";
import { HUB, ROOMS } from "./places.js";
import { protocols, runWard, variants } from "./ward.js";

describe.each(variants)("$name", (protocol) => {
  test("what was said before leaves, then the reason, then the close", async () => {
    const ward = await runWard();
    const ada = await ward.enter(protocol);
    await ada.join("icu");
    ward.tell("icu", "last words");
    const closing = ward.app.close();
    ward.tell("icu", "nobody hears this");
    expect(await ada.ended).toEqual({ code: 1001, reason: "going_away;action=retry-after" });
    await closing;
    expect([ada.frames().at(-1), ward.app.connectionCount]).toEqual(["end", 0]);
    const lastWords = ["vitals", "last words"];
    // Who polls and has no poll waiting comes later, perhaps as somebody whose credential has ended: it gets no events.
    const heard = protocol.transport === "LongPolling" ? [[], [lastWords]] : [[lastWords]];
    expect(heard).toContainEqual(ada.heard.items);
  });

  test("what runs is stopped and says nothing to anybody", async () => {
    const ward = await runWard();
    let open: () => void = () => undefined;
    ward.gate = new Promise((resolve) => (open = resolve));
    const ada = await ward.enter(protocol);
    await ada.join("icu");
    void ada.order("icu", "aspirin", "command-1").catch(() => undefined);
    await until(() => ward.begun === 1);
    const closing = ward.app.close();
    open();
    expect(await ada.ended).toMatchObject({ code: 1001 });
    await closing;
    expect(ada.heard.items).toEqual([]);
  });
});

// By hand on a WebSocket: nothing was said yet in any encoding.
describe.each(protocols)("$name", (protocol) => {
  test("who has not said who they are, and who waits to hear why not, are not forgotten", async () => {
    const ward = await runWard();
    const path = protocol.kind === "hub" ? HUB : ROOMS;
    const headers = protocol.kind === "hub" ? { authorization: `Bearer ${await ward.token("eve")}` } : {};
    const silent = new WatchedSocket(`ws://127.0.0.1:${ward.port}${path}`, [], { headers });
    await new Promise((resolve) => silent.once("open", resolve));
    await ward.app.close();
    expect(await silent.end).toMatchObject({ code: 1001 });
  });
});
