/** What a process prints, line by line. */

import type { ChildProcess } from "node:child_process";
import { Recorder } from "./recorder.js";

/** Lines of standard output and error as they are finished. */
export function linesOf({ stdout, stderr }: Pick<ChildProcess, "stdout" | "stderr">): Recorder<string> {
  const lines = new Recorder<string>();
  for (const stream of [stdout, stderr]) {
    let rest = "";
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const line of parts) lines.push(line);
    });
  }
  return lines;
}
