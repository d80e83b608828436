/**
 * Where a server's standard error goes: a file, as a service's log does. A pipe would let a slow reader block a server
 * that logs each connection. The file has no name any more once it is open, so nothing is left behind.
 */

import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const mostRead = 64 * 1024;
/** How node begins the line that names what went uncaught, with or without a code. */
const errorLine = /^(\w*Error\b|\w* ?\[\w*Error\b)/;

export function openServerLog() {
  const folder = mkdtempSync(join(tmpdir(), "hubward-bench-"));
  const descriptor = openSync(join(folder, "stderr.log"), "a+");
  rmSync(folder, { recursive: true });
  return {
    /** For the child's `stdio`. */
    descriptor,

    /** The line that names the last error, or the last line; undefined for an empty log. */
    findError() {
      const start = Math.max(0, fstatSync(descriptor).size - mostRead);
      const buffer = Buffer.alloc(mostRead);
      const lines = buffer
        .toString("utf8", 0, readSync(descriptor, buffer, 0, mostRead, start))
        .split("\n")
        .filter((line) => line.trim() !== "");
      return lines.findLast((line) => errorLine.test(line)) ?? lines.at(-1);
    },
    close: () => closeSync(descriptor),
  };
}
