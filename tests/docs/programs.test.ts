/** The programs of the other pages, started as they stand. */

import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { outcomeOf } from "../support/running-app.js";
import { Recorder } from "../support/recorder.js";
import { readPage, type Page } from "./support/pages.js";
import { makeFolder, programsOf, writeRunnable, type Folder } from "./support/programs.js";
import { runLine, startServer, type Running } from "./support/run.js";
import { clientOf, connect, get, hubSecret, tokenOf } from "./support/visitor.js";

const env = { HUB_SECRET: hubSecret };
/** Without a terminal, Node 24 reports in another form than Node 20 unless it is told which. */
const testCommand = "node --test --test-reporter=tap";
const folders = new Map<string, Folder>();

async function unfold(page: Page): Promise<void> {
  const folder = makeFolder();
  folders.set(page.path, folder);
  await writeRunnable(page, folder);
}

const recipes = readPage("docs/recipes.md");
const concepts = readPage("docs/concepts.md");
const providers = readPage("docs/identity-providers.md");
const front = readPage("README.md");
const server = readPage("packages/server/README.md");
const testing = readPage("packages/testing/README.md");
const sqlite = readPage("packages/sqlite/README.md");

beforeAll(() => Promise.all([recipes, concepts, providers, front, server, testing, sqlite].map(unfold)));
afterAll(() => folders.forEach((folder) => folder.remove()));

function folderOf(page: Page): string {
  return folders.get(page.path)?.path ?? "";
}

function start(page: Page, file: string): Promise<Running> {
  return startServer(`node ${file}`, { cwd: folderOf(page), env });
}

/** Runs a program that ends by itself. */
function finish(page: Page, command: string): Promise<string> {
  return runLine(`HUB_SECRET=${hubSecret} ${command}`, folderOf(page));
}

describe("the recipes", () => {
  /** What has a test below; the two first are what all of them share. */
  const started = [
    "express",
    "fastify",
    "hono",
    "http",
    "beside",
    "proxy",
    "sessions",
    "cookies",
    "orders",
    "tenants",
    "readers",
    "rights",
    "ending",
  ];
  const finished = ["fetch", "issuers", "logging", "renewing", "ward.test"];

  test("are all run here", () => {
    const names = programsOf(recipes).map(({ name }) => name.replace(/\.ts$/, ""));
    expect(names.toSorted()).toEqual(["ward", "app", ...started, ...finished].toSorted());
  });

  test.each(["express", "fastify", "hono", "http"])("%s: routes and hub under the same policies", async (name) => {
    const { port } = await start(recipes, `${name}.js`);
    const url = `http://127.0.0.1:${port}`;
    const [nina, vera] = await Promise.all([tokenOf("nina"), tokenOf("vera")]);
    expect(await get(`${url}/me`)).toBe("401 ");
    expect(await get(`${url}/me`, nina)).toBe('200 {"name":"nina"}');
    expect(await get(`${url}/me`, vera)).toBe('403 {"error":"forbidden: staff only"}');
    expect(await get(`${url}/wards/icu`, nina)).toBe('200 {"ward":"icu"}');
    expect(await get(`${url}/wards/er`, nina)).toBe('403 {"error":"forbidden: this ward needs a matching department"}');
    const connection = await connect(`${url}/hubs/ward`, nina);
    expect(await connection.invoke("WhoAmI")).toBe("nina");
    expect(await outcomeOf(clientOf(`${url}/hubs/ward`, vera).start())).toContain("forbidden: staff only");
  });

  test("renewing: a stock client keeps its connection with a later token", async () => {
    const { port } = await start(recipes, "http.js");
    const connection = clientOf(`http://127.0.0.1:${port}/hubs/ward`, await tokenOf("nina"));
    const { stayConnected } = (await import(join(folderOf(recipes), "renewing.js"))) as {
      stayConnected(connection: unknown, freshToken: () => Promise<string>): Promise<() => Promise<number>>;
    };
    const renew = await stayConnected(connection, () => tokenOf("nina"));
    const id = connection.connectionId;
    expect(await renew()).toBeGreaterThan(0);
    expect(await connection.invoke("WhoAmI")).toBe("nina");
    expect(connection.connectionId).toBe(id);
    await connection.stop();
  });

  test("beside: a WebSocket of one's own asks the same policies, and the hub is there, too", async () => {
    const { port } = await start(recipes, "beside.js");
    const knock = (path: string, token: string | undefined): Promise<string> =>
      new Promise((resolve) => {
        const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
        const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
        socket.on("message", (text: Buffer) => {
          resolve(text.toString());
          socket.terminate();
        });
        socket.on("error", (error) => resolve(error.message));
      });
    expect(await knock("/feed", await tokenOf("nina"))).toBe("hello nina");
    expect(await knock("/feed", await tokenOf("vera"))).toContain("401");
    expect(await knock("/feed", undefined)).toContain("401");
    expect(await knock("/elsewhere", await tokenOf("nina"))).toContain("404");
    const connection = await connect(`http://127.0.0.1:${port}/hubs/ward`, await tokenOf("nina"));
    expect(await connection.invoke("WhoAmI")).toBe("nina");
  });

  test("proxy: the log tells the address that a trusted proxy forwards", async () => {
    const { port, lines } = await start(recipes, "proxy.js");
    await connect(`http://127.0.0.1:${port}/hubs/ward`, await tokenOf("nina"), { "x-forwarded-for": "203.0.113.9" });
    expect(JSON.parse(await lines.first())).toMatchObject({
      event: "connection.opened",
      remoteAddress: "203.0.113.9",
    });
  });

  test("sessions: who signs in gets a token that the hub takes, and renews it by the cookie", async () => {
    const { port } = await start(recipes, "sessions.js");
    const url = `http://127.0.0.1:${port}`;
    const headers = { "content-type": "application/json", origin: "http://localhost:3000" };
    const signIn = (password: string): Promise<Response> =>
      fetch(`${url}/auth/login`, { method: "POST", headers, body: JSON.stringify({ name: "nina", password }) });
    expect((await signIn("wrong")).status).toBe(401);
    const signedIn = await signIn("demo");
    const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
    const renewed = await fetch(`${url}/auth/refresh`, { method: "POST", headers: { ...headers, cookie } });
    for (const response of [signedIn, renewed]) {
      const { access_token: token } = (await response.json()) as { readonly access_token: string };
      const connection = await connect(`${url}/hubs/ward`, token);
      expect(await connection.invoke("WhoAmI")).toBe("nina");
    }
    const newest = renewed.headers.get("set-cookie")?.split(";")[0] ?? "";
    const out = await fetch(`${url}/auth/logout`, { method: "POST", headers: { ...headers, cookie: newest } });
    expect(out.status).toBe(204);
  });

  test("cookies: a page of the allowed origin needs no token, any other gets nothing by the cookie", async () => {
    const { port } = await start(recipes, "cookies.js");
    const url = `http://127.0.0.1:${port}`;
    const cookie = `__Host-access=${await tokenOf("nina")}`;
    const own = { origin: "https://ward.example", "sec-fetch-site": "same-origin" };
    const negotiate = async (headers: Readonly<Record<string, string>>): Promise<readonly unknown[]> => {
      const reply = await fetch(`${url}/hubs/ward/negotiate?negotiateVersion=1`, {
        method: "POST",
        headers: { cookie, ...headers },
      });
      const body = (await reply.json()) as Readonly<Record<string, unknown>>;
      return [reply.status, typeof body["connectionToken"], body["accessToken"]];
    };
    expect(await negotiate(own)).toEqual([200, "string", undefined]);
    expect(await negotiate({ origin: "https://elsewhere.example" })).toEqual([403, "undefined", undefined]);
    expect(await negotiate({})).toEqual([403, "undefined", undefined]);
    const me = await fetch(`${url}/me`, { headers: { cookie, "sec-fetch-site": "same-origin" } });
    expect([me.status, await me.text()]).toEqual([200, '{"name":"nina"}']);
    expect((await fetch(`${url}/me`, { headers: { cookie } })).status).toBe(403);
  });

  test("orders: a command sent again takes effect no second time", async () => {
    const { port } = await start(recipes, "orders.js");
    const order = async (drug: string, id: string): Promise<string> => {
      const connection = await connect(`http://127.0.0.1:${port}/hubs/orders`, await tokenOf("nina"));
      return outcomeOf(connection.invoke("Order", drug, id));
    };
    const [id, another] = [crypto.randomUUID(), crypto.randomUUID()];
    expect(await order("aspirin", id)).toBe('{"orderId":1,"drug":"aspirin"}');
    expect(await order("aspirin", id)).toBe('{"orderId":1,"drug":"aspirin"}');
    expect(await order("aspirin", another)).toBe('{"orderId":2,"drug":"aspirin"}');
    expect(await order("morphine", id)).toContain("idempotency_conflict;action=fix-request");
    expect(await order("aspirin", "no uuid")).toContain("Failed to invoke 'Order'");
  });

  test("tenants: a group of one is not that of another", async () => {
    const { port } = await start(recipes, "tenants.js");
    const url = `http://127.0.0.1:${port}/hubs/ward`;
    const heard = new Recorder<string>();
    const [north, south] = await Promise.all(
      ["north", "south"].map(async (tid) => {
        const connection = await connect(url, await tokenOf("nina", { tid }));
        connection.on("alert", (ward: string) => heard.push(`${tid} ${ward}`));
        await connection.invoke("Watch", "icu");
        return connection;
      }),
    );
    await north?.invoke("Alert", "icu");
    // What the other tenant might have been told would have come before its own.
    await south?.invoke("Alert", "icu");
    await heard.take(2);
    expect(heard.items).toEqual(["north icu", "south icu"]);
    expect(await outcomeOf(clientOf(url, await tokenOf("nina")).start())).toMatch(/401/);
    expect(await outcomeOf(clientOf(url, await tokenOf("nina", { tid: "west" })).start())).toContain("forbidden");
  });

  test("readers: a client joins both groups, and may ask for notices", async () => {
    const { port } = await start(recipes, "readers.js");
    const connection = await connect(`http://127.0.0.1:${port}/hubs/ward`, await tokenOf("nina"));
    await connection.invoke("hubward.notices");
    expect(await connection.invoke("Watch", "icu")).toBeNull();
  });

  test("rights: who has left is told so as soon as it is said", async () => {
    const { port } = await start(recipes, "rights.js");
    const connection = await connect(`http://127.0.0.1:${port}/hubs/ward`, await tokenOf("nina"));
    const closed = new Promise<string>((resolve) => connection.onclose((error) => resolve(error?.message ?? "")));
    const result = await get(`http://127.0.0.1:${port}/left/nina`);
    expect(result).toBe('200 {"matched":1,"lost":0,"ended":1,"unavailable":0}');
    expect(await closed).toContain("forbidden");
  });

  test("ending: a client is told, and the process ends", async () => {
    const running = await start(recipes, "ending.js");
    const connection = await connect(`http://127.0.0.1:${running.port}/hubs/ward`, await tokenOf("nina"));
    const closed = new Promise<string>((resolve) => connection.onclose((error) => resolve(error?.message ?? "")));
    const code = running.stop();
    expect(await closed).toContain("going_away;action=retry-after");
    expect(await code).toBe(0);
  });

  test.each(["fetch", "issuers", "logging"])("%s: runs", async (name) => {
    expect(await finish(recipes, `node ${name}.js`)).toBe("");
  });

  test("the test of a hub passes, and fails when the hub is wrong", async () => {
    expect(await finish(recipes, `${testCommand} ward.test.js`)).toMatch(/^# pass 1$/m);
    const folder = folderOf(recipes);
    const source = await readFile(join(folder, "ward.js"), "utf8");
    const wrong = source.replace("principal.department === ward", "principal.department !== ward");
    expect(wrong).not.toBe(source);
    await writeFile(join(folder, "wrong.js"), wrong);
    const given = await readFile(join(folder, "ward.test.js"), "utf8");
    await writeFile(join(folder, "wrong.test.js"), given.replace("./ward.js", "./wrong.js"));
    await expect(finish(recipes, `${testCommand} wrong.test.js`)).rejects.toThrow(/^# fail 1$/m);
  });
});

test("the program of the concepts guards what it says", async () => {
  const { port } = await start(concepts, "page.js");
  const url = `http://127.0.0.1:${port}/hubs/ward`;
  const heard = new Recorder<string>();
  const nina = await connect(url, await tokenOf("nina"));
  nina.on("alert", heard.push);
  await nina.invoke("Watch", "icu");
  expect(await outcomeOf(nina.invoke("Watch", "er"))).toContain("forbidden: this ward needs a matching department");
  expect(await outcomeOf(nina.invoke("Alert", "icu", "7"))).toBe("forbidden");
  const onDuty = await connect(url, await tokenOf("nina", { duty: ["night"] }));
  await onDuty.invoke("Alert", "icu", "7");
  expect(await heard.first()).toBe("7");
  expect(await outcomeOf(clientOf(url, await tokenOf("vera")).start())).toContain("forbidden");
});

test("the providers' options are taken as they stand, and nothing is fetched", async () => {
  expect(await finish(providers, "HUB_CLIENT_SECRET=known-to-nobody node page.js")).toBe("");
});

test("the hub of the front page does what it promises", async () => {
  const { port, lines } = await start(front, "page.js");
  const token = (await lines.first((line) => line.startsWith("token: "))).slice("token: ".length);
  const ada = await connect(`http://127.0.0.1:${port}/hubs/clinical`, token);
  await ada.invoke("SubscribeToWard", "icu");
  expect(await outcomeOf(ada.invoke("SubscribeToWard", "er"))).toContain("this ward needs a matching department");
  const order = (): Promise<string> => outcomeOf(ada.invoke("OrderMedication", "p1", "aspirin", "c1"));
  expect(await order()).toBe('{"orderId":1}');
  expect(await order()).toBe('{"orderId":1}');
});

test("the hub of the server's README starts, and refuses whom it does not know", async () => {
  const { port } = await start(server, "page.js");
  const refused = await fetch(`http://127.0.0.1:${port}/hubs/clinical/negotiate?negotiateVersion=1`, {
    method: "POST",
  });
  expect(refused.status).toBe(401);
});

test("the README of the testing package shows a suite that finds a wrong store", async () => {
  const said = (await finish(testing, "node page.js")).trim().split("\n");
  expect(said[0]).toBe("due");
  expect(said.length).toBeGreaterThan(3);
  expect(said.slice(1).every((line) => line.startsWith("fails: "))).toBe(true);
});

test("the hub of the SQLite package's README starts, keeps its file for its owner alone, and takes it up again", async () => {
  for (let run = 0; run < 2; run++) {
    const running = await start(sqlite, "page.js");
    const url = `http://127.0.0.1:${running.port}/hubs/orders/negotiate?negotiateVersion=1`;
    expect((await fetch(url, { method: "POST" })).status).toBe(401);
    const { mode } = await stat(join(folderOf(sqlite), "hubward.db"));
    expect(mode & 0o777).toBe(0o600);
    await running.stop();
  }
});
