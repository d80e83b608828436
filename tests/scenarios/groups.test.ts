/** Groups that the application itself keeps, with the stock client. */

import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import type { App, ConnectionId, GroupReference, Principal } from "@hubward/server";
import { expect, onTestFinished, test } from "vitest";
import { Recorder } from "../support/recorder.js";
import { openWebSocket } from "../support/raw-web-socket.js";
import { outcomeOf, runApp, type RunningApp, type Started } from "../support/running-app.js";
import { anything, word } from "../support/schemas.js";
import { bearer } from "../support/server.js";
import { until } from "../support/until.js";

const HUB = "/hubs/teams";

interface Teams {
  readonly running: RunningApp<Staff>;
  readonly team: (values: { readonly team: string }) => GroupReference<Staff>;
  readonly ward: (values: { readonly ward: string }) => GroupReference<Staff>;
  /** What the ward's rule waits for, and how often it was asked. */
  readonly gate: { answer: Promise<boolean>; asked: number };
}

type Staff = Principal<{ readonly department: string }>;

async function runTeams(tenantClaim?: string): Promise<Teams> {
  const gate = { answer: Promise.resolve(true), asked: 0 };
  const declared: Pick<Teams, "team" | "ward">[] = [];
  const running = await runApp<{ readonly department: string }>(
    ({ claims }) => ({ department: String(claims["department"]) }),
    (app: App<Staff>) => {
      const anyone = app.policy("Anyone", () => true);
      const ownWard = app.policy("OwnWard", async ({ principal }, name: string) => {
        gate.asked++;
        return (await gate.answer) && principal.department === name;
      });
      const team = app.group("team/{team}", { team: word }).assigned();
      const ward = app.group("ward/{ward}", { ward: word }).allow(ownWard, (values) => values.ward);
      declared.push({ team, ward });
      app
        .hub(HUB)
        .allow(anyone)
        .methods((m) => ({
          // What a method hands on as a group although a peer sent it.
          JoinWhatIsSent: m.args(anything).handle((call, sent) => call.groups.join(sent as GroupReference<Staff>)),
          // The application's own decision: everybody may be on the day shift, and on no other.
          JoinDayShift: m.handle((call) => call.groups.join(team({ team: "day" }))),
          JoinWard: m.args(word).handle((call, name) => call.groups.join(ward({ ward: name }))),
          Done: m.handle((call) => call.toCaller().emit("done")),
        }));
    },
    { tenantClaim },
  );
  const [groups] = declared;
  if (groups === undefined) throw new TypeError("nothing was declared");
  return { running, gate, ...groups };
}

const events = ["said", "done"];
const idOf = ({ connection }: Started): ConnectionId => connection.connectionId as ConnectionId;

async function heardBy({ connection, heard }: Started): Promise<readonly unknown[]> {
  const before = heard.items.filter(([name]) => name === "done").length;
  await connection.invoke("Done");
  await heard.take(before + 1, ([name]) => name === "done");
  return heard.items.filter(([name]) => name === "said").map(([, what]) => what);
}

test("the application puts a connection into a group, by its id, and takes it out again", async () => {
  const { running, team } = await runTeams();
  const { app } = running;
  const [ada, ben] = [await running.connect(HUB, "ada", {}, events), await running.connect(HUB, "ben", {}, events)];
  const night = team({ team: "night" });
  expect(await app.groups.add({ connection: idOf(ada) }, night)).toEqual({ joined: 1, refused: [] });
  app.to(night).emit("said", "to the night shift");
  expect(await heardBy(ada)).toEqual(["to the night shift"]);
  // Said and taken out in one turn: what is queued has been given to nobody yet.
  app.to(night).emit("said", "too late");
  expect(await app.groups.remove({ connection: idOf(ada) }, night)).toEqual({ removed: 1 });
  app.to(night).emit("said", "to nobody");
  expect([await heardBy(ada), await heardBy(ben)]).toEqual([["to the night shift"], []]);
});

test("all connections of a principal, and those alone; a later one has to be put in, and an end gives back", async () => {
  const { running, team } = await runTeams();
  const { app } = running;
  const [first, second] = [
    await running.connect(HUB, "ada", {}, events),
    await running.connect(HUB, "ada", {}, events),
  ];
  await running.connect(HUB, "ben", {}, events);
  const night = team({ team: "night" });
  expect(await app.groups.add({ subject: "ada" }, night)).toEqual({ joined: 2, refused: [] });
  const third = await running.connect(HUB, "ada", {}, events);
  app.to(night).emit("said", "hello");
  expect([await heardBy(first), await heardBy(second), await heardBy(third)]).toEqual([["hello"], ["hello"], []]);
  expect(app.groups.members(night).map(({ connectionId, subject }) => [connectionId, subject])).toEqual([
    [idOf(first), "ada"],
    [idOf(second), "ada"],
  ]);
  await first.connection.stop();
  await running.telemetry.first(({ event }) => event === "connection.closed");
  expect(app.groups.count(night)).toBe(1);
  expect(app.groups.list()).toEqual([
    { pattern: "team/{team}", values: { team: "night" }, tenant: undefined, size: 1 },
  ]);
});

test("a group's own rule is asked about each connection, also when the application adds it", async () => {
  const { running, ward } = await runTeams();
  const icu = await running.connect(HUB, "ada", { claims: { department: "icu" } }, events);
  const er = await running.connect(HUB, "ada", { claims: { department: "er" } }, events);
  const addition = await running.app.groups.add({ subject: "ada" }, ward({ ward: "icu" }));
  expect(addition).toMatchObject({ joined: 1, refused: [{ connectionId: idOf(er), reason: "forbidden" }] });
  running.app.to(ward({ ward: "icu" })).emit("said", "icu only");
  expect([await heardBy(icu), await heardBy(er)]).toEqual([["icu only"], []]);
});

test("nothing a peer sends makes it a member of an assigned group; a method's own decision does", async () => {
  const { running, team } = await runTeams();
  const { app } = running;
  const ada = await running.connect(HUB, "ada", {}, events);
  const { template, values } = team({ team: "night" });
  const sent: readonly unknown[] = [
    "team/night",
    { template: { ...template }, values },
    JSON.parse(JSON.stringify({ template, values })),
    { template: { pattern: "team/{team}", parameters: ["team"], requirements: [] }, values },
    null,
  ];
  for (const group of sent) {
    expect(await outcomeOf(ada.connection.invoke("JoinWhatIsSent", group))).toContain("An unexpected error occurred");
  }
  expect(app.groups.list()).toEqual([]);
  await ada.connection.invoke("JoinDayShift");
  app.to(team({ team: "day" })).emit("said", "good morning");
  expect(await heardBy(ada)).toEqual(["good morning"]);
});

test("taken out while the rule is still being asked: the join comes to nothing, whatever the rule says", async () => {
  const { running, ward, gate } = await runTeams();
  const ada = await running.connect(HUB, "ada", { claims: { department: "icu" } }, events);
  let open: (answer: boolean) => void = () => undefined;
  gate.answer = new Promise((resolve) => (open = resolve));
  const icu = ward({ ward: "icu" });
  const byApplication = running.app.groups.add({ subject: "ada" }, icu);
  const byPeer = outcomeOf(ada.connection.invoke("JoinWard", "icu"));
  await until(() => gate.asked === 2);
  expect(await running.app.groups.remove({ subject: "ada" }, icu)).toEqual({ removed: 1 });
  const again = running.app.groups.add({ subject: "ada" }, icu);
  expect(await running.app.groups.remove({ subject: "ada" }, icu)).toEqual({ removed: 1 });
  open(true);
  for (const addition of [await byApplication, await again]) {
    expect(addition).toMatchObject({ joined: 0, refused: [{ reason: "superseded" }] });
  }
  expect(await byPeer).toMatch(/^superseded/);
  expect(running.app.groups.count(icu)).toBe(0);
  expect(await running.app.groups.add({ subject: "ada" }, icu)).toMatchObject({ joined: 1 });
});

test("tenants have groups of their own, and the application itself those of nobody", async () => {
  const { running, team } = await runTeams("tid");
  const { app } = running;
  const [general, annex] = [
    await running.connect(HUB, "ada", { claims: { tid: "general" } }, events),
    await running.connect(HUB, "ada", { claims: { tid: "annex" } }, events),
  ];
  const night = team({ team: "night" });
  for (const groups of [app.groups, app.tenant("annex").groups, app.tenant("").groups]) {
    expect(await groups.add({ connection: idOf(general) }, night)).toEqual({ joined: 0, refused: [] });
  }
  expect(await app.tenant("general").groups.add({ subject: "ada" }, night)).toMatchObject({ joined: 1 });
  expect(await app.tenant("annex").groups.remove({ connection: idOf(general) }, night)).toEqual({ removed: 0 });
  app.tenant("general").to(night).emit("said", "general");
  app.tenant("annex").to(night).emit("said", "annex");
  expect([await heardBy(general), await heardBy(annex)]).toEqual([["general"], []]);
  expect([app.tenant("general").groups.list().length, app.tenant("annex").groups.list()]).toEqual([1, []]);
});

test.each(["WebSockets", "ServerSentEvents", "LongPolling"] as const)(
  "over %s a removal resolves, and nothing of the group comes after it",
  async (transport) => {
    const { running, team } = await runTeams();
    const { app, port, issuer } = running;
    const connection = new HubConnectionBuilder()
      .configureLogging(LogLevel.None)
      .withUrl(`http://127.0.0.1:${port}${HUB}`, {
        transport: HttpTransportType[transport],
        accessTokenFactory: () => issuer.token("ada"),
      })
      .build();
    const heard = new Recorder<readonly unknown[]>();
    for (const event of events) connection.on(event, (...args: readonly unknown[]) => heard.push([event, ...args]));
    await connection.start();
    onTestFinished(() => connection.stop());
    const ada = { connection, heard };
    const night = team({ team: "night" });
    expect(await app.groups.add({ subject: "ada" }, night)).toEqual({ joined: 1, refused: [] });
    app.to(night).emit("said", "in time");
    expect(await heardBy(ada)).toEqual(["in time"]);
    app.to(night).emit("said", "queued");
    expect(await app.groups.remove({ subject: "ada" }, night)).toEqual({ removed: 1 });
    app.to(night).emit("said", "too late");
    expect(await heardBy(ada)).toEqual(["in time"]);
  },
);

test("what waits for a peer that does not keep up is not sent any more once it has been taken out", async () => {
  const { running, team } = await runTeams();
  const { app, port, issuer } = running;
  const slow = await openWebSocket({ port, path: HUB, headers: bearer(await issuer.token("slow")) });
  await slow.shakeHands();
  const night = team({ team: "night" });
  await app.groups.add({ subject: "slow" }, night);
  slow.socket.pause();
  const chunk = "x".repeat(32_000);
  for (let number = 0; number < 20; number++) {
    app.to(night).emit("said", number, chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await app.groups.remove({ subject: "slow" }, night)).toEqual({ removed: 1 });
  app.toPrincipal({ subject: "slow" }).emit("done");
  slow.answersPings = true;
  slow.socket.resume();
  await slow.messages.first(({ target }) => target === "done");
  const numbers = slow.messages.items.flatMap((message) =>
    message["target"] === "said" ? [(message["arguments"] as readonly number[])[0]] : [],
  );
  // What the kernel had been given arrives, in order; of what was held back, nothing.
  expect(numbers).toEqual(numbers.map((_, index) => index));
  expect(numbers.length).toBeGreaterThan(0);
  expect(numbers.length).toBeLessThan(15);
  slow.end();
});
