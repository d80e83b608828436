import { createServer, request as send, type Server } from "node:http";
import express from "express";
import fastify from "fastify";
import { describe, expect, onTestFinished, test } from "vitest";
import { ask, listen, shut } from "../../../../../tests/support/server.js";
import { Recorder } from "../../../../../tests/support/recorder.js";
import { fetchListener } from "./index.js";

type Answer = (request: Request) => Response | Promise<Response>;

/** What a handler saw, as its reply. */
const echo: Answer = async (request) => {
  const { pathname, search, host } = new URL(request.url);
  const body = request.body === null ? null : await request.text();
  const seen = { method: request.method, host, path: pathname + search, of: request.headers.get("x-of"), body };
  return new Response(JSON.stringify(seen), {
    status: 202,
    headers: { "content-type": "application/json", "x-a": "1" },
  });
};

async function run(server: Server): Promise<number> {
  const port = await listen(server);
  onTestFinished(() => shut(server));
  return port;
}

const runPlain = (answer: Answer): Promise<number> => {
  const listener = fetchListener(answer);
  return run(createServer((request, response) => void listener(request, response)));
};

describe("a handler of web Requests on node:http", () => {
  test("sees method, path, headers and body, and its whole reply arrives", async () => {
    const port = await runPlain(echo);
    const path = "/a/b%2Fc?d=e&f=%20";
    const reply = await ask(port, {
      method: "POST",
      path,
      headers: { "x-of": "me", host: "evil.example" },
      body: "héllo",
    });
    expect(reply).toMatchObject({ status: 202, headers: { "content-type": "application/json", "x-a": "1" } });
    expect(JSON.parse(reply.body)).toEqual({ method: "POST", host: "localhost", path, of: "me", body: "héllo" });
    const got = await ask(port, { path: "//elsewhere.example/x" });
    expect(JSON.parse(got.body)).toMatchObject({
      method: "GET",
      host: "localhost",
      path: "//elsewhere.example/x",
      body: null,
    });
  });

  test.each<[string, Answer]>([
    [
      "throws",
      () => {
        throw new Error("hunter2");
      },
    ],
    ["rejects", () => Promise.reject(new Error("hunter2"))],
  ])("that %s is a 500 without a word", async (_what, answer) => {
    const port = await runPlain(answer);
    expect(await ask(port, { path: "/" })).toMatchObject({ status: 500, body: "" });
  });

  test("other forms of a target are 400", async () => {
    const port = await runPlain(echo);
    for (const path of ["http://elsewhere.example/", "*"]) {
      expect((await ask(port, { method: "OPTIONS", path })).status).toBe(400);
    }
  });

  test("that answers before the body is there ends the connection, which is not read for another request", async () => {
    let calls = 0;
    const port = await runPlain(() => {
      calls += 1;
      return new Response(null, { status: 413 });
    });
    const headers = { "content-length": "1000000" };
    const [status, connection] = await new Promise<[number | undefined, string | undefined]>((resolve, reject) => {
      const sent = send({ host: "127.0.0.1", port, method: "POST", path: "/", headers }, (response) => {
        response.resume();
        resolve([response.statusCode, response.headers.connection]);
      });
      sent.on("error", reject);
      sent.write("GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n");
      onTestFinished(() => void sent.destroy());
    });
    expect([status, connection, calls]).toEqual([413, "close", 1]);
  });

  test("that waits for a body which breaks off is told so", async () => {
    const outcomes = new Recorder<string>();
    const port = await runPlain(async (request) => {
      await request.text().then(
        () => outcomes.push("whole"),
        () => outcomes.push("broken"),
      );
      return new Response();
    });
    const sent = send({ host: "127.0.0.1", port, method: "POST", path: "/", headers: { "content-length": "100" } });
    sent.on("error", () => undefined);
    sent.write("half", () => sent.destroy());
    expect(await outcomes.first()).toBe("broken");
  });
});

describe("other frameworks", () => {
  const body = "logout_token=x";
  const headers = { "content-type": "application/x-www-form-urlencoded" };

  test("Express, in front of its body parsers; behind them it is a 500 and no empty body", async () => {
    const app = express();
    app.post("/before", fetchListener(echo));
    app.use(express.urlencoded());
    app.post("/behind", fetchListener(echo));
    const port = await run(createServer(app));
    const reply = await ask(port, { method: "POST", path: "/before", headers, body });
    expect(JSON.parse(reply.body)).toMatchObject({ path: "/before", body });
    expect(await ask(port, { method: "POST", path: "/behind", headers, body })).toMatchObject({
      status: 500,
      body: "",
    });
  });

  test("Fastify, with a parser that leaves the body alone", async () => {
    const app = fastify();
    const listener = fetchListener(echo);
    app.addContentTypeParser(Object.values(headers), (_request, _payload, done) => done(null));
    app.post("/events", (request, reply) => {
      reply.hijack();
      return listener(request.raw, reply.raw);
    });
    const address = await app.listen({ host: "127.0.0.1", port: 0 });
    onTestFinished(() => app.close());
    const reply = await ask(Number(new URL(address).port), { method: "POST", path: "/events", headers, body });
    expect(reply.status).toBe(202);
    expect(JSON.parse(reply.body)).toMatchObject({ path: "/events", body });
  });
});
