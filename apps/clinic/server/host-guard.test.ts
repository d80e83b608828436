import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contentSecurityPolicy } from "./security-headers.js";
import { ask, runClinic, type RunningClinic } from "./test/running-clinic.js";

let running: RunningClinic;

beforeAll(async () => {
  running = await runClinic();
});
afterAll(async () => {
  await running.end();
});

test("every answer carries the security headers, the hub's and the refusals too", async () => {
  const answers = await Promise.all([
    ask(running.url, "/"),
    ask(running.url, "/nothing"),
    ask(running.url, "/api/patients"),
    ask(running.url, "/hubs/clinical/negotiate", { method: "POST" }),
    ask(running.url, "/", { headers: { host: "evil.example" } }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([200, 404, 401, 401, 421]);
  for (const { headers } of answers) {
    expect(headers["content-security-policy"]).toBe(contentSecurityPolicy);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["referrer-policy"]).toBe("no-referrer");
  }
});

describe("hosts", () => {
  const upgrade = {
    connection: "upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
  };

  test("both names of this machine with the port are served", async () => {
    for (const name of ["127.0.0.1", "localhost", "LOCALHOST"]) {
      expect((await ask(running.url, "/healthz", { headers: { host: `${name}:${running.port}` } })).status).toBe(200);
    }
  });

  test("any other is refused on every path, before the hub sees it", async () => {
    const before = running.log.length;
    const { token } = await running.grant("doctor-icu");
    const hosts = [
      "evil.example",
      `evil.example:${running.port}`,
      "127.0.0.1",
      "localhost:1",
      `127.0.0.1:${running.port}.evil.example`,
    ];
    for (const host of hosts) {
      const headers = { host, authorization: `Bearer ${token}` };
      const answers = await Promise.all([
        ask(running.url, "/healthz", { headers }),
        ask(running.url, "/api/patients?ward=icu", { headers }),
        ask(running.url, "/hubs/clinical/negotiate?negotiateVersion=1", { method: "POST", headers }),
        ask(running.url, "/hubs/clinical", { headers: { ...headers, ...upgrade } }),
      ]);
      expect(
        answers.map(({ status }) => status),
        host,
      ).toEqual([421, 421, 421, 421]);
    }
    // Only the sign-in was seen by anyone.
    expect(running.log.slice(before).map(({ event }) => event)).toEqual(["session.started"]);
  });

  test("the same upgrade with our own host is accepted, so it was the host that was refused", async () => {
    const { token } = await running.grant("doctor-icu");
    const reply = await ask(running.url, "/hubs/clinical", {
      headers: { ...upgrade, authorization: `Bearer ${token}` },
    });
    expect(reply.status).toBe(101);
  });

  test("a request that names no host, two hosts or a whole URL is refused", async () => {
    const host = `127.0.0.1:${running.port}`;
    expect(await firstLine("GET /healthz HTTP/1.0\r\n\r\n")).toContain(" 421 ");
    expect(
      await firstLine(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`),
    ).toContain(" 421 ");
    expect(
      await firstLine(`GET http://evil.example/healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
    ).toContain(" 400 ");
  });

  test("an upgrade beside the hub is answered 404", async () => {
    expect((await ask(running.url, "/other", { headers: upgrade })).status).toBe(404);
  });

  async function firstLine(text: string): Promise<string> {
    const socket = connect(running.port, "127.0.0.1");
    socket.end(text);
    let reply = "";
    socket.setEncoding("utf8").on("data", (part: string) => (reply += part));
    await once(socket, "close");
    return reply.split("\r\n")[0] ?? "";
  }
});

test("PUBLIC_ORIGIN is served and allowed beside the two local ones", async () => {
  const behindProxy = await runClinic({ publicOrigin: "https://ward.example" });
  try {
    expect(behindProxy.clinic.url).toBe("https://ward.example");
    const headers = { host: "ward.example", origin: "https://ward.example" };
    expect((await ask(behindProxy.url, "/api/demo", { headers })).status).toBe(200);
    const local = { origin: `http://localhost:${behindProxy.port}` };
    expect((await ask(behindProxy.url, "/api/demo", { headers: local })).status).toBe(200);
    expect((await ask(behindProxy.url, "/api/demo", { headers: { origin: "http://ward.example" } })).status).toBe(403);
  } finally {
    await behindProxy.end();
  }
});

test("who sends headers drop by drop is cut off after seconds", async () => {
  const socket = connect(running.port, "127.0.0.1");
  socket.write("GET /healthz HTTP/1.1\r\nHost: ");
  let reply = "";
  socket.setEncoding("utf8").on("data", (part: string) => (reply += part));
  await once(socket, "close");
  expect(reply).toMatch(/^HTTP\/1\.1 408 /);
});
