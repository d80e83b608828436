/**
 * The reference server of `conformance/reference` as a peer: ASP.NET Core's own SignalR, where a .NET SDK is. Its CPU
 * time is read from /proc, in hundredths of a second, so runs of several seconds are needed.
 */

import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("../../conformance/reference/server", import.meta.url));
const assembly = `${project}/bin/Release/net10.0/reference-server.dll`;
const usPerJiffy = 10_000;
const environment = { ...process.env, DOTNET_CLI_TELEMETRY_OPTOUT: "1", DOTNET_NOLOGO: "1", DOTNET_gcServer: "0" };

/** Why it cannot be measured here, or null. Builds it the first time. */
export function aspnetMissing() {
  if (!existsSync("/proc/self/stat")) return "no /proc to read its CPU time from";
  try {
    execFileSync("dotnet", ["build", project, "-c", "Release", "-v", "quiet", "-p:UseSharedCompilation=false"], {
      env: { ...environment, MSBUILDDISABLENODEREUSE: "1" },
      stdio: "ignore",
    });
  } catch {
    return "no .NET SDK that builds conformance/reference/server";
  }
  return existsSync(assembly) ? null : "the build left no assembly";
}

/** @returns {Promise<import("./spawn-server.mjs").SpawnedServer>} answers `usage` only */
export async function aspnetPeer(lifeLimitMs) {
  const child = spawn("dotnet", [assembly], { env: environment, stdio: ["ignore", "pipe", "ignore"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const timer = setTimeout(kill, lifeLimitMs);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const port = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line).port));
    child.once("exit", () => reject(new Error("the reference server did not start")));
  });
  return {
    port,
    pid: child.pid,
    ask: () => Promise.resolve(readUsage(child.pid)),
    async stop() {
      clearTimeout(timer);
      process.removeListener("exit", kill);
      kill();
      await exited;
    },
  };
}

/** proc(5): fields 14 and 15 behind the name, which may hold spaces. */
function readUsage(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1).split(" ");
  const [user, system] = [Number(fields[11]), Number(fields[12])];
  return { cpuUs: (user + system) * usPerJiffy, systemUs: system * usPerJiffy };
}
