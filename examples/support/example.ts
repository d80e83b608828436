/** An example as its reader starts it: a process of its own, from the build, with everything it says kept. */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import { Recorder } from "../../tests/support/recorder.js";
import { ask, type PlainReply } from "../../tests/support/server.js";

export interface Example {
  readonly port: number;
  /** Lines of standard output: what the example and its framework say. */
  readonly output: Recorder<string>;
  /** Lines of standard error: what Hubward says. */
  readonly errors: Recorder<string>;
  /** An access token by the example's own sign-in. */
  signIn(name: string): Promise<string>;
  post(path: string, body: unknown): Promise<PlainReply>;
  /** A stock client for the ward's hub, not started. */
  client(token: string): HubConnection;
  /** Ends it by a signal and resolves with its exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs `node <path>` as examples/README.md says, on a free port. */
export async function startExample(path: string): Promise<Example> {
  const env = { ...process.env, PORT: "0", LOG_LEVEL: "trace", NO_COLOR: "1" };
  const child = spawn(process.execPath, [path], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const exit = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  const output = new Recorder<string>();
  const errors = new Recorder<string>();
  for (const [stream, lines] of [
    [child.stdout, output],
    [child.stderr, errors],
  ] as const) {
    let rest = "";
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const line of parts) lines.push(line);
    });
  }
  const open = output.first((line) => line.includes("The ward is open on "));
  const early = exit.then((code) => {
    throw new Error(`${path} ended with ${code}: ${errors.items.join("\n")}`);
  });
  early.catch(() => undefined);
  const port = Number(/:(\d+)$/.exec(await Promise.race([open, early]))?.[1]);

  const post: Example["post"] = (to, body) =>
    ask(port, {
      method: "POST",
      path: to,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  return {
    port,
    output,
    errors,
    post,
    async signIn(name) {
      const { body } = await post("/sign-in", { name, password: "demo" });
      return (JSON.parse(body) as { access_token: string }).access_token;
    },
    client: (token) =>
      new HubConnectionBuilder()
        .configureLogging(LogLevel.None)
        .withUrl(`http://127.0.0.1:${port}/hubs/ward`, { accessTokenFactory: () => token })
        .build(),
    end(signal = "SIGTERM") {
      child.kill(signal);
      return exit;
    },
  };
}
