/** The built demo as a process of its own, as `npm run demo` starts it, on a free port. */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const entry = fileURLToPath(new URL("../../../apps/clinic/dist/server/main.js", import.meta.url));
const page = fileURLToPath(new URL("../../../apps/clinic/dist/page/index.html", import.meta.url));

/** What a demo gets to end by itself before it is killed. */
const endingMs = 8_000;

export interface DemoOptions {
  /** Life of an access token, default 300. */
  readonly accessTokenSeconds?: number | undefined;
  /** Where browsers reach it, if not at its own address. */
  readonly publicOrigin?: string | undefined;
}

export interface Demo {
  /** The address it listens on, `http://127.0.0.1:PORT`. */
  readonly origin: string;
  readonly port: number;
  /** Everything it has printed: its greeting and its log. */
  output(): string;
  /** Ends it as Ctrl-C would. Rejects when it did not end cleanly. */
  stop(): Promise<void>;
}

/** Rejects with what the demo printed when it ends instead of starting. */
export async function startDemo({ accessTokenSeconds = 300, publicOrigin }: DemoOptions = {}): Promise<Demo> {
  for (const file of [entry, page]) if (!existsSync(file)) throw new Error(`${file} is missing: npm run build`);
  const folder = await mkdtemp(join(tmpdir(), "hubward-demo-"));
  const child = spawn(process.execPath, [entry], {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      PORT: "0",
      HUBWARD_DATA: join(folder, "data"),
      ACCESS_TOKEN_SECONDS: String(accessTokenSeconds),
      ...(publicOrigin === undefined ? {} : { PUBLIC_ORIGIN: publicOrigin }),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const killWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", killWithUs);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve)).then(async (code) => {
    process.off("exit", killWithUs);
    await rm(folder, { recursive: true, force: true });
    return code;
  });

  let output = "";
  const origin = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString("utf8");
      const address =
        /^Listening on (http:\S+?);?(?: |$)/m.exec(output) ?? /^Hubward clinic: (http:\S+)\n/m.exec(output);
      // The logins follow the address in the same write; the last person's line ends it.
      if (address?.[1] !== undefined && /^ {2}doctor-annex .*\n/m.test(output)) resolve(address[1]);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    void ended.then((code) => reject(new Error(`the demo ended with ${code}:\n${output}`)));
  });

  return {
    origin,
    port: Number(new URL(origin).port),
    output: () => output,
    async stop() {
      const code = await end(child, ended);
      if (code !== 0) throw new Error(`the demo ended with ${code}:\n${output}`);
    },
  };
}

async function end(child: ChildProcess, ended: Promise<number | null>): Promise<number | null> {
  child.kill("SIGTERM");
  const impatience = setTimeout(() => child.kill("SIGKILL"), endingMs);
  const code = await ended;
  clearTimeout(impatience);
  return code;
}
