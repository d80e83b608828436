/** A disk of its own for a test, as small as it likes: a tmpfs, which takes root on Linux. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export interface SmallDisk {
  readonly folder: string;
  /** From now on nothing can be written. Nothing on it may be open. */
  makeReadOnly(): void;
}

/** Undefined where it cannot be had. Goes with the test. */
export function mountSmallDisk(kilobytes: number): SmallDisk | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "hubward-disk-"));
  const mount = (...args: readonly string[]): void =>
    void execFileSync("mount", [...args], { stdio: ["ignore", "ignore", "pipe"] });
  try {
    mount("-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", folder);
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  onTestFinished(() => {
    execFileSync("umount", ["--lazy", folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, makeReadOnly: () => mount("-o", "remount,ro", folder) };
}
