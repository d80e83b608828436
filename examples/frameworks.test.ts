/** Each example, started as its reader starts it: one sign-in, one set of policies, on its routes and on its hub. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWebSocket, upgrade } from "../tests/support/raw-web-socket.js";
import { Recorder } from "../tests/support/recorder.js";
import { outcomeOf } from "../tests/support/running-app.js";
import { ask, bearer, type PlainReply } from "../tests/support/server.js";
import { holdsJwt, holdsTicket } from "../tests/support/tokens.js";
import { startExample, type Example } from "./support/example.js";

const frameworks = [
  { name: "node", path: "examples/node/main.mjs", logged: ["GET /me 200", "GET /wards/er/patients 403"] },
  {
    name: "express",
    path: "examples/express/main.mjs",
    logged: ['"GET /me HTTP/1.1" 200', '"GET /wards/er/patients HTTP/1.1" 403'],
  },
  {
    name: "fastify",
    path: "examples/fastify/main.mjs",
    logged: ['"method":"GET","url":"/me"', '"method":"GET","url":"/wards/er/patients"', '"statusCode":403'],
  },
  { name: "hono", path: "examples/hono/main.mjs", logged: ["--> GET /me 200", "--> GET /wards/er/patients 403"] },
  {
    name: "nestjs",
    path: "examples/dist/nestjs/main.js",
    logged: ["GET /me 200", "GET /wards/er/patients 403"],
  },
];

const icu = [
  { id: "p1", name: "Grace" },
  { id: "p2", name: "Alan" },
];

describe.each(frameworks)("the example for $name", ({ path, logged }) => {
  let example: Example;

  const get = (route: string, token?: string): Promise<PlainReply> =>
    ask(example.port, { path: route, headers: token === undefined ? {} : bearer(token) });

  beforeAll(async () => {
    example = await startExample(path);
  });
  afterAll(() => example?.end("SIGKILL"));

  test("signs in who knows the password, and nobody else", async () => {
    for (const body of [{ name: "ada", password: "guess" }, { name: "eve", password: "demo" }, "nothing", null]) {
      const { status } = await example.post("/sign-in", body);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
    }
    const wrong = await example.post("/sign-in", { name: "ada", password: "guess" });
    expect([wrong.status, wrong.body]).toEqual([401, '{"error":"wrong name or password"}']);
    const right = await example.post("/sign-in", { name: "ada", password: "demo" });
    expect(right.status).toBe(200);
    expect(Object.keys(JSON.parse(right.body) as object)).toEqual(["access_token"]);
    expect(holdsJwt(right.body)).toBe(true);
  });

  test("opens a guarded route to those its policy allows, who are known in it", async () => {
    const nina = await example.signIn("nina");
    const me = await get("/me", nina);
    expect([me.status, JSON.parse(me.body)]).toEqual([200, { name: "nina", roles: ["nurse"] }]);
    const patients = await get("/wards/icu/patients", nina);
    expect([patients.status, JSON.parse(patients.body)]).toEqual([200, icu]);
  });

  test("challenges who shows no credential, and says no more", async () => {
    for (const route of ["/me", "/wards/icu/patients"]) {
      const { status, headers, body } = await get(route);
      expect([status, body]).toEqual([401, ""]);
      expect(headers).toMatchObject({ "www-authenticate": "Bearer", "cache-control": "no-store" });
      expect(headers["content-type"]).toBeUndefined();
    }
  });

  test("tells who shows a bad one why", async () => {
    const { status, headers, body } = await get("/me", "eyJ-nonsense");
    expect([status, body]).toEqual([401, '{"error":"invalid_token;action=relogin"}']);
    expect(headers).toMatchObject({
      "www-authenticate": 'Bearer error="invalid_token"',
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
    });
  });

  test("refuses who is known but not allowed, in the policy's own words", async () => {
    const vera = await get("/me", await example.signIn("vera"));
    expect([vera.status, vera.body]).toEqual([403, '{"error":"forbidden: staff only"}']);
    const nina = await get("/wards/er/patients", await example.signIn("nina"));
    expect([nina.status, nina.body]).toEqual([403, '{"error":"forbidden: this ward needs a matching department"}']);
    expect(nina.headers).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
    });
    expect(nina.headers["www-authenticate"]).toBeUndefined();
  });

  test("leaves other routes to the framework", async () => {
    expect((await get("/nothing-here")).status).toBe(404);
  });

  test("serves the same ward on the hub, by the same policies, to the stock client", async () => {
    const nurse = example.client(await example.signIn("nina"));
    const doctor = example.client(await example.signIn("ada"));
    const heard = new Recorder<string>();
    nurse.on("discharged", heard.push);
    await Promise.all([nurse.start(), doctor.start()]);

    expect(await nurse.invoke("Patients", "icu")).toEqual(icu);
    expect(await outcomeOf(nurse.invoke("Patients", "er"))).toBe("forbidden: this ward needs a matching department");
    expect(await outcomeOf(nurse.invoke("Discharge", "p3"))).toBe("forbidden: doctors only");
    expect(await doctor.invoke("Discharge", "p3")).toBe(true);
    expect(await heard.first()).toBe("p3");
    expect(heard.items).toEqual(["p3"]);
    await Promise.all([nurse.stop(), doctor.stop()]);
  });

  test("refuses at the hub whom it refuses at the route", async () => {
    const visitor = example.client(await example.signIn("vera"));
    expect(await outcomeOf(visitor.start())).toBe("Server returned an error on close: forbidden: staff only");
    const stranger = example.client("eyJ-nonsense");
    expect(await outcomeOf(stranger.start())).toContain("invalid_token;action=relogin");
    const negotiate = { method: "POST", path: "/hubs/ward/negotiate?negotiateVersion=1" };
    const { status, headers, body } = await ask(example.port, negotiate);
    expect([status, body, headers["www-authenticate"]]).toEqual([401, "", "Bearer"]);
  });

  test("logs its own requests, queries included, and nothing of the hub's, and no credential anywhere", async () => {
    const { port, output, errors } = example;
    const token = await example.signIn("nina");
    const connection = example.client(token);
    await connection.start();
    await outcomeOf(connection.invoke("Discharge", "p1"));
    await connection.stop();

    const negotiate = "/hubs/ward/negotiate?negotiateVersion=1";
    const { body } = await ask(port, { method: "POST", path: negotiate, headers: bearer(token) });
    const { accessToken = "", connectionToken = "" } = JSON.parse(body) as Readonly<Record<string, string>>;
    const secrets = [token, accessToken, connectionToken];
    const socket = await openWebSocket({ port, path: `/hubs/ward?id=${connectionToken}&access_token=${accessToken}` });
    await socket.shakeHands();
    socket.end();
    for (const query of [`access_token=${token}`, `access_token=${accessToken}`, `id=x&access_token=${token}`]) {
      await upgrade({ port, path: `/hubs/ward?${query}` });
      await ask(port, { path: `/hubs/ward?${query}` });
      await ask(port, { method: "POST", path: `/hubs/ward/negotiate?${query}` });
    }
    await get("/me", token);
    await get("/wards/er/patients", token);
    await get("/last-of-all?note=shown");
    await output.first((line) => line.includes("/last-of-all?note=shown"));
    await errors.take(2, (line) => line.includes('"connection.closed"'));

    const shown = output.items.join("\n");
    for (const line of ["/sign-in", ...logged]) expect(shown).toContain(line);
    expect(shown).not.toContain("/hubs/");
    const told = errors.items.join("\n");
    for (const event of ["connection.opened", "connection.refused", "call.refused"]) expect(told).toContain(event);
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(20);
      expect(shown + told).not.toContain(secret);
    }
    expect(holdsJwt(shown + told)).toBe(false);
    expect(holdsTicket(shown + told)).toBe(false);
  });

  test("ends in good order when it is told to, and tells who is connected", async () => {
    const connection = example.client(await example.signIn("nina"));
    const closed = new Promise<string>((resolve) => connection.onclose((error) => resolve(error?.message ?? "")));
    await connection.start();
    expect(await example.end()).toBe(0);
    expect(await closed).toContain("going_away");
  });
});
