/** Coming in: each way there is lets the same person in, and nothing is done or told before that. */

import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ask } from "../../support/server.js";
import { HUB, PAGE, ROOMS } from "./places.js";
import { protocols, runWard, variants } from "./ward.js";
import { WatchedSocket } from "./watched-socket.js";

describe.each(variants)("$name", (protocol) => {
  test.each(protocol.ways)("lets somebody in by %s, who may then join and is told", async (way) => {
    const ward = await runWard();
    const origin = way === "cookie" ? PAGE : undefined;
    const peer = await ward.knock(protocol, { token: await ward.token(), way, origin });
    expect(await peer.join("icu")).toBe("ok");
    ward.tell("icu", "97");
    expect(await peer.heard.first()).toEqual(["vitals", "97"]);
    const opened = await ward.telemetry.first(({ event }) => event === "connection.opened");
    expect(opened).toMatchObject({ principal: { subject: "ada", roles: ["nurse"] } });
    expect([undefined, "connectionId" in opened && opened.connectionId]).toContain(peer.id);
  });
});

// By hand on a WebSocket: what comes before any encoding is the same in each of them.
describe.each(protocols)("$name", (protocol) => {
  test("is nobody's before it knows whose: what is sent too early is not done, and nothing is told", async () => {
    const ward = await runWard();
    const member = await ward.enter(protocol, "ada");
    await member.join("icu");
    const path = protocol.kind === "hub" ? HUB : ROOMS;
    const headers = protocol.kind === "hub" ? { authorization: `Bearer ${await ward.token("eve")}` } : {};
    // On a hub who is known has not shaken hands; in rooms nobody has said who they are.
    const early = new WatchedSocket(`ws://127.0.0.1:${ward.port}${path}`, [], { headers });
    early.on("open", () => {
      early.send('{"type":"join","room":"ward/icu"}\x1e');
      early.send('{"type":"publish","room":"ward/icu","event":"note","payload":"early"}\x1e');
      early.send('{"type":1,"target":"Join","arguments":["icu"]}\x1e');
      early.send('{"type":1,"target":"note","arguments":["icu","early"]}\x1e');
    });
    await early.end;
    expect(early.readyState).toBe(WebSocket.CLOSED);
    ward.tell("icu", "after");
    expect(await member.heard.first()).toEqual(["vitals", "after"]);
    expect(ward.app.groups.count(ward.ward("icu"))).toBe(1);
    expect(early.frames.items.join("")).not.toContain("after");
  });

  test("does not wait for ever for who never says who they are, and tells them nothing meanwhile", async () => {
    const ward = await runWard();
    const path = protocol.kind === "hub" ? HUB : ROOMS;
    const headers = protocol.kind === "hub" ? { authorization: `Bearer ${await ward.token("eve")}` } : {};
    const silent = new WatchedSocket(`ws://127.0.0.1:${ward.port}${path}`, [], { headers });
    await new Promise((resolve) => silent.once("open", resolve));
    ward.app.toAll().emit("vitals", "for those who are in");
    ward.clock.advance(protocol.kind === "hub" ? 15_000 : 5_000);
    expect(await silent.end).toMatchObject({ code: 4408 });
    expect(silent.frames.items.join("")).not.toContain("vitals");
  });
});

test("a ticket of one protocol is worth nothing at the other", async () => {
  const ward = await runWard();
  const authorization = `Bearer ${await ward.token()}`;
  const give = async (path: string, member: string): Promise<string> => {
    const { status, body } = await ask(ward.port, { method: "POST", path, headers: { authorization } });
    expect(status).toBe(200);
    return (JSON.parse(body) as Readonly<Record<string, string>>)[member] ?? "";
  };
  const ofRooms = await give(`${ROOMS}/ticket`, "ticket");
  const ofHub = await give(`${HUB}/negotiate?negotiateVersion=1`, "accessToken");
  for (const path of [`${ROOMS}?ticket=${ofHub}`, `${HUB}?access_token=${ofRooms}`]) {
    const { refusal } = new WatchedSocket(`ws://127.0.0.1:${ward.port}${path}`);
    expect(await refusal).toEqual({ status: 401, body: '{"error":"ticket_invalid;action=reconnect"}' });
  }
});
