/** docs/quick-start.md, followed to the letter: its files, its lines, and what it says that they print. */

import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { certificate } from "../support/certificate.js";
import { browserSuite } from "../browser/support/chromium.js";
import { outcomeOf } from "../support/running-app.js";
import { provider, startKeyServer } from "../providers/support/key-server.js";
import { launchFor } from "./support/browser.js";
import { readPage } from "./support/pages.js";
import { makeFolder, writeRunnable, type Folder } from "./support/programs.js";
import { runLine, startServer, type Running } from "./support/run.js";
import { clientOf, connect } from "./support/visitor.js";

const page = readPage("docs/quick-start.md");
const lines = page.blocks.filter(({ language }) => language === "bash").flatMap(({ text }) => text.trim().split("\n"));

let folder: Folder;

beforeAll(async () => {
  folder = makeFolder();
  await writeRunnable(page, folder);
  await runLine(lineWith("> .env"), folder.path);
});
afterAll(() => folder?.remove());

/** The one line of the page that has this in it. */
function lineWith(text: string): string {
  const [line, another] = lines.filter((one) => one.includes(text));
  if (line === undefined || another !== undefined) throw new Error(`not one line with ${text}`);
  return line;
}

function printed(name: string): string {
  const block = page.blocks.find(({ output }) => output === name);
  if (block === undefined) throw new Error(`no output=${name}`);
  return block.text;
}

function startWard(): Promise<Running> {
  return startServer(lineWith("server.mjs"), { cwd: folder.path });
}

test("the secret is a fresh one each time", async () => {
  const before = readFileSync(join(folder.path, ".env"), "utf8");
  await runLine(lineWith("> .env"), folder.path);
  expect(readFileSync(join(folder.path, ".env"), "utf8")).not.toBe(before);
  expect(before).toMatch(/^HUB_SECRET=[\w-]{43}\n$/);
});

test.each([
  ["nina", "token.mjs nina)"],
  ["vera", "token.mjs vera)"],
])("as %s, the client in Node prints what the page says", async (name, part) => {
  const { port } = await startWard();
  expect(await runLine(lineWith(part), folder.path, port)).toBe(printed(name));
});

test("without a token, too", async () => {
  const { port, lines: log } = await startWard();
  expect(await runLine(lines.find((line) => line === "node client.mjs") ?? "", folder.path, port)).toBe(
    printed("nobody"),
  );
  const refused = JSON.parse(await log.first()) as Record<string, unknown>;
  expect(refused).toMatchObject({ event: "connection.refused", hint: "no credential was presented" });
});

test("the server takes no token without a typ, and none of another secret", async () => {
  const { port } = await startWard();
  const foreign = await new SignJWT({ iss: "https://login.example", aud: "ward", sub: "nina" })
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
    .setExpirationTime("5m")
    .sign(new Uint8Array(32));
  expect(await outcomeOf(clientOf(`http://127.0.0.1:${port}/hubs/ward`, foreign).start())).toMatch(/401/);
  const source = readFileSync(join(folder.path, "token.mjs"), "utf8");
  await writeFile(join(folder.path, "untyped.mjs"), source.replace(', typ: "at+jwt"', ""));
  const untyped = await runLine("node --env-file=.env untyped.mjs", folder.path);
  expect(await outcomeOf(clientOf(`http://127.0.0.1:${port}/hubs/ward`, untyped.trim()).start())).toMatch(/401/);
});

test("what its last table says is seen", async () => {
  const { port } = await startWard();
  const secret = readFileSync(join(folder.path, ".env"), "utf8").trim().replace("HUB_SECRET=", "");
  const token = (subject: string, seconds: number): Promise<string> =>
    new SignJWT({ iss: "https://login.example", aud: "ward", sub: subject })
      .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
      .setIssuedAt()
      .setExpirationTime(`${seconds}s`)
      .sign(Buffer.from(secret, "base64url"));
  const knock = async (headers: Readonly<Record<string, string>>): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}/hubs/ward/negotiate?negotiateVersion=1`, {
      method: "POST",
      headers,
    });
    return `${response.status} ${await response.text()}`;
  };
  const bearer = async (...args: Parameters<typeof token>): Promise<{ readonly authorization: string }> => ({
    authorization: `Bearer ${await token(...args)}`,
  });
  expect(await knock({})).toBe("401 ");
  expect(await knock({ authorization: "Bearer a.b.c" })).toBe('401 {"error":"invalid_token;action=relogin"}');
  expect(await knock(await bearer("nobody", 300))).toBe('403 {"error":"forbidden"}');
  expect(await knock({ ...(await bearer("nina", 300)), origin: "http://127.0.0.1:3000" })).toBe(
    '403 {"error":"origin_denied;action=fix-request"}',
  );
  const url = `http://127.0.0.1:${port}/hubs/ward`;
  const nina = await connect(url, await token("nina", 300));
  expect(await outcomeOf(nina.invoke("Call", 7))).toBe("Failed to invoke 'Call' due to an error on the server.");
  expect(await outcomeOf(nina.invoke("Cal", "7"))).toContain("Method does not exist.");
});

test("a method that nothing guards does not start", async () => {
  const source = readFileSync(join(folder.path, "server.mjs"), "utf8");
  const unguarded = source.replace(/\.allow\(.*\n/g, "\n");
  expect(unguarded).not.toBe(source);
  await writeFile(join(folder.path, "unguarded.mjs"), unguarded);
  await expect(runLine("node --env-file=.env unguarded.mjs", folder.path)).rejects.toThrow(
    /TypeError: hub \/hubs\/ward: Call has no policy, and neither has the hub/,
  );
});

test("behind a provider the same hub takes its tokens, with keys found by discovery", async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(publicKey)), kid: "k1", alg: "ES256", use: "sig" };
  const keys = await startKeyServer((request, response) => provider(keys.origin, () => [jwk])(request, response), {
    tls: true,
  });
  await writeFile(join(folder.path, "authority.pem"), certificate);
  const env = { ISSUER: keys.origin, NODE_EXTRA_CA_CERTS: join(folder.path, "authority.pem") };
  const { port } = await startServer(lineWith("provider.mjs"), { cwd: folder.path, env });
  expect(keys.requests.items).toEqual([]);

  const token = (audience: string, roles: readonly string[]): Promise<string> =>
    new SignJWT({ roles })
      .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: "k1" })
      .setIssuer(keys.origin)
      .setAudience(audience)
      .setSubject("nina")
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(privateKey);
  const url = `http://127.0.0.1:${port}/hubs/ward`;
  const nina = await connect(url, await token("ward", ["nurse"]));
  expect(await nina.invoke("WhoAmI")).toBe("nina: nurse");
  expect(await outcomeOf(clientOf(url, await token("ward", [])).start())).toContain("forbidden: staff only");
  expect(await outcomeOf(clientOf(url, await token("other", ["nurse"])).start())).toMatch(/401/);
});

browserSuite("the page of the quick start", () => {
  test("connects, calls, hears the event, and shows no token in a URL", async () => {
    const { port } = await startWard();
    const token = (await runLine(lineWith("token.mjs nina").replace(/.*\$\((.*)\).*/, "$1"), folder.path)).trim();
    const browser = await launchFor(port);
    const tab = await browser.newPage();
    const urls: string[] = [];
    tab.on("request", (request) => urls.push(request.url()));
    tab.on("websocket", (socket) => urls.push(socket.url()));
    await tab.goto("http://localhost:3000/");
    await tab.fill("input[name=token]", token);
    await tab.click("button");
    await tab.waitForFunction("document.querySelector('pre').textContent.includes('is called')");
    expect(await tab.textContent("pre")).toBe("event: nina called bed 7\nbed 7 is called\n");
    expect(urls.some((url) => url.startsWith("ws://localhost:3000/hubs/ward?") && url.includes("hwt_"))).toBe(true);
    expect(urls.filter((url) => url.includes(token))).toEqual([]);
  });
});
