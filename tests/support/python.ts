/** Debian's Python with `websockets`, where it is. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Not `python3` from the path: what is first there may have no packages. `PYTHON_PATH` decides where it is set. */
export const python = process.env["PYTHON_PATH"] ?? "/usr/bin/python3";

/** Why Python cannot speak WebSocket on this machine; undefined where it can. */
export function missingPython(): string | undefined {
  if (!existsSync(python)) return `no ${python}`;
  try {
    execFileSync(python, ["-c", "import websockets"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "Python's websockets is missing: `npm run setup` installs it";
  }
}
