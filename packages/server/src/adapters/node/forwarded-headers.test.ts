import { createServer, type IncomingMessage, type Server } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ForwardedHeaders } from "../../core/auth/credential.js";
import type { Endpoint } from "../../core/endpoint.js";
import type { HttpRequest } from "../../core/http.js";
import { ask, listen, shut } from "../../../../../tests/support/server.js";
import { attach } from "./attach.js";

let server: Server;

beforeEach(() => {
  server = createServer();
});
afterEach(() => shut(server));

interface Asked {
  readonly requests: HttpRequest[];
  readonly kept: ForwardedHeaders[];
}

/** An application that owns `path`, reads `x-subject` and `x-roles`, and notes what it is given. */
function reading(path: string, trustedOnly = true): Asked & { readonly endpoint: Endpoint } {
  const requests: HttpRequest[] = [];
  const kept: ForwardedHeaders[] = [];
  return {
    requests,
    kept,
    endpoint: {
      owns: (requested) => requested === path,
      forwarded: [
        {
          headers: ["x-subject", "x-roles"],
          trustedOnly,
          owns: (requested) => requested === path,
          keep: (_headers, forwarded) => void kept.push(forwarded),
        },
      ],
      request(request) {
        requests.push(request);
        return Promise.resolve({ status: 200, headers: {}, body: "" });
      },
      upgrade(request) {
        requests.push(request);
        return Promise.resolve({ accepted: false, reply: { status: 403, headers: {}, body: "" } });
      },
    },
  };
}

/** Text of what was believed, or why it was not. */
function told(forwarded: ForwardedHeaders | undefined): unknown {
  if (forwarded === undefined || forwarded.kind === "unbelievable") return forwarded?.why;
  return Object.fromEntries(Array.from(forwarded.headers, ([name, value]) => [name, value.reveal()]));
}

const several = (values: Readonly<Record<string, readonly string[]>>): Record<string, string> =>
  values as unknown as Record<string, string>;

const local = { trustedProxies: ["127.0.0.1"] };
const elsewhere = { trustedProxies: ["10.0.0.0/8"] };

describe("a gateway's headers", () => {
  test.each<[string, { readonly trustedProxies: readonly string[] }, Record<string, string>, unknown]>([
    ["from a trusted proxy are taken", local, { "X-Subject": "anna" }, { "x-subject": "anna" }],
    ["from anybody else are not", elsewhere, { "x-subject": "anna" }, "untrusted"],
    ["from anybody else are not, empty as they may be", elsewhere, { "x-subject": "anna", "x-roles": "" }, "untrusted"],
    ["that are empty are not there", local, { "x-subject": "", "x-roles": "" }, undefined],
    ["that are not sent are not there", local, { "x-other": "anna" }, undefined],
    ["that stand there twice are not", local, several({ "x-subject": ["anna", "berta"] }), "duplicate"],
    ["that say the same twice are not", local, several({ "x-subject": ["anna", "anna"] }), "duplicate"],
    ["that are empty twice are not", local, several({ "x-subject": ["", ""] }), "duplicate"],
    ["of another spelling are other headers", local, { x_subject: "anna" }, undefined],
  ])("%s", async (_, options, headers, expected) => {
    const app = reading("/hub");
    attach(server, app, options);
    const port = await listen(server);
    await ask(port, { path: "/hub", headers });
    expect(told(app.requests[0]?.forwarded)).toEqual(expected);
  });

  test.each<[count: number, max: number | null, expected: unknown]>([
    [900, null, { "x-subject": "anna" }],
    [998, null, "overflow"],
    // Node keeps no trace of it.
    [1_100, null, undefined],
    [7, 10, "overflow"],
    [6, 10, { "x-subject": "anna" }],
    [1_100, 1_200, { "x-subject": "anna" }],
    [1_100, 0, { "x-subject": "anna" }],
  ])(
    "behind %i others are cut out, and believed only where none can be missing (of %s)",
    async (count, max, expected) => {
      server.maxHeadersCount = max;
      const seen: string[] = [];
      server.on("request", (request: IncomingMessage, response) => {
        seen.push(JSON.stringify([request.headers, request.rawHeaders]));
        response.end();
      });
      const app = reading("/hub");
      attach(server, app, local);
      const port = await listen(server);
      const head = (path: string): string =>
        `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${"a:\r\n".repeat(count)}x-subject: anna\r\n\r\n`;
      for (const path of ["/hub", "/other"]) {
        const socket = connect(port, "127.0.0.1");
        socket.end(head(path));
        await text(socket);
      }
      // Newer Nodes let no such request in at all, where older ones keep a part of it.
      if (seen.length === 0) return expect([max, app.requests]).toEqual([null, []]);
      expect(seen).toHaveLength(1);
      expect(seen[0]).not.toContain("anna");
      expect(told(app.requests[0]?.forwarded)).toEqual(expected);
    },
  );

  test("that prove themselves are taken from anybody", async () => {
    const app = reading("/hub", false);
    attach(server, app);
    await ask(await listen(server), { path: "/hub", headers: { "x-subject": "signed" } });
    expect(told(app.requests[0]?.forwarded)).toEqual({ "x-subject": "signed" });
  });

  test("are kept from every other listener, whoever sent them, and kept for the guards of the request", async () => {
    const seen: string[] = [];
    server.on("request", ({ headers, rawHeaders, headersDistinct }: IncomingMessage) => {
      seen.push(JSON.stringify([headers, rawHeaders, headersDistinct]));
    });
    server.prependListener("request", (request: IncomingMessage) => void request.headersDistinct);
    server.on("request", (_request, response) => void response.end());
    const first = reading("/first");
    const second = reading("/second");
    attach(server, first, local);
    attach(server, second, elsewhere);
    const port = await listen(server);
    await ask(port, { path: "/else", headers: { "X-Subject": "secret-anna", "x-roles": "secret-role" } });
    expect(seen).toHaveLength(1);
    expect(seen[0]).not.toContain("secret");
    expect(first.kept.map(told)).toEqual([{ "x-subject": "secret-anna", "x-roles": "secret-role" }]);
    expect(second.kept.map(told)).toEqual(["untrusted"]);
    await ask(port, { path: "/first", headers: { "x-subject": "anna" } });
    expect(told(first.requests[0]?.forwarded)).toEqual({ "x-subject": "anna" });
  });

  test("need somebody who may send them", () => {
    expect(() => attach(server, reading("/hub"))).toThrow(TypeError);
    expect(() => attach(server, reading("/hub"), { trustedProxies: [] })).toThrow(TypeError);
    expect(() => attach(server, reading("/hub"), { trustedProxies: ["somewhere"] })).toThrow(RangeError);
  });
});

describe("the address of a request", () => {
  test.each([
    [local, "198.51.100.1, 203.0.113.9", "203.0.113.9"],
    [elsewhere, "198.51.100.1, 203.0.113.9", "127.0.0.1"],
    [{}, "203.0.113.9", "127.0.0.1"],
  ])("behind %o is the one nobody of ours has made up", async (options, forwardedFor, expected) => {
    const app = reading("/hub", false);
    attach(server, app, options);
    const port = await listen(server);
    await ask(port, { path: "/hub", headers: { "x-forwarded-for": forwardedFor } });
    await ask(port, { path: "/hub", headers: several({ "x-forwarded-for": forwardedFor.split(", ") }) });
    expect(app.requests.map(({ remoteAddress }) => remoteAddress)).toEqual([expected, expected]);
  });

  test("over a Unix socket is the proxy's word where such peers are trusted", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hubward-unix-"));
    const path = join(folder, "hub.sock");
    const app = reading("/hub");
    attach(server, app, { trustedProxies: ["unix:"] });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const socket = connect(path);
    socket.end("GET /hub HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.9\r\nx-subject: anna\r\n\r\n");
    await text(socket);
    rmSync(folder, { recursive: true });
    const [request] = app.requests;
    expect([request?.remoteAddress, told(request?.forwarded)]).toEqual(["203.0.113.9", { "x-subject": "anna" }]);
  });

  test("over TCP is never a Unix socket's, also when it cannot be had any more", async () => {
    const app = reading("/hub");
    attach(server, app, { trustedProxies: ["unix:"] });
    server.prependListener("connection", (socket) => {
      Object.defineProperty(socket, "remoteAddress", { value: undefined });
    });
    const port = await listen(server);
    await ask(port, { path: "/hub", headers: { "x-subject": "anna", "x-forwarded-for": "203.0.113.9" } });
    const [request] = app.requests;
    expect([request?.remoteAddress, told(request?.forwarded)]).toEqual([undefined, "untrusted"]);
  });
});
