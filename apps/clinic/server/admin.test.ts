import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  ending,
  failureOf,
  newFolder,
  nextEvent,
  post,
  removeFolders,
  runClinic,
  type Granted,
  type RunningClinic,
} from "./test/running-clinic.js";

let running: RunningClinic;
let admin: Granted;

beforeAll(async () => {
  running = await runClinic();
  admin = await running.grant("admin");
});
afterAll(async () => {
  await running.end();
  await removeFolders();
});

const bearer = ({ token }: Granted): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function look(path: string, headers: Record<string, string> = bearer(admin)): Promise<Response> {
  return await fetch(`${running.url}/api/admin/${path}`, { headers });
}

async function change(body: unknown, headers: Record<string, string> = {}, path = "revocations"): Promise<Response> {
  return await post(`${running.url}/api/admin/${path}`, body, { ...bearer(admin), ...headers });
}

interface Listed {
  readonly subject: string;
  readonly sessionId: string;
  readonly tokenId: string;
}

async function connectionsOf(subject: string): Promise<readonly Listed[]> {
  const { connections } = (await (await look("connections")).json()) as { connections: readonly Listed[] };
  return connections.filter((connection) => connection.subject === subject);
}

async function errorOf(response: Response): Promise<unknown> {
  return ((await response.json()) as { error: unknown }).error;
}

describe("the list of connections", () => {
  test("holds those of the administrator's own hospital, with what there is to know", async () => {
    const doctor = await running.connect("doctor-icu");
    await doctor.invoke("SubscribeToWard", "icu");
    await running.connect("doctor-annex");
    const response = await look("connections");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const { at, connections } = (await response.json()) as { at: number; connections: readonly Listed[] };
    expect(connections.filter(({ subject }) => subject === "doctor-annex")).toEqual([]);
    expect(connections.filter(({ subject }) => subject === "doctor-icu")).toEqual([
      {
        connectionId: doctor.connectionId,
        hub: "/hubs/clinical",
        transport: "WebSockets",
        subject: "doctor-icu",
        roles: ["doctor"],
        sessionId: expect.any(String) as unknown,
        tokenId: expect.any(String) as unknown,
        standing: "active",
        expiresAt: expect.any(Number) as unknown,
        since: expect.any(Number) as unknown,
        remoteAddress: "127.0.0.1",
        groups: ["ward/icu"],
      },
    ]);
    expect(at).toBeGreaterThan(0);
    await doctor.stop();
  });

  test.each(["connections", "people"])("%s is for administrators with a bearer token alone", async (path) => {
    expect((await look(path, {})).status).toBe(401);
    const nurse = await running.grant("nurse-icu");
    const refused = await look(path, bearer(nurse));
    expect([refused.status, await errorOf(refused)]).toEqual([403, "forbidden: only administrators may do this"]);
    expect((await look(path, { cookie: admin.cookie })).status).toBe(403);
  });

  test("a page's origin must be one of ours to the letter, and cookies without an origin are refused", async () => {
    const origins: readonly [Record<string, string>, number][] = [
      [{}, 200],
      [{ origin: running.url }, 200],
      [{ origin: running.url, cookie: admin.cookie }, 200],
      [{ origin: `${running.url}.evil.example` }, 403],
      [{ origin: "null" }, 403],
      [{ cookie: admin.cookie }, 403],
    ];
    for (const [headers, status] of origins) {
      expect([headers, (await look("people", { ...bearer(admin), ...headers })).status]).toEqual([headers, status]);
    }
  });
});

describe("revocations", () => {
  test("an ended session is told at once, gets no further token, and leaves other sessions alone", async () => {
    const grant = await running.grant("doctor-er");
    const [ended, other] = [running.hub(grant.token), await running.connect("doctor-er")];
    await ended.start();
    const closed = ending(ended);
    const listed = await connectionsOf("doctor-er");
    const session = listed.find((one) => "connectionId" in one && one.connectionId === ended.connectionId)?.sessionId;
    const response = await change({ session });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ matched: 1, number: expect.any(Number) as unknown });
    expect(String(await closed)).toContain("session_revoked;action=relogin");
    expect(await connectionsOf("doctor-er")).toHaveLength(1);

    expect(
      (await post(`${running.url}/auth/refresh`, undefined, { cookie: grant.cookie, origin: running.url })).status,
    ).toBe(401);
    expect(await failureOf(running.hub(grant.token).start())).toContain("session_revoked");
    await other.stop();
  });

  test("a suspended person is out everywhere until it is lifted", async () => {
    const nurse = await running.connect("nurse-er");
    const closed = ending(nurse);
    expect((await change({ subject: "nurse-er" })).status).toBe(200);
    expect(String(await closed)).toContain("account_disabled");
    const { people } = (await (await look("people")).json()) as { people: readonly { username: string }[] };
    expect(people.find(({ username }) => username === "nurse-er")).toMatchObject({ isSuspended: true });
    const again = await running.grant("nurse-er");
    expect(await failureOf(running.hub(again.token).start())).toContain("account_disabled");

    expect((await change({ lift: { subject: "nurse-er" } })).status).toBe(200);
    const back = running.hub(again.token);
    await back.start();
    await back.stop();
  });

  test("a token is revoked by its id, and what was issued before an instant by that", async () => {
    const first = await running.connect("nurse-icu");
    const ended = ending(first);
    const [{ tokenId } = { tokenId: "" }] = await connectionsOf("nurse-icu");
    expect((await change({ tokenId })).status).toBe(200);
    expect(String(await ended)).toContain("action=relogin");

    const second = await running.connect("nurse-icu");
    const endedToo = ending(second);
    expect((await change({ issuedBefore: Date.now(), subject: "nurse-icu" })).status).toBe(200);
    expect(String(await endedToo)).toContain("action=relogin");
    const ahead = await change({ issuedBefore: Date.now() + 3_600_000 });
    expect(ahead.status).toBe(400);
  });

  test("a token that nobody is connected with is revoked by its id, too", async () => {
    const { token } = await running.grant("nurse-er");
    expect((await change({ tokenId: tokenIdOf(token) })).status).toBe(200);
    await expect(running.hub(token).start()).rejects.toThrow("session_revoked");
    await (await running.connect("nurse-er")).stop();
  });

  test("what is another hospital's is nowhere to be found, and nobody there notices", async () => {
    const foreign = await running.connect("doctor-annex");
    await foreign.invoke("SubscribeToWard", "icu");
    const list = running.log.findLast((line) => line["event"] === "connection.opened") as { sessionId: string };
    for (const body of [
      { tenant: "annex" },
      { subject: "doctor-annex" },
      { session: list.sessionId },
      { issuedBefore: 1, subject: "doctor-annex" },
      { lift: { tenant: "annex" } },
      { lift: { subject: "doctor-annex" } },
    ]) {
      expect([body, (await change(body)).status]).toEqual([body, 404]);
    }
    expect((await change({ roles: [] }, {}, "people/doctor-annex/roles")).status).toBe(404);
    // By its id a token of another hospital is none of this one's.
    const receipt = await change({ tokenId: tokenIdOf((await running.grant("doctor-annex")).token) });
    expect([receipt.status, ((await receipt.json()) as { matched: number }).matched]).toEqual([200, 0]);
    await nextEvent(foreign, "Vitals");
    await foreign.stop();
  });

  test("a suspended hospital is out, its administrator too, and the others are not", async () => {
    const own = await runClinic();
    onTestFinished(() => own.end());
    const grant = await own.grant("admin");
    const [doctor, foreign] = [await own.connect("doctor-icu"), await own.connect("doctor-annex")];
    const closed = ending(doctor);
    const response = await post(`${own.url}/api/admin/revocations`, { tenant: "general" }, bearer(grant));
    expect(response.status).toBe(200);
    expect(String(await closed)).toContain("tenant_suspended");
    expect((await fetch(`${own.url}/api/admin/people`, { headers: bearer(grant) })).status).toBe(403);
    expect(await foreign.invoke("WhoAmI")).toMatchObject({ subject: "doctor-annex" });
  });

  test.each<[string, unknown, number]>([
    ["nothing", {}, 400],
    ["two things at once", { subject: "nurse-er", session: "s" }, 400],
    ["what nobody knows", { everybody: true }, 400],
    ["no text", { subject: 7 }, 400],
    ["an empty text", { subject: "" }, 400],
    ["more than may be", { subject: "x".repeat(5_000) }, 413],
    ["oneself", { subject: "admin" }, 403],
  ])("%s cannot be revoked", async (_what, body, status) => {
    expect((await change(body)).status).toBe(status);
    expect((await look("people")).status).toBe(200);
  });

  test("a body that is no JSON, or of another type, is refused before it is read", async () => {
    const headers = { ...bearer(admin), "content-type": "text/plain" };
    const url = `${running.url}/api/admin/revocations`;
    expect((await fetch(url, { method: "POST", headers, body: '{"subject":"nurse-er"}' })).status).toBe(415);
    headers["content-type"] = "application/json";
    expect((await fetch(url, { method: "POST", headers, body: "{" })).status).toBe(400);
  });

  test("nobody changes more than people can press", async () => {
    const own = await runClinic();
    onTestFinished(() => own.end());
    const grant = await own.grant("admin");
    const lift = (): Promise<Response> =>
      post(`${own.url}/api/admin/revocations`, { lift: { subject: "nurse-er" } }, bearer(grant));
    const answers: Response[] = [];
    for (let count = 0; count <= 120; count++) answers.push(await lift());
    expect(new Set(answers.slice(0, 120).map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers[120]?.status).toBe(429);
    expect(Number(answers[120]?.headers.get("retry-after"))).toBeGreaterThan(0);
  });
});

/** A request whose sender keeps the end of its body back: the server has its head when this resolves. */
async function beginChange(own: RunningClinic, { token }: Granted, path: string, body: unknown) {
  const text = JSON.stringify(body);
  const socket = connect(own.port, "127.0.0.1").setEncoding("latin1");
  let answer = "";
  socket.on("data", (chunk: string) => (answer += chunk));
  const head = [`POST /api/admin/${path} HTTP/1.1`, `Host: 127.0.0.1:${own.port}`, `Authorization: Bearer ${token}`];
  const about = ["Content-Type: application/json", `Content-Length: ${text.length}`, "Connection: close"];
  socket.write([...head, ...about, "Expect: 100-continue", "", text.slice(0, 3)].join("\r\n"));
  // Said when the request is handed to its handler.
  while (!answer.includes("100 Continue")) await once(socket, "data");
  return {
    async finish(): Promise<string> {
      answer = "";
      const closed = once(socket, "close");
      socket.write(text.slice(3));
      await closed;
      return answer;
    },
  };
}

describe("a request whose body is kept back", () => {
  test.each<[string, string, unknown, string]>([
    ["suspended", "revocations", { subject: "nurse-er" }, "account_disabled"],
    ["without the role", "people/nurse-er/roles", { roles: [] }, "forbidden"],
  ])("changes nothing when whoever began it is %s by then", async (_how, path, body, reason) => {
    const own = await runClinic();
    onTestFinished(() => own.end());
    const [first, second] = [await own.grant("admin"), await own.grant("nurse-er")];
    const ask = (by: Granted, where: string, what: unknown): Promise<Response> =>
      post(`${own.url}/api/admin/${where}`, what, bearer(by));
    expect((await ask(first, "people/nurse-er/roles", { roles: ["admin"] })).status).toBe(200);
    const held = [
      await beginChange(own, second, "people/doctor-er/roles", { roles: ["admin"] }),
      await beginChange(own, second, "revocations", { subject: "doctor-icu" }),
      await beginChange(own, second, "revocations", { lift: { subject: "nurse-er" } }),
    ];
    // Whatever could be decided about those has been decided when a later one was.
    const people = async (by: Granted) => fetch(`${own.url}/api/admin/people`, { headers: bearer(by) });
    expect((await people(second)).status).toBe(200);
    expect((await ask(first, path, body)).status).toBe(200);

    for (const one of held) {
      const answer = await one.finish();
      expect(answer).toMatch(/^HTTP\/1\.1 403 /);
      expect(answer).toContain(reason);
    }
    const listed = (await (await people(first)).json()) as { people: readonly Record<string, unknown>[] };
    expect(listed.people.filter(({ username }) => String(username).startsWith("doctor"))).toEqual([
      expect.objectContaining({ username: "doctor-icu", isSuspended: false }),
      expect.objectContaining({ username: "doctor-er", roles: ["doctor"] }),
    ]);
    expect((await people(second)).status).toBe(403);
    expect(own.log.filter(({ event }) => event === "administered").map(({ subject }) => subject)).toEqual([
      "admin",
      "admin",
    ]);
  });

  test("is carried out for whoever may still ask when it is complete", async () => {
    const held = await beginChange(running, admin, "people/visitor/roles", { roles: ["nurse"] });
    expect(await held.finish()).toMatch(/^HTTP\/1\.1 200 /);
    expect((await change({ roles: [] }, {}, "people/visitor/roles")).status).toBe(200);
  });
});

describe("refusals", () => {
  test("are in the log and the audit, with who asked and what said no, and many bad tokens are stopped", async () => {
    const dataDirectory = join(await newFolder(), "data");
    const own = await runClinic({ dataDirectory });
    const nurse = await own.grant("nurse-icu");
    const get = async (token: string) => fetch(`${own.url}/api/admin/people`, { headers: bearer({ ...nurse, token }) });
    expect((await get(nurse.token)).status).toBe(403);
    const answers: Response[] = [];
    for (let count = 0; count < 200 && answers.at(-1)?.status !== 429; count++) answers.push(await get("eyJ-canary"));
    expect(answers[0]?.status).toBe(401);
    expect(answers.at(-1)?.status).toBe(429);
    expect(Number(answers.at(-1)?.headers.get("retry-after"))).toBeGreaterThan(0);
    await own.end();

    const text = await readFile(join(dataDirectory, "audit.jsonl"), "utf8");
    const records = text.trimEnd().split("\n").slice(0, 2);
    expect(records.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({
        event: "request.refused",
        reason: "forbidden",
        policy: "Administrator",
        remoteAddress: "127.0.0.1",
        principal: expect.objectContaining({ tenant: "general", subject: "nurse-icu" }) as unknown,
      }),
      expect.objectContaining({ event: "request.refused", reason: "invalid_token" }),
    ]);
    const refused = own.log.filter(({ event }) => event === "request.refused");
    expect(refused[0]).toMatchObject({ level: "warn", subject: "nurse-icu", policy: "Administrator" });
    expect(refused.at(-1)).toMatchObject({ reason: "rate_limited", remoteAddress: "127.0.0.1" });
    for (const secret of ["eyJ-canary", nurse.token]) {
      expect(text).not.toContain(secret);
      expect(own.lines.join("")).not.toContain(secret);
    }
  });
});

describe("roles", () => {
  test("a role taken away ends the connection, and given back lets the same token in again", async () => {
    const grant = await running.grant("doctor-icu");
    const doctor = running.hub(grant.token);
    await doctor.start();
    const closed = ending(doctor);
    const taken = await change({ roles: [] }, {}, "people/doctor-icu/roles");
    expect(await taken.json()).toMatchObject({ matched: 1, ended: 1 });
    expect(String(await closed)).toContain("forbidden");
    expect(await failureOf(running.hub(grant.token).start())).toContain("forbidden");

    expect((await change({ roles: ["doctor"] }, {}, "people/doctor-icu/roles")).status).toBe(200);
    const back = running.hub(grant.token);
    await back.start();
    await back.stop();
  });

  test("a role that is exchanged changes what a live connection may do, before it is answered", async () => {
    const doctor = await running.connect("doctor-er");
    await doctor.invoke("SubscribeToWard", "er");
    expect((await change({ roles: ["nurse"] }, {}, "people/doctor-er/roles")).status).toBe(200);
    expect(await failureOf(doctor.invoke("OrderMedication", "general-er-1", "Heparin", "order-1"))).toContain(
      "forbidden",
    );
    expect(await doctor.invoke("WhoAmI")).toMatchObject({ roles: ["nurse"] });
    await nextEvent(doctor, "Vitals");
    expect((await change({ roles: ["doctor"] }, {}, "people/doctor-er/roles")).status).toBe(200);
    expect(await doctor.invoke("OrderMedication", "general-er-1", "Heparin", "order-1")).toMatchObject({});
    await doctor.stop();
  });

  test("an administrator's own role is looked up, not read from the token; and nobody takes their own", async () => {
    expect((await change({ roles: [] }, {}, "people/admin/roles")).status).toBe(403);
    const nurse = await running.grant("nurse-er");
    await change({ roles: ["nurse", "admin"] }, {}, "people/nurse-er/roles");
    expect((await look("people", bearer(nurse))).status).toBe(200);
    await change({ roles: ["nurse"] }, {}, "people/nurse-er/roles");
    expect((await look("people", bearer(nurse))).status).toBe(403);
  });

  test.each([{ roles: ["emperor"] }, { roles: "doctor" }, {}, { roles: [], more: 1 }])(
    "%j are no roles",
    async (body) => {
      expect((await change(body, {}, "people/doctor-er/roles")).status).toBe(400);
    },
  );
});

describe("the audit", () => {
  test("is a file for its owner alone, that tells of it all and holds no token", async () => {
    const dataDirectory = join(await newFolder(), "data");
    const own = await runClinic({ dataDirectory });
    const grants = [await own.grant("admin"), await own.grant("doctor-icu")] as const;
    const doctor = own.hub(grants[1].token);
    await doctor.start();
    await doctor.invoke("SubscribeToWard", "icu");
    await failureOf(doctor.invoke("SubscribeToWard", "er"));
    const closed = ending(doctor);
    await post(`${own.url}/api/admin/revocations`, { subject: "doctor-icu" }, bearer(grants[0]));
    await closed;
    await own.end();

    const path = join(dataDirectory, "audit.jsonl");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const text = await readFile(path, "utf8");
    const records = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.map(({ sequence }) => sequence)).toEqual(records.map((_, index) => index + 1));
    expect(records).toEqual([
      expect.objectContaining({ event: "connection.opened", hub: "/hubs/clinical" }),
      expect.objectContaining({ event: "membership.joined", groups: ["ward/icu"] }),
      expect.objectContaining({ event: "call.refused", reason: "forbidden", policy: "OwnWard" }),
      expect.objectContaining({ event: "revocation.applied", matched: 1, by: "admin" }),
      expect.objectContaining({ event: "connection.closed", reason: "account_disabled" }),
    ]);
    for (const { principal, event } of records) {
      if (event === "revocation.applied") continue;
      expect(principal).toMatchObject({
        tenant: "general",
        subject: "doctor-icu",
        tokenId: expect.any(String) as unknown,
      });
    }
    for (const { token, cookie } of grants) for (const secret of [token, cookie]) expect(text).not.toContain(secret);
    expect(own.log.filter(({ event }) => event === "administered")).toEqual([
      expect.objectContaining({
        subject: "admin",
        tenant: "general",
        action: "revoke",
        target: { subject: "doctor-icu" },
      }),
    ]);
  });
});

/** `jti` of a JWT. */
function tokenIdOf(token: string): string {
  const [, claims = ""] = token.split(".");
  return (JSON.parse(Buffer.from(claims, "base64url").toString()) as { readonly jti: string }).jti;
}
