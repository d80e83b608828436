import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { endProcesses, startProcess, type ClinicProcess } from "./test/clinic-process.js";
import { newFolder, post, readGrant, removeFolders, type Granted } from "./test/running-clinic.js";

let dataFolder: string;

beforeEach(async () => {
  dataFolder = join(await newFolder(), "data");
});
afterEach(async () => {
  await endProcesses();
  await removeFolders();
});

function start(env: Record<string, string> = {}): ClinicProcess {
  return startProcess({ PORT: "0", HUBWARD_DATA: dataFolder, ...env });
}

async function grant(url: string, username: string, password = "demo"): Promise<Granted> {
  return await readGrant(await post(`${url}/auth/login`, { username, password }));
}

async function takePort(port = 0): Promise<{ readonly port: number; release(): void }> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, release: () => server.close() };
}

describe("a start", () => {
  test("prints the address and every login", async () => {
    const clinic = start();
    const url = await clinic.url();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await clinic.printed(/doctor-annex/);
    expect(clinic.stdout()).toContain("password: demo");
    for (const name of ["doctor-icu", "doctor-er", "nurse-icu", "nurse-er", "admin", "visitor", "doctor-annex"]) {
      expect(clinic.stdout()).toMatch(new RegExp(`^  ${name} `, "m"));
    }
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await grant(url, "doctor-icu")).expiresIn).toBe(300);
  });

  test("logs one JSON object a line, with who connected and without what proves it", async () => {
    const clinic = start();
    const url = await clinic.url();
    const { token, cookie } = await grant(url, "doctor-icu");
    const connection = new HubConnectionBuilder()
      .withUrl(`${url}/hubs/clinical`, { accessTokenFactory: () => token, transport: HttpTransportType.WebSockets })
      .configureLogging(LogLevel.None)
      .build();
    await connection.start();
    const [line] = await clinic.printed(/^.*"event":"connection.opened".*$/m);
    expect(JSON.parse(line)).toMatchObject({
      level: "info",
      subject: "doctor-icu",
      roles: ["doctor"],
      connectionId: connection.connectionId,
    });
    await connection.stop();
    expect(clinic.stdout()).not.toContain(token);
    expect(clinic.stdout()).not.toContain(cookie.split("=")[1]);
  });

  test("on a port that is taken is one clear line and exit 1", async () => {
    const taken = await takePort();
    try {
      const clinic = start({ PORT: String(taken.port) });
      expect(await clinic.ended).toEqual({ code: 1, signal: null });
      expect(clinic.stderr()).toBe(`clinic: PORT: ${taken.port} on 127.0.0.1 is taken\n`);
    } finally {
      taken.release();
    }
  });

  test.each([
    [{ PORT: "three thousand" }, ["PORT"]],
    [{ ACCESS_TOKEN_SECONDS: "4" }, ["ACCESS_TOKEN_SECONDS"]],
    [{ PUBLIC_ORIGIN: "ward.example/" }, ["PUBLIC_ORIGIN"]],
    [{ HOST: "[::1]", PORT: "-1" }, ["PORT", "HOST"]],
    [{ HOST: "203.0.113.77" }, ["HOST"]],
    [{ HUBWARD_DATA: "/dev/null/data" }, ["HUBWARD_DATA"]],
    [{ NODE_ENV: "production" }, ["NODE_ENV"]],
  ])("with %o is one clear line for each bad value and exit 1", async (env, names) => {
    const clinic = start(env as Record<string, string>);
    expect(await clinic.ended).toEqual({ code: 1, signal: null });
    const lines = clinic.stderr().split("\n");
    expect(lines.pop()).toBe("");
    expect(lines.map((line) => /^clinic: ([A-Z_]+): \S/.exec(line)?.[1])).toEqual(names);
    expect(clinic.stdout()).toBe("");
  });

  test("on an address that others reach prints passwords that were made up for it", async () => {
    const clinic = start({ HOST: "0.0.0.0" });
    const [, port] = await clinic.printed(/^Listening on http:\/\/0\.0\.0\.0:(\d+);/m);
    const [, password = ""] = await clinic.printed(/^ {2}doctor-icu ([\w-]{16}) /m);
    const url = `http://127.0.0.1:${port}`;
    expect((await post(`${url}/auth/login`, { username: "doctor-icu", password: "demo" })).status).toBe(401);
    expect((await grant(url, "doctor-icu", password)).expiresIn).toBe(300);
    expect(clinic.stdout().split(password)).toHaveLength(2);
  });
});

test("a token outlives a restart, also one on another port", async () => {
  const first = start();
  const firstUrl = await first.url();
  const { token } = await grant(firstUrl, "doctor-icu");
  first.child.kill("SIGTERM");
  expect(await first.ended).toEqual({ code: 0, signal: null });

  const formerPort = await takePort(Number(new URL(firstUrl).port));
  try {
    const second = start();
    const secondUrl = await second.url();
    expect(secondUrl).not.toBe(firstUrl);
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${secondUrl}/api/patients?ward=icu`, { headers })).status).toBe(200);
    const negotiate = await fetch(`${secondUrl}/hubs/clinical/negotiate?negotiateVersion=1`, {
      method: "POST",
      headers,
    });
    expect(negotiate.status).toBe(200);
  } finally {
    formerPort.release();
  }
});

test("who was suspended and which roles were taken outlive a restart, with a database", async () => {
  const env = { CLINIC_DATABASE: join(dataFolder, "..", "clinic.db") };
  const as = ({ token }: Granted) => ({ authorization: `Bearer ${token}` });
  const change = async (url: string, who: Granted, path: string, body: unknown) =>
    (await post(`${url}/api/admin/${path}`, body, as(who))).status;
  const people = async (url: string, who: Granted) => {
    const response = await fetch(`${url}/api/admin/people`, { headers: as(who) });
    const { people: all } = (await response.json()) as { people: { username: string; isSuspended: boolean }[] };
    return all.filter(({ isSuspended }) => isSuspended).map(({ username }) => username);
  };
  const patients = async (url: string, who: Granted, ward: string) =>
    (await fetch(`${url}/api/patients?ward=${ward}`, { headers: as(who) })).status;

  const first = start(env);
  const before = await first.url();
  const admin = await grant(before, "admin");
  const [nurse, doctor, lifted] = [
    await grant(before, "nurse-er"),
    await grant(before, "doctor-icu"),
    await grant(before, "doctor-er"),
  ];
  expect(await change(before, admin, "people/nurse-er/roles", { roles: [] })).toBe(200);
  expect(await change(before, admin, "revocations", { subject: "doctor-icu" })).toBe(200);
  expect(await change(before, admin, "revocations", { subject: "doctor-er" })).toBe(200);
  expect(await change(before, admin, "revocations", { lift: { subject: "doctor-er" } })).toBe(200);
  expect(await patients(before, nurse, "er")).toBe(403);
  first.child.kill("SIGTERM");
  expect(await first.ended).toEqual({ code: 0, signal: null });

  const second = start(env);
  const url = await second.url();
  expect([await patients(url, nurse, "er"), await patients(url, doctor, "icu")]).toEqual([403, 403]);
  expect(await patients(url, lifted, "er")).toBe(200);
  expect(await people(url, admin)).toEqual(["doctor-icu"]);
  expect(await change(url, admin, "revocations", { lift: { subject: "doctor-icu" } })).toBe(200);
  expect(await change(url, admin, "people/nurse-er/roles", { roles: ["nurse"] })).toBe(200);
  expect([await patients(url, nurse, "er"), await patients(url, doctor, "icu")]).toEqual([200, 200]);
  expect(await people(url, admin)).toEqual([]);
});

test("a file of roles that says something else is one clear line and exit 1", async () => {
  const database = join(dataFolder, "..", "clinic.db");
  await writeFile(`${database}.roles.json`, '{"visitor":["emperor"]}');
  const clinic = start({ CLINIC_DATABASE: database });
  expect(await clinic.ended).toEqual({ code: 1, signal: null });
  expect(clinic.stderr()).toBe(`clinic: CLINIC_DATABASE: ${database}.roles.json: cannot be used\n`);
});

describe("a signal", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("%s ends it cleanly, open connections included", async (signal) => {
    const clinic = start();
    const url = await clinic.url();
    const { token } = await grant(url, "admin");
    const socket = new WebSocket(`${url.replace("http", "ws")}/hubs/clinical`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await once(socket, "open");
    socket.send('{"protocol":"json","version":1}\u001e');
    const closed = once(socket, "close");
    clinic.child.kill(signal);
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, String(reason)]).toEqual([1001, "going_away;action=retry-after"]);
    expect(await clinic.ended).toEqual({ code: 0, signal: null });
    expect(clinic.stderr()).toBe("");
  });

  test("ends it cleanly even where a client does not let go", async () => {
    const { clinic, socket } = await withStalledClient();
    clinic.child.kill("SIGTERM");
    expect(await clinic.ended).toEqual({ code: 0, signal: null });
    socket.terminate();
  });

  test("that comes twice at the same time is one, because npm passes on what a terminal has sent already", async () => {
    const { clinic, socket } = await withStalledClient();
    clinic.child.kill("SIGINT");
    clinic.child.kill("SIGINT");
    expect(await clinic.ended).toEqual({ code: 0, signal: null });
    socket.terminate();
  });

  test("of another kind while it ends makes it exit at once", async () => {
    const { clinic, socket } = await withStalledClient();
    clinic.child.kill("SIGINT");
    await clinic.printed(/^Ending/m);
    clinic.child.kill("SIGTERM");
    expect(await clinic.ended).toEqual({ code: 1, signal: null });
    socket.terminate();
  });

  test("makes it not ready for as long as it ends", async () => {
    const { clinic, socket, url } = await withStalledClient();
    clinic.child.kill("SIGTERM");
    await clinic.printed(/^Ending/m);
    const reply = await fetch(`${url}/readyz`);
    expect([reply.status, await reply.json()]).toEqual([503, { status: "draining" }]);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await clinic.ended).toEqual({ code: 0, signal: null });
    socket.terminate();
  });

  /** A client that reads nothing any more, so it never answers a goodbye: the hub waits two seconds for it. */
  async function withStalledClient(): Promise<{ clinic: ClinicProcess; socket: WebSocket; url: string }> {
    const clinic = start();
    const url = await clinic.url();
    const { token } = await grant(url, "admin");
    const socket = new WebSocket(`${url.replace("http", "ws")}/hubs/clinical`, {
      headers: { authorization: `Bearer ${token}` },
    });
    socket.on("error", () => undefined);
    await once(socket, "open");
    socket.send('{"protocol":"json","version":1}\u001e');
    await once(socket, "message");
    socket.pause();
    return { clinic, socket, url };
  }
});
