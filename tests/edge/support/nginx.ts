/** A real nginx for the suites: where it is, how it starts, and what happens where there is none. */

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, onTestFinished, test, type TestContext } from "vitest";
import { listen, shut } from "../../support/server.js";

const usualPlaces = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];

/** `NGINX_PATH` decides where it is set, also when nothing is there. */
export const nginxPath: string | undefined = [process.env["NGINX_PATH"] ?? usualPlaces]
  .flat()
  .find((path) => existsSync(path));

/** A file of the documented configuration. */
export function documented(name: string): string {
  return fileURLToPath(new URL(`../../../docs/nginx/${name}`, import.meta.url));
}

/** A suite that needs nginx: without it skipped, and said so; with `CI=true` failed. */
export function nginxSuite(name: string, body: () => void): void {
  if (nginxPath !== undefined) {
    describe(name, body);
    return;
  }
  if (process.env["CI"] === "true") {
    describe(name, () => {
      test("nginx is installed, because CI runs every suite", () => {
        throw new Error("nginx is missing: `npm run setup` installs it (or set NGINX_PATH)");
      });
    });
    return;
  }
  console.warn(`SKIPPED: ${name}. nginx is missing: \`npm run setup\` installs it (or set NGINX_PATH).`);
  describe.skipIf(true)(name, body);
}

export interface Nginx {
  /** Its access log so far. */
  accessLog(): string;
  /** All it said on standard error: its error log. */
  errors(): string;
}

/** A port that was free a moment ago: nginx cannot be asked which one it took. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await shut(server);
  return port;
}

/**
 * Starts nginx until the test is over, with the documented file for `http { }` included as it is.
 * @param http what else stands there, server and all; `ACCESS_LOG` is replaced by the log's path
 * @param atEnd the test's own `onTestFinished`, which those that run side by side must bring
 */
export async function startNginx(http: string, atEnd: TestContext["onTestFinished"] = onTestFinished): Promise<Nginx> {
  if (nginxPath === undefined) throw new TypeError("startNginx: only inside an nginxSuite");
  const folder = await mkdtemp(join(tmpdir(), "hubward-nginx-"));
  const accessLog = join(folder, "access.log");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const config = [
    "daemon off;",
    "master_process off;",
    "error_log stderr notice;",
    `pid ${join(folder, "nginx.pid")};`,
    "events { }",
    "http {",
    ...temporary.map((name) => `${name}_temp_path ${join(folder, name)};`),
    // As an installed one has it; what a location sets is then all that counts there.
    `access_log ${join(folder, "combined.log")};`,
    `include ${documented("hubward.conf")};`,
    http.replaceAll("ACCESS_LOG", accessLog),
    "}",
  ];
  const file = join(folder, "nginx.conf");
  await writeFile(file, config.join("\n"));
  const child = spawn(nginxPath, ["-p", folder, "-c", file], { stdio: ["ignore", "ignore", "pipe"] });
  const killWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", killWithUs);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  atEnd(async () => {
    child.kill("SIGTERM");
    await ended;
    process.off("exit", killWithUs);
    await rm(folder, { recursive: true, force: true });
  });
  let errors = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      errors += chunk;
      // Said once it listens.
      if (errors.includes("getrlimit(RLIMIT_NOFILE)")) resolve();
    });
    void ended.then(() => reject(new Error(`nginx ended:\n${errors}`)));
  });
  return { accessLog: () => readFileSync(accessLog, "utf8"), errors: () => errors };
}
