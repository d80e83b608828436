/** One tenant never sees another's frame. */

import { expect, test } from "vitest";
import { upgrade } from "../support/raw-web-socket.js";
import { runApp, type RunningApp, type Started } from "../support/running-app.js";
import { text, word } from "../support/schemas.js";
import { ask, bearer } from "../support/server.js";

const HUB = "/hubs/wards";

interface Hospitals {
  readonly running: RunningApp<unknown>;
  readonly tell: (tenant: string, ward: string, what: string) => void;
}

async function runHospitals(): Promise<Hospitals> {
  let tell: Hospitals["tell"] = () => undefined;
  const running = await runApp(
    () => ({}),
    (app) => {
      const anyone = app.policy("Anyone", () => true);
      const ward = app.group("ward/{ward}", { ward: word }).allow(anyone);
      tell = (tenant, name, what) =>
        app
          .tenant(tenant)
          .to(ward({ ward: name }))
          .emit("said", what);
      app
        .hub(HUB)
        .allow(anyone)
        .methods((m) => ({
          Join: m.args(text).handle((call, name) => call.groups.join(ward({ ward: name }))),
          TellWard: m.args(text, text).handle((call, name, what) => call.to(ward({ ward: name })).emit("said", what)),
          TellAll: m.args(text).handle((call, what) => call.toAll().emit("said", what)),
          TellOthers: m.args(text).handle((call, what) => call.toOthers().emit("said", what)),
          TellPrincipal: m
            .args(text, text)
            .handle((call, subject, what) => call.toPrincipal({ subject }).emit("said", what)),
          TellConnection: m
            .args(text, text)
            .handle((call, id, what) => call.toConnection(id as typeof call.connectionId).emit("said", what)),
          Done: m.handle((call) => call.toCaller().emit("done")),
        }));
    },
    { tenantClaim: "tid" },
  );
  return { running: running as unknown as RunningApp<unknown>, tell };
}

/** The same person by name, of the same ward, in two hospitals. */
async function meet(running: RunningApp<unknown>): Promise<{ readonly general: Started; readonly annex: Started }> {
  const of = async (tid: string): Promise<Started> => {
    const started = await running.connect(HUB, "ada", { claims: { tid } }, ["said", "done"]);
    await started.connection.invoke("Join", "icu");
    return started;
  };
  return { general: await of("general"), annex: await of("annex") };
}

async function heardBy({ connection, heard }: Started): Promise<readonly unknown[]> {
  await connection.invoke("Done");
  await heard.first(([name]) => name === "done");
  return heard.items.filter(([name]) => name === "said").map(([, what]) => what);
}

test("wards, people and everyone of one tenant are not those of another, whatever they are called", async () => {
  const { running, tell } = await runHospitals();
  const { general, annex } = await meet(running);
  await general.connection.invoke("TellWard", "icu", "ward");
  await general.connection.invoke("TellAll", "all");
  await general.connection.invoke("TellOthers", "others");
  await general.connection.invoke("TellPrincipal", "ada", "principal");
  tell("general", "icu", "from outside");
  running.app.tenant("general").toAll().emit("said", "tenant");
  running.app
    .tenant("general")
    .toPrincipal({ subject: "ada", issuer: "https://login.hubward.test/" })
    .emit("said", "person");
  expect(await heardBy(annex)).toEqual([]);
  expect(await heardBy(general)).toEqual(["ward", "all", "principal", "from outside", "tenant", "person"]);
});

test("a connection of another tenant cannot be spoken to, also by who knows its id", async () => {
  const { running } = await runHospitals();
  const { general, annex } = await meet(running);
  const id = annex.connection.connectionId ?? "";
  await general.connection.invoke("TellConnection", id, "psst");
  running.app
    .tenant("general")
    .toConnection(id as never)
    .emit("said", "psst");
  running.app.toConnection(id as never).emit("said", "psst");
  running.app
    .tenant("annex")
    .toConnection(id as never)
    .emit("said", "from its own");
  expect(await heardBy(annex)).toEqual(["from its own"]);
});

test("the application itself speaks to those without a tenant, which is nobody here", async () => {
  const { running } = await runHospitals();
  const { general, annex } = await meet(running);
  running.app.toAll().emit("said", "nobody");
  running.app.tenant("").toAll().emit("said", "nobody");
  running.app.tenant("-").toAll().emit("said", "nobody");
  running.app.everyTenant().toAll().emit("said", "everyone");
  expect(await heardBy(general)).toEqual(["everyone"]);
  expect(await heardBy(annex)).toEqual(["everyone"]);
});

test("names that would be one when they are joined are two: no tenant can forge its way into another's group", async () => {
  const { running, tell } = await runHospitals();
  const forged = ["general9:ward/{ward}", "7:general", "general ", "GENERAL", "general/ward"];
  const spies = await Promise.all(
    forged.map(async (tid) => {
      const spy = await running.connect(HUB, "spy", { claims: { tid } }, ["said", "done"]);
      await spy.connection.invoke("Join", "icu");
      return spy;
    }),
  );
  tell("general", "icu", "secret");
  for (const spy of spies) expect(await heardBy(spy)).toEqual([]);
});

test("a token without a tenant is no token here", async () => {
  const { running } = await runHospitals();
  const { connection } = running.build(HUB, "ada");
  await expect(connection.start()).rejects.toThrow("401");
});

test("a token of one tenant opens no connection that another negotiated", async () => {
  const { running } = await runHospitals();
  const { port, issuer } = running;
  const general = await issuer.token("ada", { claims: { tid: "general" } });
  const annex = await issuer.token("ada", { claims: { tid: "annex" } });
  const reply = await ask(port, {
    method: "POST",
    path: `${HUB}/negotiate?negotiateVersion=1`,
    headers: bearer(general),
  });
  const { connectionToken } = JSON.parse(reply.body) as { connectionToken: string };
  const path = `${HUB}?id=${connectionToken}`;
  expect(await upgrade({ port, path, headers: bearer(annex) })).toMatchObject({ isOpen: false, status: 404 });
  const own = await upgrade({ port, path, headers: bearer(general) });
  expect(own.isOpen).toBe(true);
  if (own.isOpen) own.webSocket.socket.destroy();
});
