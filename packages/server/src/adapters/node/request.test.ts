import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { HttpRequest } from "../../core/http.js";
import { ask, listen, shut, type PlainRequest } from "../../../../../tests/support/server.js";
import { pathOf, takeRequest } from "./request.js";

let server: Server;
let port: number;
let incoming: IncomingMessage;
let taken: HttpRequest;

beforeEach(async () => {
  server = createServer((request, response) => {
    incoming = request;
    const edge = { remoteAddress: request.socket.remoteAddress, forwarded: undefined };
    taken = takeRequest(request, pathOf(request.url ?? "") ?? "", edge);
    response.end();
  });
  port = await listen(server);
});
afterEach(() => shut(server));

/** What arrives of a request, and what is left of it. */
async function take(request: PlainRequest): Promise<HttpRequest> {
  await ask(port, request);
  return taken;
}

const tokensOf = ({ bearers }: HttpRequest): readonly string[] =>
  bearers.map(({ source, token }) => `${source} ${token.reveal()}`);

/** Everything a logger could read. */
const leftovers = (): string =>
  JSON.stringify([incoming.url, incoming.headers, incoming.rawHeaders, incoming.headersDistinct]);

describe("the credential", () => {
  test("is lifted out of the header, and nothing of it is left", async () => {
    const request = await take({ path: "/hub?id=1", headers: { authorization: "Bearer secret.in.header" } });
    expect(tokensOf(request)).toEqual(["header secret.in.header"]);
    expect(request.header("authorization")).toBeUndefined();
    expect(leftovers()).not.toContain("secret");
  });

  test("is lifted out of the query, however its name is written", async () => {
    const path =
      "/hub?ward=icu&access_token=secret1&Access_Token=secret2&%61ccess%5Ftoken=secret3&ward=er&access_token=";
    const request = await take({ path });
    expect(tokensOf(request)).toEqual(["query secret1", "query secret2", "query secret3"]);
    expect(incoming.url).toBe("/hub?ward=icu&ward=er");
    expect([...request.query]).toEqual([["ward", "icu,er"]]);
    expect(leftovers()).not.toContain("secret");
  });

  test("that is the whole query leaves the path alone", async () => {
    await take({ path: "/hub?access_token=secret" });
    expect(incoming.url).toBe("/hub");
  });

  test("has its proof beside it, however its names are written, and nothing of it is left", async () => {
    const headers = { AUTHORIZATION: "dpop secret.token", DPOP: "secret.proof" };
    const { bearers, header } = await take({ method: "DELETE", path: "/h%75b?id=1", headers });
    expect(bearers).toHaveLength(1);
    const [{ token, dpop } = {}] = bearers;
    expect([token?.reveal(), dpop?.proof?.reveal(), dpop?.method, dpop?.path]).toEqual([
      "secret.token",
      "secret.proof",
      "DELETE",
      "/h%75b",
    ]);
    expect(header("dpop")).toBeUndefined();
    expect(leftovers()).not.toContain("secret");
  });

  test("has every proof beside it, and as a bearer none", async () => {
    const two = { authorization: "DPoP secret.token", dpop: ["secret1", "secret2"] };
    expect((await take({ path: "/hub", headers: two })).bearers[0]?.dpop?.proof?.reveal()).toBe("secret1, secret2");
    expect(leftovers()).not.toContain("secret");
    await take({ path: "/hub", headers: { ...two, authorization: "Bearer secret.token" } });
    expect([taken.bearers.length, taken.bearers[0]?.dpop]).toEqual([1, undefined]);
    await take({ path: "/hub", headers: { dpop: "secret" } });
    expect([taken.bearers, taken.header("dpop")]).toEqual([[], undefined]);
    expect(leftovers()).not.toContain("secret");
  });

  test("is found in each of several headers, not in the first only", async () => {
    const authorization = ["Bearer secret1", "Bearer secret2"];
    const request = await take({ path: "/hub", headers: { authorization } as unknown as Record<string, string[]> });
    expect(tokensOf(request)).toEqual(["header secret1", "header secret2"]);
    expect(leftovers()).not.toContain("secret");
  });

  test("may be written in any case, and is no bearer in another scheme", async () => {
    expect(tokensOf(await take({ path: "/", headers: { AUTHORIZATION: "bEARER  a.b.c " } }))).toEqual(["header a.b.c"]);
    for (const authorization of ["Basic c2VjcmV0", "Bearer", "Bearer a b", "Bearer a,b", "Bearer ä", "a.b.c"]) {
      expect(tokensOf(await take({ path: "/", headers: { authorization } }))).toEqual([]);
      expect(incoming.headers.authorization).toBeUndefined();
    }
  });
});

describe("somebody in front who read all headers before", () => {
  test("keeps no credential of it", async () => {
    server.prependListener("request", (request: IncomingMessage) => void request.headersDistinct);
    const request = await take({ path: "/hub", headers: { authorization: "Bearer secret.in.header" } });
    expect(tokensOf(request)).toEqual(["header secret.in.header"]);
    expect(leftovers()).not.toContain("secret");
  });
});

describe("the rest of the request", () => {
  test("is passed on as a plain value", async () => {
    const request = await take({
      method: "POST",
      path: "/hub/negotiate?NegotiateVersion=1",
      headers: { "X-Ward": "icu" },
    });
    expect(request).toMatchObject({ method: "POST", path: "/hub/negotiate", remoteAddress: "127.0.0.1" });
    expect(request.query.get("negotiateversion")).toBe("1");
    expect(request.header("x-ward")).toBe("icu");
    expect(request.header("x-none")).toBeUndefined();
  });

  test("has a path that is decoded once", () => {
    expect(pathOf("/hub?x=/y")).toBe("/hub");
    expect(pathOf("/%68ub")).toBe("/hub");
    expect(pathOf("/%2568ub")).toBe("/%68ub");
    expect(pathOf("/%zz")).toBeUndefined();
    expect(pathOf("*")).toBeUndefined();
    expect(pathOf("")).toBeUndefined();
  });

  test("may be asked for as if we were a proxy, and its credential is taken all the same", async () => {
    const request = await take({ path: "http://127.0.0.1/hub?id=1&access_token=secret" });
    expect(request.path).toBe("/hub");
    expect(tokensOf(request)).toEqual(["query secret"]);
    expect(leftovers()).not.toContain("secret");
  });
});
