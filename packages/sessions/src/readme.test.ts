import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import type { Server } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessTokenOf, cookieOf } from "../test/fixture.js";

/** Runs the first code block of the README as it stands, but on a port that is free. */
async function runSnippet(): Promise<Server> {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const code = /```js\n(.*?)```/s.exec(readme)?.[1] ?? "";
  const imports = new Map<string, unknown>([
    ["node:http", await import("node:http")],
    ["node:crypto", await import("node:crypto")],
    ["@hubward/sessions", await import("./index.js")],
  ]);
  const body = code
    .replace(/import \{([^}]*)\} from "([^"]+)";/g, 'const {$1} = imports.get("$2");')
    .replace("server.listen(8080)", 'server.listen(0, "127.0.0.1")');
  const run: unknown = Object.getPrototypeOf(runSnippet).constructor("imports", "console", `${body}\nreturn server;`);
  if (typeof run !== "function") throw new Error("no function");
  const server = (await run(imports, { log: () => undefined, error: () => undefined })) as Server;
  if (!server.listening) await once(server, "listening");
  return server;
}

describe("the README's program", () => {
  let server: Server;
  let url: string;
  const headers = { "content-type": "application/json", origin: "http://localhost:8080" };

  beforeAll(async () => {
    server = await runSnippet();
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const login = (password: string): Promise<Response> =>
    fetch(`${url}/auth/login`, { method: "POST", headers, body: JSON.stringify({ name: "nurse-7", password }) });

  it("signs in, refreshes and signs out over real HTTP", async () => {
    expect((await login("wrong")).status).toBe(401);
    const start = await login("correct horse");
    expect(start.status).toBe(200);
    const first = cookieOf(start);
    expect(first).toMatch(/^clinic-8080=/);
    const keys = createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`));
    const { payload } = await jwtVerify(await accessTokenOf(start), keys, { audience: "clinic", typ: "at+jwt" });
    expect(payload).toMatchObject({ sub: "nurse-7", roles: ["nurse"] });

    const post = (path: string, cookie: string): Promise<Response> =>
      fetch(`${url}${path}`, { method: "POST", headers: { ...headers, cookie } });
    const second = cookieOf(await post("/auth/refresh", first));
    expect(second).not.toBe(first);
    expect((await post("/auth/logout", second)).status).toBe(204);
    expect((await post("/auth/refresh", second)).status).toBe(401);
  });

  it("survives bodies that are too long or broken, unknown paths and wrong methods", async () => {
    const send = async (body: string): Promise<number> =>
      (await fetch(`${url}/auth/login`, { method: "POST", headers, body })).status;
    expect(await send("{")).toBe(400);
    expect(await send("null")).toBe(401);
    expect(await send(JSON.stringify("x".repeat(5_000)))).toBe(413);
    expect((await fetch(`${url}/auth/refresh`, { headers })).status).toBe(405);
    expect((await fetch(`${url}//`)).status).toBe(404);
    expect((await login("correct horse")).status).toBe(200);
  });
});
