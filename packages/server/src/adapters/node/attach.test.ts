import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import type { UpgradeAnswer } from "../../core/endpoint.js";
import type { HttpRequest } from "../../core/http.js";
import { sendRaw, statusesOf } from "../../../../../tests/hostile/send-raw.js";
import { dial, openWebSocket, upgrade } from "../../../../../tests/support/raw-web-socket.js";
import { Recorder } from "../../../../../tests/support/recorder.js";
import { ask, listen, shut } from "../../../../../tests/support/server.js";
import { attach } from "./attach.js";

let server: Server;
let port: number;

beforeEach(async () => {
  server = createServer();
  port = await listen(server);
});
afterEach(() => shut(server));

/** An application that owns one path, and says what it was asked. */
function owning(path: string, onUpgrade?: (request: HttpRequest) => Promise<UpgradeAnswer>) {
  const asked: HttpRequest[] = [];
  return {
    asked,
    endpoint: {
      owns: (requested: string) => requested === path,
      request: (request: HttpRequest) => {
        asked.push(request);
        return Promise.resolve({ status: 200, headers: { "x-from": path }, body: `${request.method} ${path}` });
      },
      upgrade: (request: HttpRequest): Promise<UpgradeAnswer> => {
        asked.push(request);
        if (onUpgrade !== undefined) return onUpgrade(request);
        return Promise.resolve({ accepted: false, reply: { status: 403, headers: {}, body: "no" } });
      },
    },
  };
}

function answering(text: string): (request: IncomingMessage, response: ServerResponse) => void {
  return (_request, response) => void response.end(text);
}

const status = async (path: string): Promise<number> => (await ask(port, { path })).status;

describe("requests", () => {
  test("under the application's paths reach no other listener, whenever it was added", async () => {
    const heard: (string | undefined)[] = [];
    const note = (request: IncomingMessage, response: ServerResponse): void => {
      heard.push(request.url);
      if (!response.writableEnded) response.end("other");
    };
    server.on("request", note);
    const app = owning("/hub");
    attach(server, app);
    server.on("request", note);
    expect((await ask(port, { path: "/hub?access_token=secret" })).body).toBe("GET /hub");
    expect((await ask(port, { path: "/else" })).body).toBe("other");
    expect(heard).toEqual(["/else", "/else"]);
    expect(app.asked[0]?.bearers[0]?.token.reveal()).toBe("secret");
  });

  test("that nobody listens for are answered 404", async () => {
    attach(server, owning("/hub"));
    expect(await status("/else")).toBe(404);
    expect(await status("*")).toBe(404);
    expect(await status("http://127.0.0.1/else")).toBe(404);
  });

  test("with a path that cannot be decoded are not the application's", async () => {
    attach(server, owning("/hub"));
    server.on("request", answering("other"));
    expect((await ask(port, { path: "/hub%zz" })).body).toBe("other");
    expect((await ask(port, { path: "/%68ub" })).body).toBe("GET /hub");
  });

  test("that expect a 100 first are answered outright", async () => {
    server.on("checkContinue", answering("other"));
    attach(server, owning("/hub"));
    const headers = { expect: "100-continue" };
    expect((await ask(port, { method: "POST", path: "/hub", headers })).body).toBe("POST /hub");
    expect((await ask(port, { method: "POST", path: "/else", headers })).body).toBe("other");
  });

  test("of a method without a body get the headers alone", async () => {
    attach(server, owning("/hub"));
    const reply = await ask(port, { method: "HEAD", path: "/hub" });
    expect([reply.status, reply.headers["content-length"], reply.body]).toEqual([200, "9", ""]);
  });

  test("are answered 500 when the application breaks, and the process lives", async () => {
    const broken = owning("/hub");
    broken.endpoint.request = () => Promise.reject(new Error("broken"));
    broken.endpoint.upgrade = () => Promise.reject(new Error("broken"));
    attach(server, broken);
    expect(await status("/hub")).toBe(500);
    expect(await upgrade({ port, path: "/hub" })).toMatchObject({ isOpen: false, status: 500 });
  });
});

describe("upgrades", () => {
  test("of another listener's paths work beside the application", async () => {
    attach(server, owning("/hub"));
    const others = new WebSocketServer({ server, path: "/other" });
    others.on("connection", (ws) => ws.on("message", (text) => ws.send(`echo ${String(text)}`)));
    const socket = await openWebSocket({ port, path: "/other" });
    socket.sendText("hello");
    const { payload } = await socket.frames.first();
    expect(payload.toString()).toBe("echo hello");
    expect(await upgrade({ port, path: "/hub" })).toMatchObject({ isOpen: false, status: 403, body: "no" });
    socket.end();
    others.close();
  });

  test("are left alone when somebody else may still want them", async () => {
    attach(server, owning("/hub"));
    server.on("upgrade", (_request, socket) => void socket.end("HTTP/1.1 418 I'm a teapot\r\n\r\n"));
    expect(await upgrade({ port, path: "/else" })).toMatchObject({ isOpen: false, status: 418 });
  });

  test("that nobody could want are answered 404, also with several applications on one server", async () => {
    attach(server, owning("/hub"));
    expect(await upgrade({ port, path: "/else" })).toMatchObject({ isOpen: false, status: 404 });
    attach(server, owning("/second"));
    expect(await upgrade({ port, path: "/else" })).toMatchObject({ isOpen: false, status: 404 });
    expect(await upgrade({ port, path: "/second" })).toMatchObject({ isOpen: false, status: 403 });
    expect(await status("/else")).toBe(404);
  });

  test("that are accepted but fail are abandoned, once, and never opened", async () => {
    const told: string[] = [];
    const app = owning("/hub", () =>
      Promise.resolve({
        accepted: true,
        open: () => {
          throw new Error("nobody may get here");
        },
        abandon: () => told.push("abandoned"),
      }),
    );
    attach(server, app);
    const refused = await upgrade({ port, path: "/hub", headers: { "sec-websocket-version": "7" } });
    expect(refused).toMatchObject({ isOpen: false, status: 400 });
    expect(told).toEqual(["abandoned"]);
  });
});

/** A request as `curl --http2` writes it, and whatever is put behind it, until the server ends the connection. */
async function askForHttp2(line: string, { headers = "", behind = "" } = {}): Promise<string> {
  const wish = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n";
  return sendRaw(port, `${line} HTTP/1.1\r\nHost: 127.0.0.1\r\n${wish}${headers}\r\n${behind}`);
}

/** Another request behind the first, in the same segment. */
const NEXT = "GET /next HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
/** From 22.21 and 24.9 on, where it is asked to. */
const canNodeReadBodies = "shouldUpgradeCallback" in createServer();

describe("requests that ask for another protocol than WebSocket", () => {
  const lastOf = (text: string): string => text.slice(text.indexOf("\r\n\r\n") + 4);

  test.each(["/hub", "/else", "/second"])("are answered as if they had not: %s", async (path) => {
    attach(server, owning("/hub"));
    attach(server, owning("/second"));
    server.on("request", (request, response) => void response.end(`other ${request.method}`));
    const text = await askForHttp2(`GET ${path}`, { behind: NEXT });
    expect(statusesOf(text)[0]).toBe("200");
    expect(text).toContain(path === "/else" ? "other GET" : `GET ${path}`);
    expect(text).not.toContain("101");
    const head = await askForHttp2(`HEAD ${path}`, { headers: "Content-Length: 0\r\n", behind: NEXT });
    expect(statusesOf(head)[0]).toBe("200");
  });

  test("that nobody listens for are answered 404", async () => {
    attach(server, owning("/hub"));
    expect(statusesOf(await askForHttp2("GET /else", { behind: NEXT }))[0]).toBe("404");
  });

  test.each([
    ["of a stated length", "Content-Length: 5\r\n", "hello"],
    ["in chunks", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"],
  ])("with a body %s are read whole or refused, never taken for requests without one", async (_, headers, body) => {
    attach(server, owning("/hub"));
    server.on("request", (request, response) => {
      let read = "";
      request.on("data", (chunk: Buffer) => (read += chunk.toString()));
      request.on("end", () => response.end(`read ${read}`));
    });
    for (const path of ["/else", "/hub"]) {
      const text = await askForHttp2(`POST ${path}`, { headers, behind: body + NEXT });
      const answer = path === "/hub" ? "POST /hub" : "read hello";
      expect(statusesOf(text)).toEqual([canNodeReadBodies ? "200" : "400"]);
      expect(text).toContain(canNodeReadBodies ? answer : "A request with a body cannot ask for an upgrade here.");
      expect(text.toLowerCase()).toContain("connection: close");
    }
  });

  test("are the last of their connection: what stands behind them is no request", async () => {
    const heard: (string | undefined)[] = [];
    attach(server, owning("/hub"));
    server.on("request", (request, response) => {
      heard.push(request.url);
      response.end("other");
    });
    const text = await askForHttp2("GET /first", { behind: NEXT });
    expect([heard, statusesOf(text)]).toEqual([["/first"], ["200"]]);
    expect(text.toLowerCase()).toContain("connection: close");
  });

  test("are ended when their peer goes away, and were not broken off when it stays", async () => {
    const told: string[] = [];
    const requested = new Recorder<ServerResponse>();
    attach(server, owning("/hub"));
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      request.on("aborted", () => told.push(`${request.url} aborted`));
      response.on("close", () => told.push(`${request.url} ${response.writableFinished ? "finished" : "cut"}`));
      if (request.url === "/slow") return requested.push(response);
      response.end("other");
    });
    await askForHttp2("GET /quick");
    const socket = await dial(port);
    socket.write("GET /slow HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    const response = await requested.first();
    const closed = once(response, "close");
    socket.resetAndDestroy();
    await closed;
    expect(told).toEqual(["/quick finished", "/slow aborted", "/slow cut"]);
  });

  test("are left to whoever else listens for upgrades, except on the application's paths", async () => {
    attach(server, owning("/hub"));
    server.on("upgrade", (_request, socket) => void socket.end("HTTP/1.1 418 I'm a teapot\r\n\r\n"));
    expect(statusesOf(await askForHttp2("GET /else"))).toEqual(["418"]);
    expect(lastOf(await askForHttp2("GET /hub", { behind: NEXT }))).toContain("GET /hub");
  });

  test("among which WebSocket is one are upgrades", async () => {
    attach(server, owning("/hub"));
    const outcome = await upgrade({ port, path: "/hub", headers: { upgrade: "h2c, WebSocket" } });
    expect(outcome).toMatchObject({ isOpen: false, status: 403 });
  });

  test("are upgrades again once the application is gone", async () => {
    const before = (server as { shouldUpgradeCallback?: unknown }).shouldUpgradeCallback;
    const { detach } = attach(server, owning("/hub"));
    detach();
    server.on("upgrade", (_request, socket) => void socket.end("HTTP/1.1 418 I'm a teapot\r\n\r\n"));
    expect(statusesOf(await askForHttp2("GET /hub"))).toEqual(["418"]);
    expect((server as { shouldUpgradeCallback?: unknown }).shouldUpgradeCallback).toBe(before);
  });
});

describe("detaching", () => {
  test("gives the paths back", async () => {
    const { detach } = attach(server, owning("/hub"));
    server.on("request", answering("other"));
    expect((await ask(port, { path: "/hub" })).body).toBe("GET /hub");
    detach();
    expect((await ask(port, { path: "/hub" })).body).toBe("other");
    expect(server.listenerCount("upgrade")).toBe(0);
  });

  test("the first of two applications leaves the second", async () => {
    const first = attach(server, owning("/first"));
    const second = attach(server, owning("/second"));
    first.detach();
    server.on("request", answering("other"));
    expect((await ask(port, { path: "/first" })).body).toBe("other");
    expect((await ask(port, { path: "/second" })).body).toBe("GET /second");
    second.detach();
    expect((await ask(port, { path: "/second" })).body).toBe("other");
  });
});
