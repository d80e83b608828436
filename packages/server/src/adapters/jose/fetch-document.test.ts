import type { RequestListener } from "node:http";
import { connect } from "node:net";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { certificate } from "../../../../../tests/support/certificate.js";
import { faults, json, startKeyServer, text } from "../../../../../tests/providers/support/key-server.js";
import { until } from "../../../../../tests/support/until.js";
import { fetchDocument, type FetchBounds } from "./fetch-document.js";

const maxBytes = 64 * 1024;
const bounds = (changed: Partial<FetchBounds> = {}): FetchBounds => ({
  signal: new AbortController().signal,
  maxBytes,
  ca: undefined,
  ...changed,
});

describe("a good answer", () => {
  test("is read whatever its content type says, from a server that was asked plainly", async () => {
    let headers: object = {};
    const server = await startKeyServer((request, response) => {
      headers = request.headers;
      text('{"keys":[]}', { "content-type": "text/html" })(request, response);
    });
    expect(await fetchDocument(new URL(`${server.origin}/jwks?p=1`), bounds())).toEqual({ keys: [] });
    expect(server.requests.items).toEqual(["GET /jwks?p=1"]);
    expect(headers).toEqual({
      accept: "application/json",
      "accept-encoding": "identity",
      connection: "close",
      host: server.origin.slice("http://".length),
    });
  });

  test("may be as long as the limit and not a byte longer, with and without content-length", async () => {
    const server = await startKeyServer(json({}));
    const padded = (length: number): string => `{"a":"${"x".repeat(length - 8)}"}`;
    for (const isChunked of [false, true]) {
      for (const length of [maxBytes, maxBytes + 1]) {
        server.answer = (_request, response) => {
          if (isChunked) response.write(padded(length).slice(0, 10));
          else response.writeHead(200, { "content-length": String(length) });
          response.end(padded(length).slice(isChunked ? 10 : 0));
        };
        const answer = fetchDocument(new URL(server.origin), bounds());
        if (length === maxBytes) expect(Object.keys(await answer)).toEqual(["a"]);
        else await expect(answer).rejects.toThrow("too long");
      }
    }
  });
});

describe("bad answers", () => {
  test.each(Object.entries(faults).filter(([, { lasts }]) => lasts !== true))("one that %s", async (_what, fault) => {
    const server = await startKeyServer(fault.answer);
    const answer = fetchDocument(new URL(`${server.origin}/jwks`), bounds());
    if (fault.answer === faults["answers JSON that is no key set"]?.answer) await expect(answer).resolves.toBeDefined();
    else await expect(answer).rejects.toThrow(/^the (?:answer|request)/);
    expect(server.requests.items).toEqual(["GET /jwks"]);
  });

  test.each(Object.entries(faults).filter(([, { lasts }]) => lasts === true))(
    "one that %s ends when its time is over, connection and all",
    async (_what, fault) => {
      let isClosed = false;
      const server = await startKeyServer((request, response) => {
        request.socket.on("close", () => (isClosed = true));
        fault.answer(request, response);
      });
      const time = new AbortController();
      const outcome = fetchDocument(new URL(server.origin), bounds({ signal: time.signal })).catch(String);
      await server.requests.first();
      time.abort();
      expect(await outcome).toContain("took too long");
      await until(() => isClosed);
    },
  );

  test("F14: of a body without end only the limit is read, and the connection is closed", async () => {
    let sent = 0;
    let isClosed = false;
    const server = await startKeyServer((request, response) => {
      request.socket.on("close", () => {
        isClosed = true;
        sent = request.socket.bytesWritten;
      });
      faults["answers without an end"]?.answer(request, response);
    });
    await expect(fetchDocument(new URL(server.origin), bounds())).rejects.toThrow("too long");
    await until(() => isClosed);
    expect(sent, "what both kernels hold of it").toBeLessThan(16 * 1024 * 1024);
  });

  test("a small body that would decompress to a large one is not decompressed at all", async () => {
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024, " "));
    expect(bomb.length).toBeLessThan(maxBytes);
    for (const encoding of ["gzip", "deflate", "br", "zstd"]) {
      const server = await startKeyServer(text(bomb, { "content-encoding": encoding }));
      await expect(fetchDocument(new URL(server.origin), bounds())).rejects.toThrow("compressed");
    }
  });

  test("no redirect is followed, whatever its status", async () => {
    const target = await startKeyServer(json({ keys: [] }));
    for (const code of [300, 301, 302, 303, 307, 308]) {
      const server = await startKeyServer((_request, response) => {
        response.writeHead(code, { location: `${target.origin}/jwks` }).end('{"keys":[]}');
      });
      await expect(fetchDocument(new URL(server.origin), bounds())).rejects.toThrow(`status is ${code}`);
    }
    expect(target.requests.items).toEqual([]);
  });

  test("nobody listening is an outage, and a time that is over before it began asks nobody", async () => {
    const server = await startKeyServer(json({}));
    const asked = fetchDocument(new URL(server.origin), bounds({ signal: AbortSignal.abort() }));
    await expect(asked).rejects.toThrow("took too long");
    expect(server.requests.items).toEqual([]);
    await server.stop();
    await expect(fetchDocument(new URL(server.origin), bounds())).rejects.toThrow("the request failed");
  });

  test.each<[string, RequestListener]>([
    ["that is no JSON", text('{"password":"hunter2"')],
    ["that is no HTTP", ({ socket }) => void socket.end("HTTP/1.1 hunter2\r\n\r\n")],
    ["of a strange header", ({ socket }) => void socket.end("HTTP/1.1 200 OK\r\nhunter2\u0001: x\r\n\r\n")],
  ])("errors quote nothing of an answer %s", async (_what, answer) => {
    const server = await startKeyServer(answer);
    const error: unknown = await fetchDocument(new URL(server.origin), bounds()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Error);
    const shown = inspect(error, { depth: 9 });
    expect(shown).not.toContain("hunter2");
    expect(shown).not.toContain("Buffer");
  });
});

describe("TLS", () => {
  test("a certificate nobody vouches for is refused, also where the environment would let it pass", async () => {
    const server = await startKeyServer(json({ keys: [] }), { tls: true });
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      await expect(fetchDocument(new URL(server.origin), bounds())).rejects.toThrow("DEPTH_ZERO_SELF_SIGNED_CERT");
    } finally {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    }
    expect(server.requests.items).toEqual([]);
  });

  test("an authority of one's own is believed, for the names it vouches for", async () => {
    const server = await startKeyServer(json({ keys: [] }), { tls: true });
    const port = new URL(server.origin).port;
    expect(await fetchDocument(new URL(server.origin), bounds({ ca: [certificate] }))).toEqual({ keys: [] });
    expect(await fetchDocument(new URL(`https://localhost:${port}/`), bounds({ ca: [certificate] }))).toEqual({
      keys: [],
    });
    expect(server.requests.items).toHaveLength(2);
    const stranger = await startKeyServer(json({ keys: [] }), { tls: true, host: "127.0.0.2" });
    await expect(fetchDocument(new URL(stranger.origin), bounds({ ca: [certificate] }))).rejects.toThrow(
      "ERR_TLS_CERT_ALTNAME_INVALID",
    );
    expect(stranger.requests.items).toEqual([]);
  });

  test("a server without TLS behind an https address is refused", async () => {
    const server = await startKeyServer(json({ keys: [] }));
    const address = new URL(server.origin.replace("http:", "https:"));
    await expect(fetchDocument(address, bounds())).rejects.toThrow("the request failed");
    const alive = connect(Number(address.port), "127.0.0.1");
    await new Promise((resolve) => alive.once("connect", resolve));
    alive.destroy();
  });
});
