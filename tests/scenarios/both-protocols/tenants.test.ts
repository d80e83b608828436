/** One tenant never sees another's frame: rooms of the same name, people of the same name, over either protocol. */

import { describe, expect, test } from "vitest";
import type { Peer, Protocol } from "./protocol.js";
import { protocols, runWard, variants, type Ward } from "./ward.js";

const said = ({ heard }: Peer): readonly unknown[] => heard.items.map(([, what]) => what);

const enter = async (ward: Ward, protocol: Protocol, tid: string, subject = "ada"): Promise<Peer> => {
  const peer = await ward.enter(protocol, subject, { claims: { tid } });
  expect(await peer.join("icu")).toBe("ok");
  return peer;
};

/** Every peer has heard everything up to here. */
async function settle(ward: Ward, peers: readonly Peer[]): Promise<void> {
  ward.app.everyTenant().toAll().emit("vitals", "end");
  for (const peer of peers) await peer.heard.first(([, what]) => what === "end");
}

describe.each(variants)("$name", (protocol) => {
  test("what is said in one tenant's room is not said in another's of the same name, nor to its people", async () => {
    const ward = await runWard({ tenantClaim: "tid" });
    const [general, annex] = [await enter(ward, protocol, "general"), await enter(ward, protocol, "annex")];
    expect(await general.say("icu", "note", "said")).toBe("ok");
    expect(await general.order("icu", "aspirin", "command-1")).toBe("ok");
    const { app } = ward;
    app.tenant("general").to(ward.ward("icu")).emit("vitals", "room");
    app.tenant("general").toAll().emit("vitals", "all");
    app.tenant("general").toPrincipal({ subject: "ada" }).emit("vitals", "person");
    for (const outside of [app, app.tenant(""), app.tenant("GENERAL"), app.tenant("general ")])
      outside.to(ward.ward("icu")).emit("vitals", "nobody");
    await settle(ward, [general, annex]);
    expect([said(general), said(annex)]).toEqual([["said", "aspirin", "room", "all", "person", "end"], ["end"]]);
  });

  test.each(["general9:ward/{ward}", "7:general", "general ", "GENERAL", "general/ward"])(
    "a tenant called %j hears nothing of general's",
    async (tid) => {
      const ward = await runWard({ tenantClaim: "tid" });
      const [general, spy] = [await enter(ward, protocol, "general"), await enter(ward, protocol, tid, "spy")];
      expect(await general.say("icu", "note", "secret")).toBe("ok");
      await settle(ward, [general, spy]);
      expect([said(general), said(spy)]).toEqual([["secret", "end"], ["end"]]);
    },
  );

  test("the same person's command of one tenant is not that of another", async () => {
    const ward = await runWard({ tenantClaim: "tid" });
    for (const tid of ["general", "annex"]) {
      const ada = await enter(ward, protocol, tid);
      expect(await ada.order("icu", "aspirin", "command-1")).toBe("ok");
    }
    expect(ward.orders).toHaveLength(2);
  });

  test("a token of another tenant, or of none, renews nothing; none opens nothing", async () => {
    const ward = await runWard({ tenantClaim: "tid" });
    const general = await enter(ward, protocol, "general");
    expect([
      await general.reauthenticate(await ward.token("ada", { lifetime: 600, claims: { tid: "annex" } })),
      await general.reauthenticate(await ward.token("ada", { lifetime: 600 })),
    ]).toEqual(["principal_mismatch;action=relogin", "invalid_token;action=relogin"]);
    expect(await ward.refusal(protocol, { token: await ward.token() })).toEqual({
      code: 401,
      reason: "invalid_token;action=relogin",
    });
    expect(await general.say("icu", "note", "still here")).toBe("ok");
  });
});

test("tenants are kept apart across protocols, too", async () => {
  const ward = await runWard({ tenantClaim: "tid" });
  const peers: Record<string, Peer> = {};
  for (const tid of ["general", "annex"])
    for (const protocol of protocols) peers[`${tid} by ${protocol.kind}`] = await enter(ward, protocol, tid);
  for (const [name, peer] of Object.entries(peers)) expect(await peer.say("icu", "note", name)).toBe("ok");
  await settle(ward, Object.values(peers));
  for (const [name, peer] of Object.entries(peers)) {
    const [tid] = name.split(" ");
    expect(said(peer)).toEqual([`${tid} by hub`, `${tid} by rooms`, "end"]);
  }
});
