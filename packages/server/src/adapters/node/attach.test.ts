import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import type { UpgradeAnswer } from "../../core/endpoint.js";
import type { HttpRequest } from "../../core/http.js";
import { openWebSocket, upgrade } from "../../../../../tests/support/raw-web-socket.js";
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
