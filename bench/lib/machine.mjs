/** What else the machine did while something was measured, and what machine it was. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { nowUs, pause } from "./clock.mjs";

/** Linux counts processor time in hundredths of a second (USER_HZ, proc(5)). */
const usPerJiffy = 10_000;

/**
 * Starts watching; the returned function tells how much of one core other processes used in between.
 *
 * @returns {(ownCpuUs: number) => number | null} `ownCpuUs`: CPU time of server and load in the same span. 1 is one
 *   whole core; null where /proc/stat does not exist
 */
export function watchOthers() {
  const startedAtUs = nowUs();
  const busyBefore = readBusyUs();
  return (ownCpuUs) => {
    const busyAfter = readBusyUs();
    if (busyBefore === null || busyAfter === null) return null;
    return Math.max(0, (busyAfter - busyBefore - ownCpuUs) / (nowUs() - startedAtUs));
  };
}

/** Above this much of a core used by others, latencies say little. */
export const disturbedAbove = 0.25;
const quietSampleMs = 500;

/**
 * Waits for other processes to leave the machine alone, for `limitMs` at most. 0 does not wait.
 *
 * @param {number} limitMs
 */
export async function waitUntilQuiet(limitMs) {
  const deadlineUs = nowUs() + limitMs * 1000;
  while (nowUs() < deadlineUs) {
    const own = process.cpuUsage();
    const others = watchOthers();
    await pause(quietSampleMs);
    const { user, system } = process.cpuUsage(own);
    if ((others(user + system) ?? 0) <= disturbedAbove) return;
  }
}

function readBusyUs() {
  try {
    const [user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8")
      .split("\n", 1)[0]
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return (user + nice + system + irq + softirq + steal) * usPerJiffy;
  } catch {
    return null;
  }
}

/** Node, processor, and the versions of what is compared, for the record. */
export function describeMachine() {
  const require = createRequire(import.meta.url);
  const versionOf = (name) => {
    try {
      return require(`${name}/package.json`).version;
    } catch {
      return null;
    }
  };
  return {
    at: new Date().toISOString(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: `${os.cpus().length} x ${os.cpus()[0]?.model.trim() ?? "unknown"}`,
    loadAverage: os.loadavg(),
    versions: Object.fromEntries(["ws", "socket.io", "jose", "@hubward/server"].map((n) => [n, versionOf(n)])),
  };
}
