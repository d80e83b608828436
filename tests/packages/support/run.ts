/** Runs a program to its end, apart from the settings npm hands to whatever it starts. */

import { execFile } from "node:child_process";
import { plainEnvironment } from "../../../scripts/node-binary.mjs";

/** What it printed. Rejects with everything it said when it fails. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: { ...plainEnvironment, ...env }, maxBuffer: 16 * 1024 * 1024 };
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} ${args.join(" ")}\n${stdout}${stderr}`, { cause: error }));
    });
  });
}
