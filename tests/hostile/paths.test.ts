/** Paths that look like a hub's, and upgrades that look like one. */

import { describe, expect, test } from "vitest";
import { dial, encodeFrame, opcodes, upgrade, upgradeHeaders } from "../support/raw-web-socket.js";
import { ask, bearer } from "../support/server.js";
import { sendRaw, statusesOf } from "./send-raw.js";
import { HUB, underAttack } from "./target.js";

describe("paths", () => {
  const elsewhere = [
    "//hub",
    "/hub//",
    "//hub/negotiate",
    "/hub/negotiate//",
    "/hub//negotiate",
    "/hub/negotiate/..",
    "/hub/./negotiate",
    "/x/../hub",
    "/hub/..",
    "/hub;x=1",
    "/hub%00",
    "/%2fhub",
    "/%2568ub",
    "/hub%",
    "/hub%zz",
    "/hub%c3%28",
    "/hub.",
    "/hub\\negotiate",
    "/ｈub",
    "/hub/refresh",
    "/__proto__",
    "/constructor/negotiate",
    "*",
    "hub",
  ];

  test.each(elsewhere)("%s is not the hub", (path) =>
    underAttack(async (target) => {
      const { port } = target;
      const token = await target.strangersToken();
      const encoded = path.replace("ｈ", "\xef\xbd\x88");
      const credentials = `host: x\r\nconnection: close\r\nauthorization: Bearer ${token}\r\n`;
      const plain = await sendRaw(port, `POST ${encoded} HTTP/1.1\r\n${credentials}content-length: 0\r\n\r\n`);
      expect(["404", "400"]).toContain(statusesOf(plain)[0]);
      expect(plain).not.toContain("connectionToken");
      const handshake = Object.entries(upgradeHeaders(port)).map((line) => line.join(": "));
      const upgraded = await sendRaw(
        port,
        `GET ${encoded} HTTP/1.1\r\n${handshake.join("\r\n")}\r\nauthorization: Bearer ${token}\r\n\r\n`,
      );
      expect(["404", "400"]).toContain(statusesOf(upgraded)[0]);
    })(),
  );

  test.each(["/HUB", "/hub/", "/%68ub", "/h%75B", "/hub?", "/hub?&&=&x"])(
    "%s is the hub, under the same rules",
    (path) =>
      underAttack(async ({ port, strangersToken }) => {
        const [bare, query = ""] = path.split("?");
        const refused = await ask(port, { method: "POST", path: `${bare?.replace(/\/$/, "")}/negotiate?${query}` });
        expect([refused.status, refused.body]).toEqual([401, ""]);
        const token = await strangersToken();
        const reply = await ask(port, {
          method: "POST",
          path: `${bare?.replace(/\/$/, "")}/negotiate?${query}`,
          headers: bearer(token),
        });
        expect(reply.status).toBe(200);
        expect(await upgrade({ port, path })).toMatchObject({ isOpen: false, status: 401 });
        const entered = await upgrade({ port, path, headers: bearer(token) });
        expect(entered.isOpen).toBe(true);
        if (entered.isOpen) entered.webSocket.socket.destroy();
      })(),
  );
});

describe("upgrades", () => {
  test.each([
    ["with a key that is none", { "sec-websocket-key": "x" }, 400],
    ["with a key of the wrong length", { "sec-websocket-key": Buffer.alloc(15).toString("base64") }, 400],
    ["without a key", { "sec-websocket-key": null }, 400],
    ["with a version nobody speaks", { "sec-websocket-version": "99" }, 400],
    ["to another protocol", { upgrade: "h2c" }, 400],
  ])("%s are refused, and their attempt is given back", (_, headers, status) =>
    underAttack(async ({ port, strangersToken }) => {
      const token = await strangersToken();
      // Far more often than a session could fail without being held back.
      for (let time = 0; time < 5; time++) {
        const outcome = await upgrade({ port, path: HUB, headers: { ...bearer(token), ...headers } });
        expect(outcome).toMatchObject({ isOpen: false, status });
      }
      const entered = await upgrade({ port, path: HUB, headers: bearer(token) });
      expect(entered.isOpen).toBe(true);
      if (entered.isOpen) entered.webSocket.socket.destroy();
    })(),
  );

  test(
    "of the negotiate's path are refused",
    underAttack(async ({ port, strangersToken }) => {
      const headers = bearer(await strangersToken());
      expect(await upgrade({ port, path: `${HUB}/negotiate`, headers })).toMatchObject({ isOpen: false, status: 404 });
    }),
  );

  test(
    "with another method are refused",
    underAttack(async ({ port, strangersToken }) => {
      const lines = Object.entries({ ...upgradeHeaders(port), ...bearer(await strangersToken()) }).map((line) =>
        line.join(": "),
      );
      const answer = await sendRaw(port, `POST ${HUB} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      expect(statusesOf(answer)).toEqual(["405"]);
    }),
  );

  test(
    "that ask for compression and subprotocols get neither",
    underAttack(async ({ port, strangersToken }) => {
      const headers = {
        ...bearer(await strangersToken()),
        "sec-websocket-extensions": "permessage-deflate; client_max_window_bits",
        "sec-websocket-protocol": "graphql-ws, json",
      };
      const socket = await dial(port);
      const lines = Object.entries({ ...upgradeHeaders(port), ...headers }).map((line) => line.join(": "));
      socket.write(`GET ${HUB} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      const head = await new Promise<string>((resolve) =>
        socket.once("data", (chunk: Buffer) => resolve(chunk.toString("latin1"))),
      );
      expect(head).toMatch(/^HTTP\/1\.1 101 /);
      expect(head.toLowerCase()).not.toContain("permessage-deflate");
      socket.destroy();
    }),
  );

  test(
    "with frames behind them in the same segment are understood",
    underAttack(async ({ port, strangersToken, telemetry }) => {
      const socket = await dial(port);
      const lines = Object.entries({ ...upgradeHeaders(port), ...bearer(await strangersToken()) }).map((line) =>
        line.join(": "),
      );
      const head = Buffer.from(`GET ${HUB} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      const handshake = encodeFrame({
        opcode: opcodes.text,
        payload: Buffer.from('{"protocol":"json","version":1}\x1e'),
      });
      socket.write(Buffer.concat([head, handshake]));
      await telemetry.take(2, ({ event }) => event === "connection.opened");
      socket.destroy();
    }),
  );
});
