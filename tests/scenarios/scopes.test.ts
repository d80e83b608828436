/** Staff by one provider and devices by another, in one application, with the stock client. */

import { createServer, request as httpRequest, type RequestListener, type Server } from "node:http";
import { connect as connectTcp } from "node:net";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { forwardedIdentity, forwardedToken, hubward, type Principal, type Scope } from "@hubward/server";
import { attach, requirePolicy } from "@hubward/server/node";
import { expect, onTestFinished, test } from "vitest";
import { upgrade } from "../support/raw-web-socket.js";
import { outcomeOf, runApp, type RunningApp, type Started } from "../support/running-app.js";
import { text, word } from "../support/schemas.js";
import { ask, bearer, listen, shut } from "../support/server.js";
import { createFakeClock } from "../support/fake-clock.js";
import { createIssuer, type TestIssuer } from "../support/tokens.js";

const STAFF = "/hubs/staff";
const DEVICES = "/hubs/devices";
const DEVICE_ISSUER = "https://devices.hubward.test/";

type Device = Principal<{ readonly model: string }>;

interface Hospital {
  readonly running: RunningApp<Principal>;
  readonly devices: Scope<Device>;
  /** Signs with the same key as the staff's provider, so that only the issuer tells them apart. */
  readonly deviceIssuer: TestIssuer;
  connectDevice(subject: string): Promise<Started>;
}

async function runHospital(): Promise<Hospital> {
  const clock = createFakeClock();
  const deviceIssuer = await createIssuer(clock, { issuer: DEVICE_ISSUER });
  let opened: Scope<Device> | undefined;
  let routes: RequestListener = () => undefined;
  const running = await runApp(
    () => ({}),
    (app) => {
      const staff = app.policy("Staff", () => true);
      let orders = 0;
      const devices = app.scope({
        authenticator: deviceIssuer.authenticator,
        principal: ({ subject }) => ({ model: `model of ${subject}` }),
        principalId: ({ authentication }) => `device ${authentication.subject}`,
      });
      opened = devices;
      const monitors = devices.policy("Monitors", ({ principal }) => principal.model.startsWith("model"));
      const ward = app.group("ward/{ward}", { ward: word }).allow(staff);
      const order = (): number => ++orders;
      app
        .hub(STAFF)
        .allow(staff)
        .methods((m) => ({
          Join: m.args(text).handle((call, name) => call.groups.join(ward({ ward: name }))),
          Tell: m.args(text).handle((call, what) => call.toAll().emit("said", what)),
          Order: m
            .args(text)
            .once((id) => id)
            .handle(order),
          Done: m.handle((call) => call.toCaller().emit("done")),
        }));
      devices
        .hub(DEVICES)
        .allow(monitors)
        .methods((m) => ({
          Model: m.handle(({ principal }) => principal.model),
          // What a device has to say to the staff passes from one scope to the other through the application.
          Report: m.args(text, text).handle((_call, name, value) => app.to(ward({ ward: name })).emit("said", value)),
          Tell: m.args(text).handle((call, what) => call.toAll().emit("said", what)),
          Order: m
            .args(text)
            .once((id) => id)
            .handle(order),
          Done: m.handle((call) => call.toCaller().emit("done")),
        }));
      const forStaff = requirePolicy(app, staff, (_request, response) => void response.end("staff"));
      const forDevices = requirePolicy(devices, monitors, (_request, response, { principal }) => {
        response.end(principal.model);
      });
      routes = (request, response) => void (request.url === "/staff" ? forStaff : forDevices)(request, response);
    },
    { clock, listener: (request, response) => routes(request, response) },
  );
  if (opened === undefined) throw new TypeError("no scope was opened");
  return {
    running,
    devices: opened,
    deviceIssuer,
    connectDevice: (subject) => running.connect(DEVICES, subject, {}, ["said", "done"], deviceIssuer),
  };
}

async function heardBy({ connection, heard }: Started): Promise<readonly unknown[]> {
  await connection.invoke("Done");
  await heard.first(([name]) => name === "done");
  return heard.items.filter(([name]) => name === "said").map(([, what]) => what);
}

test("each hub takes its own provider's people, and refuses the other's with 401", async () => {
  const { running, deviceIssuer, connectDevice } = await runHospital();
  const person = await running.connect(STAFF, "seven");
  const device = await connectDevice("seven");
  expect(await device.connection.invoke("Model")).toBe("model of seven");
  expect(await outcomeOf(person.connection.invoke("Model"))).toContain("Method does not exist");
  for (const { connection } of [running.build(DEVICES, "seven"), running.build(STAFF, "seven", {}, [], deviceIssuer)]) {
    expect(await outcomeOf(connection.start())).toContain("401");
  }
  const refused = await running.telemetry.take(2, ({ event }) => event === "connection.refused");
  expect(refused).toMatchObject([
    { hub: DEVICES, reason: "invalid_token" },
    { hub: STAFF, reason: "invalid_token" },
  ]);
});

test("a ticket of one hub opens nothing at the other, also beside a connection token of the other", async () => {
  const { running, deviceIssuer } = await runHospital();
  const { port, issuer } = running;
  const negotiate = async (path: string, token: string): Promise<Record<string, string>> => {
    const reply = await ask(port, {
      method: "POST",
      path: `${path}/negotiate?negotiateVersion=1`,
      headers: bearer(token),
    });
    return { status: String(reply.status), ...(reply.status === 200 ? (JSON.parse(reply.body) as object) : {}) };
  };
  const device = await negotiate(DEVICES, await deviceIssuer.token("seven"));
  const person = await negotiate(STAFF, await issuer.token("seven"));
  const ticket = device["accessToken"] ?? "";
  expect(ticket).toMatch(/^hwt_/);
  expect(await negotiate(STAFF, ticket)).toEqual({ status: "401" });
  for (const { connectionToken } of [device, person]) {
    const path = `${STAFF}?id=${connectionToken}&access_token=${ticket}`;
    expect(await upgrade({ port, path })).toMatchObject({ isOpen: false, status: 401 });
  }
  const own = await upgrade({ port, path: `${DEVICES}?id=${device["connectionToken"]}&access_token=${ticket}` });
  expect(own.isOpen).toBe(true);
  if (own.isOpen) own.webSocket.socket.destroy();
});

test("the same subject at two providers is two people: to sends, to groups and to commands", async () => {
  const { running, devices, connectDevice } = await runHospital();
  const person = await running.connect(STAFF, "seven", {}, ["said", "done"]);
  const device = await connectDevice("seven");
  await person.connection.invoke("Join", "icu");
  running.app.toPrincipal({ subject: "seven" }).emit("said", "person");
  running.app.toPrincipal({ subject: "seven", issuer: DEVICE_ISSUER }).emit("said", "nobody");
  devices.toPrincipal({ subject: "seven" }).emit("said", "nobody");
  devices.toPrincipal({ subject: "device seven" }).emit("said", "device");
  running.app.everyTenant().toAll().emit("said", "all staff");
  await device.connection.invoke("Tell", "all devices");
  await device.connection.invoke("Report", "icu", "72");
  expect(await person.connection.invoke("Order", "1")).toBe(1);
  expect(await device.connection.invoke("Order", "1")).toBe(2);
  expect(await person.connection.invoke("Order", "1")).toBe(1);
  expect(await heardBy(person)).toEqual(["person", "all staff", "72"]);
  expect(await heardBy(device)).toEqual(["device", "all devices"]);
});

test("routes are guarded by the scope whose policy they name", async () => {
  const { running, deviceIssuer } = await runHospital();
  const { port, issuer } = running;
  const [person, device] = [await issuer.token("seven"), await deviceIssuer.token("seven")];
  const answers = [];
  for (const path of ["/staff", "/devices"]) {
    for (const token of [person, device]) {
      const { status, body } = await ask(port, { path, headers: bearer(token) });
      answers.push(status === 200 ? body : status);
    }
  }
  expect(answers).toEqual(["staff", 401, 401, "model of seven"]);
});

/** A server with trusted proxies, and what its ordinary routes saw. */
async function serve(app: Parameters<typeof attach>[1], routes: RequestListener): Promise<number> {
  const server = createServer(routes);
  attach(server, app, { trustedProxies: ["127.0.0.1"] });
  onTestFinished(() => shut(server));
  return listen(server);
}

test("a gateway's word counts for the scope that listens to it, and is cut out of every request", async () => {
  const clock = createFakeClock();
  const issuer = await createIssuer(clock);
  const partnerIssuer = await createIssuer(clock, { issuer: "https://partners.hubward.test/" });
  // By token; by a gateway's headers; by a signed header.
  const app = hubward({
    authenticator: issuer.authenticator,
    principal: () => ({}),
    telemetry: () => undefined,
    clock,
  });
  const employees = app.scope({
    authenticator: forwardedIdentity({ issuer: "https://gateway.hubward.test/", maxLifeSeconds: 300, clock }),
    principal: () => ({}),
  });
  const partners = app.scope({
    authenticator: forwardedToken("x-partner-jwt", partnerIssuer.authenticator),
    principal: () => ({}),
  });
  for (const [scope, path] of [
    [app, "/token"],
    [employees, "/gateway"],
    [partners, "/signed"],
  ] as const) {
    const anyone = scope.policy("Anyone", () => true);
    scope
      .hub(path)
      .allow(anyone)
      .methods(() => ({}));
  }
  const seen: (readonly [subject: unknown, signed: unknown])[] = [];
  const port = await serve(app, (request, response) => {
    seen.push([request.headers["x-auth-subject"], request.headers["x-partner-jwt"]]);
    Promise.all(
      [app, employees, partners].map(({ http }) =>
        http.authenticate(request).then(
          ({ principal }) => principal.subject,
          () => "?",
        ),
      ),
    )
      .then((subjects) => response.end(subjects.join()))
      .catch(() => response.destroy());
  });
  // The gateway writes its headers on every request, whatever hub it is for.
  const gateway = { "x-auth-subject": "erin" };
  const signed = { "x-partner-jwt": await partnerIssuer.token("pat") };
  const token = bearer(await issuer.token("tom"));
  const statusOf = async (path: string, headers: Record<string, string>): Promise<number> =>
    (await ask(port, { method: "POST", path: `${path}/negotiate?negotiateVersion=1`, headers })).status;
  expect(await statusOf("/token", { ...token, ...gateway, ...signed })).toBe(200);
  expect(await statusOf("/token", { ...gateway, ...signed })).toBe(401);
  expect(await statusOf("/gateway", { ...gateway, ...signed })).toBe(200);
  expect(await statusOf("/gateway", signed)).toBe(401);
  expect(await statusOf("/gateway", { ...token, ...gateway })).toBe(400);
  expect(await statusOf("/signed", { ...signed, ...gateway })).toBe(200);
  expect(await statusOf("/signed", gateway)).toBe(401);
  expect((await ask(port, { path: "/", headers: { ...gateway, ...signed } })).body).toBe("?,erin,pat");
  expect((await ask(port, { path: "/", headers: token })).body).toBe("tom,?,?");
  expect(seen).toEqual([
    [undefined, undefined],
    [undefined, undefined],
  ]);
  await app.close();
});

test("an application with any scope behind a gateway must be told which proxies to trust", () => {
  const authenticate = (): never => {
    throw new TypeError("nobody is asked");
  };
  const app = hubward({ authenticator: { authenticate }, principal: () => ({}), telemetry: () => undefined });
  app.scope({ authenticator: forwardedIdentity({ issuer: "gateway", maxLifeSeconds: 60 }), principal: () => ({}) });
  expect(() => attach(createServer(), app)).toThrow(TypeError);
});

/** A reverse proxy that takes `/clinic` off every path, as an nginx location with a slash behind its proxy_pass does. */
async function serveBehindPrefix(port: number): Promise<number> {
  const inner = (url = ""): string => url.replace(/^\/clinic/, "");
  const proxy: Server = createServer(({ method, url, headers }, response) => {
    const options = { host: "127.0.0.1", port, method, path: inner(url), headers };
    const forwarded = httpRequest(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.end();
  });
  proxy.on("upgrade", ({ method, url, rawHeaders }, socket, head: Buffer) => {
    const upstream = connectTcp(port, "127.0.0.1", () => {
      const lines = rawHeaders.map((item, index) => (index % 2 === 0 ? `${item}: ` : `${item}\r\n`)).join("");
      upstream.write(`${method} ${inner(url)} HTTP/1.1\r\n${lines}\r\n`);
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [socket, upstream]) end.on("error", () => undefined);
  });
  onTestFinished(() => shut(proxy));
  return listen(proxy);
}

test("a hub works behind a proxy that mounts it under a prefix: paths are those the server sees", async () => {
  const { running, deviceIssuer } = await runHospital();
  const outside = await serveBehindPrefix(running.port);
  const connection = new HubConnectionBuilder()
    .configureLogging(LogLevel.None)
    .withUrl(`http://127.0.0.1:${outside}/clinic${DEVICES}`, { accessTokenFactory: () => deviceIssuer.token("seven") })
    .build();
  await connection.start();
  expect(await connection.invoke("Model")).toBe("model of seven");
  await connection.stop();
});
