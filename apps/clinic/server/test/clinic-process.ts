/** The built demo as a process of its own. `npm run build` comes first. */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const mainPath = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ClinicProcess {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<Ending>;
  /** Resolves with the match once standard output holds it; rejects when the process ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** The printed address. */
  url(): Promise<string>;
}

const running = new Set<ChildProcess>();

export function startProcess(env: Record<string, string>): ClinicProcess {
  if (!existsSync(mainPath)) throw new Error(`${mainPath} is missing: run "npm run build" first`);
  const child = spawn(process.execPath, [mainPath], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let stdout = "";
  let stderr = "";
  let isOver = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([code, signal]: unknown[]) => {
    isOver = true;
    running.delete(child);
    return { code, signal } as Ending;
  });

  async function printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(stdout);
      if (match !== null) return match;
      if (isOver) throw new Error(`it ended without printing ${String(pattern)}: ${stdout}${stderr}`);
      await Promise.race([once(child.stdout, "data"), ended]);
    }
  }

  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    printed,
    url: async () => (await printed(/^Hubward clinic: (http\S+)$/m))[1] ?? "",
  };
}

/** Ends what a failed test left behind. */
export async function endProcesses(): Promise<void> {
  const children = [...running];
  await Promise.all(
    children.map(async (child) => {
      const closed = once(child, "close");
      child.kill("SIGKILL");
      await closed;
    }),
  );
}
