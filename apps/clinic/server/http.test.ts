import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, runClinic, type RunningClinic } from "./test/running-clinic.js";

let running: RunningClinic;

beforeAll(async () => {
  running = await runClinic();
});
afterAll(async () => {
  await running.end();
});

async function patients(username: string, ward: string): Promise<Response> {
  const { token } = await running.grant(username);
  return await fetch(`${running.url}/api/patients?ward=${ward}`, { headers: { authorization: `Bearer ${token}` } });
}

describe("GET /api/patients", () => {
  test("lists a ward's patients for those who work there", async () => {
    const response = await patients("nurse-icu", "icu");
    expect(response.status).toBe(200);
    const list = (await response.json()) as Record<string, unknown>[];
    expect(list).toHaveLength(6);
    expect(list[0]).toEqual({ id: "general-icu-1", name: "Amara Okafor", ward: "icu", bed: "ICU-1" });
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  test("an administrator may see both wards", async () => {
    expect((await patients("admin", "icu")).status).toBe(200);
    expect((await patients("admin", "er")).status).toBe(200);
  });

  test("each tenant sees its own", async () => {
    const general = (await (await patients("doctor-icu", "icu")).json()) as { id: string }[];
    const annex = (await (await patients("doctor-annex", "icu")).json()) as { id: string }[];
    expect(annex).toHaveLength(3);
    const ids = new Set(general.map(({ id }) => id));
    expect(annex.filter(({ id }) => ids.has(id))).toEqual([]);
  });

  test.each([
    ["nurse-icu", "er", "forbidden: this ward needs a matching department"],
    ["doctor-er", "icu", "forbidden: this ward needs a matching department"],
    ["doctor-er", "attic", "forbidden: this ward needs a matching department"],
    ["doctor-er", "", "forbidden: this ward needs a matching department"],
    ["visitor", "icu", "forbidden: only clinical staff and administrators may connect"],
  ])("%s is refused ward %j", async (username, ward, error) => {
    const response = await patients(username, ward);
    expect(response.status).toBe(403);
    expect(await response.json()).toEqual({ error });
  });

  test("a ward that does not exist is no ward, for those who may see them all", async () => {
    const response = await patients("admin", "attic");
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: "invalid_request;action=fix-request: there is no ward of this name",
    });
  });

  test("without a token the answer is a bare challenge; a wrong one is named so", async () => {
    const none = await fetch(`${running.url}/api/patients?ward=icu`);
    expect(none.status).toBe(401);
    expect(none.headers.get("www-authenticate")).toBe("Bearer");
    expect(await none.text()).toBe("");
    const wrong = await fetch(`${running.url}/api/patients?ward=icu`, { headers: { authorization: "Bearer a.b.c" } });
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
  });

  test("the cookie is no credential here, and neither is a token in the query", async () => {
    const { token, cookie } = await running.grant("doctor-icu");
    const url = `${running.url}/api/patients?ward=icu`;
    expect((await fetch(url, { headers: { cookie } })).status).toBe(401);
    expect((await fetch(`${url}&access_token=${token}`)).status).toBe(401);
  });
});

describe("origins below /api", () => {
  test("our own and none at all are served, another is not, whatever it brings along", async () => {
    const { token } = await running.grant("doctor-icu");
    const from = async (path: string, headers: Record<string, string>): Promise<number> =>
      (await fetch(`${running.url}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } })).status;
    for (const path of ["/api/patients?ward=icu", "/api/demo"]) {
      expect(await from(path, {})).toBe(200);
      expect(await from(path, { origin: `http://127.0.0.1:${running.port}` })).toBe(200);
      expect(await from(path, { origin: `http://localhost:${running.port}` })).toBe(200);
      expect(await from(path, { origin: "http://evil.example" })).toBe(403);
      expect(await from(path, { origin: "null" })).toBe(403);
    }
  });
});

test("GET /api/demo names the people and no password", async () => {
  const response = await fetch(`${running.url}/api/demo`);
  const text = await response.text();
  const { people, demoPasswords } = JSON.parse(text) as { people: unknown[]; demoPasswords: boolean };
  expect(demoPasswords).toBe(true);
  expect(people).toHaveLength(7);
  expect(people[0]).toEqual({ username: "doctor-icu", roles: ["doctor"], department: "icu", tenant: "general" });
  expect(people[5]).toEqual({ username: "visitor", roles: [], department: null, tenant: "general" });
  expect(text).not.toContain('"password"');
});

test("GET /.well-known/jwks.json verifies what login issues, and holds no private part", async () => {
  const response = await fetch(`${running.url}/.well-known/jwks.json`);
  expect(response.status).toBe(200);
  const jwks = (await response.json()) as JSONWebKeySet;
  expect(jwks.keys.every((key) => !("d" in key))).toBe(true);
  const { token } = await running.grant("admin");
  const { payload } = await jwtVerify(token, createLocalJWKSet(jwks));
  expect(payload.sub).toBe("admin");
});

test("health and readiness are two answers", async () => {
  expect((await fetch(`${running.url}/healthz`)).status).toBe(200);
  expect((await fetch(`${running.url}/readyz`)).status).toBe(200);
});

describe("the page", () => {
  test("its document is never kept, its hashed files for ever, each as what it is", async () => {
    const answers = await Promise.all(
      ["/", "/assets/index-A1b2C3d4.js", "/assets/index-A1b2C3d4.css", "/assets/icon-A1b2C3d4.svg"].map(
        async (path) => {
          const { status, headers } = await fetch(running.url + path);
          return [status, headers.get("content-type"), headers.get("cache-control")];
        },
      ),
    );
    const forEver = "public, max-age=31536000, immutable";
    expect(answers).toEqual([
      [200, "text/html; charset=utf-8", "no-store"],
      [200, "text/javascript; charset=utf-8", forEver],
      [200, "text/css; charset=utf-8", forEver],
      [200, "image/svg+xml", forEver],
    ]);
  });

  test.each([
    "/../secret.txt",
    "/assets/../../secret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "/assets/%2e%2e/%2e%2e/secret.txt",
    "/assets/..\\..\\secret.txt",
    "/assets//secret.txt",
    "/assets/.hidden",
    "/assets/",
    "/assets",
    "/%00",
    "/data/signing-key.json",
    "/nothing",
    "/assets/none-A1b2C3d4.js",
  ])("%s leads nowhere", async (path) => {
    const { status, body } = await ask(running.url, path);
    expect([400, 404]).toContain(status);
    expect(body).not.toContain("not for pages");
  });
});

test("on an address that others reach, everyone gets a password of their own", async () => {
  const open = await runClinic({ host: "0.0.0.0" });
  try {
    expect(open.clinic.demoPasswords).toBe(false);
    expect(new Set(open.clinic.accounts.map(({ password }) => password)).size).toBe(7);
    expect(open.clinic.accounts.every(({ password }) => password.length === 16)).toBe(true);
    const url = `http://127.0.0.1:${open.port}`;
    const signIn = (password: string): Promise<Response> =>
      fetch(`${url}/auth/login`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ username: "admin", password }),
      });
    expect((await signIn("demo")).status).toBe(401);
    const { password } = open.clinic.accounts.find(({ person }) => person.username === "admin")!;
    expect((await signIn(password)).status).toBe(200);
    expect(await (await fetch(`${url}/api/demo`)).json()).toMatchObject({ demoPasswords: false });
    expect(open.lines.join("")).not.toContain(password);
  } finally {
    await open.end();
  }
});
