/** Starts what a page shows, as a process of its own. */

import { execFile, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { plainEnvironment } from "../../../scripts/node-binary.mjs";
import { linesOf } from "../../support/lines.js";
import type { Recorder } from "../../support/recorder.js";

const loopback = fileURLToPath(new URL("loopback.mjs", import.meta.url));

export interface Running {
  /** Where it listens. */
  readonly port: number;
  /** Lines of standard output and error. */
  readonly lines: Recorder<string>;
  /** Tells it to end, as an operator does, and resolves with its exit code; null when it was killed by that. */
  stop(): Promise<number | null>;
}

export interface StartOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `node …` as a page writes it, and waits until it listens. Ended with the test. */
export async function startServer(command: string, { cwd, env = {} }: StartOptions): Promise<Running> {
  const { flags, file, variables } = parseNodeCommand(command);
  const child = fork(file, {
    cwd,
    env: { ...plainEnvironment, ...variables, ...env },
    execArgv: [...flags, "--import", loopback],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const lines = linesOf(child);
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  const port = await Promise.race([
    new Promise<number>((resolve) => child.once("message", (said) => resolve((said as { port: number }).port))),
    exit.then((code) => {
      throw new Error(`${command} ended with ${code}:\n${lines.items.join("\n")}`);
    }),
  ]);
  return {
    port,
    lines,
    stop() {
      child.kill();
      return exit;
    },
  };
}

/** Runs a line of a page in a shell; what connects to port 3000 reaches `port`. Resolves with all that it printed. */
export function runLine(line: string, cwd: string, port?: number): Promise<string> {
  const env = {
    ...plainEnvironment,
    NODE_OPTIONS: `--import=${loopback}`,
    ...(port === undefined ? {} : { DOCS_PORT: String(port) }),
  };
  return new Promise((resolve, reject) => {
    execFile("bash", ["-c", line], { cwd, env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout + stderr);
      else reject(new Error(`${line}\n${stdout}${stderr}`, { cause: error }));
    });
  });
}

/** `NAME=value node --flag file.mjs` in its parts. */
export function parseNodeCommand(command: string): {
  readonly variables: Readonly<Record<string, string>>;
  readonly flags: readonly string[];
  readonly file: string;
} {
  const words = command.trim().split(/\s+/);
  const node = words.indexOf("node");
  const variables = Object.fromEntries(words.slice(0, node).map((word) => word.split("=", 2) as [string, string]));
  const rest = words.slice(node + 1);
  const file = rest.find((word) => !word.startsWith("-"));
  if (node < 0 || file === undefined) throw new TypeError(`not a program of node: ${command}`);
  return { variables, flags: rest.slice(0, rest.indexOf(file)), file };
}
