/**
 * A long poll that nothing comes to, through nginx: the server answers it after 90 s, so nginx has to wait longer. With
 * `CI=true` in real time, with the documented file as it stands; elsewhere the server's clock runs 20 times as fast, and
 * so do the timeouts in that file. Both tests only wait, so they do it side by side.
 */

import { readFileSync } from "node:fs";
import { HttpTransportType } from "@microsoft/signalr";
import { expect, test, type TestContext } from "vitest";
import { Recorder } from "../support/recorder.js";
import { createIssuer } from "../support/tokens.js";
import { connectStock, runEdgeApp } from "./support/edge-app.js";
import { documented, freePort, nginxSuite, startNginx } from "./support/nginx.js";
import { createSwiftClock } from "./support/swift-clock.js";

const pace = process.env["CI"] === "true" ? 1 : 20;
/** A poll's life, and what the test waits for it at the most. Milliseconds of this machine. */
const pollMs = 90_000 / pace;
const patience = { timeout: pollMs + 15_000, interval: 100 };

const ours = readFileSync(documented("hubward-proxy.conf"), "utf8");
/** What nginx does where no configuration speaks of reading. */
const usual = ours.replace("proxy_read_timeout 100s;", "proxy_read_timeout 60s;");

/** The file's timeouts at this test's pace. */
const paced = (config: string): string =>
  config.replace(
    /(proxy_(?:read|send)_timeout) (\d+)s;/g,
    (_, name: string, s: string) => `${name} ${(+s * 1000) / pace}ms;`,
  );

async function enter(proxyConfig: string, { onTestFinished }: TestContext) {
  const clock = createSwiftClock(pace);
  const issuer = await createIssuer(clock);
  const { authenticator } = issuer;
  const { port } = await runEdgeApp({ authenticator, clock }, onTestFinished);
  const own = await freePort();
  const nginx = await startNginx(
    `
    server {
      listen 127.0.0.1:${own};
      access_log ACCESS_LOG hubward;
      location / { proxy_pass http://127.0.0.1:${port}; ${paced(proxyConfig)} }
    }
  `,
    onTestFinished,
  );
  const connection = await connectStock(
    `http://127.0.0.1:${own}/hub`,
    {
      accessTokenFactory: () => issuer.token("anna", { roles: ["staff"], lifetime: 3_600 }),
      transport: HttpTransportType.LongPolling,
    },
    onTestFinished,
  );
  const heard = new Recorder<string>();
  connection.on("said", heard.push);
  const closed = new Recorder<string>();
  connection.onclose((error) => closed.push(error?.message ?? ""));
  return { nginx, connection, heard, closed };
}

/** What came of the polls that waited: the status, and whether as long as a poll lives. */
function longPolls(accessLog: string): readonly string[] {
  const lines = accessLog.matchAll(/"GET \/hub HTTP\/1\.1" (\d+) (\d+) (\d+\.\d+)s/g);
  return [...lines]
    .filter(([, , , seconds]) => Number(seconds) * 1000 >= pollMs / 2)
    .map(
      ([, status, bytes, seconds]) =>
        `${status}, ${bytes} bytes, ${Number(seconds) * 1000 < pollMs ? "early" : "in time"}`,
    );
}

nginxSuite("a long poll that nothing comes to, behind nginx", () => {
  test.concurrent(
    "is answered empty by the server, with the documented configuration, and its connection goes on",
    async (own) => {
      const { nginx, connection, heard, closed } = await enter(ours, own);
      await own.expect.poll(() => longPolls(nginx.accessLog()), patience).toEqual(["200, 0 bytes, in time"]);
      expect(await connection.invoke("WhoAmI")).toBe("anna");
      await connection.invoke("Say", "still here");
      expect(await heard.first()).toBe("still here");
      expect(closed.items).toEqual([]);
    },
    pollMs + 40_000,
  );

  test.concurrent(
    "ends its connection with nginx's own 60 s, which is why the documented file has more",
    async (own) => {
      const { nginx, closed } = await enter(usual, own);
      await own.expect
        .poll(() => longPolls(nginx.accessLog()), patience)
        .toEqual([expect.stringMatching(/^504, \d+ bytes, early$/)]);
      expect(await closed.first()).toContain("504");
    },
    pollMs + 40_000,
  );
});
