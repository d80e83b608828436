/** The .NET SDK, where there is one: builds that leave nothing running, for tests that compare with the real thing. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll } from "vitest";

const run = promisify(execFile);

/** Temporary files of every `dotnet` here, which leaves folders and pipes behind. */
const scratch = mkdtempSync(join(tmpdir(), "hubward-dotnet-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Environment of every `dotnet` here: no telemetry, no compiler left running behind. */
export const dotnetEnvironment: Readonly<Record<string, string | undefined>> = {
  ...process.env,
  TMPDIR: scratch,
  // Where it would be without that: its locks are to be shared by all who restore packages.
  NUGET_SCRATCH: process.env["NUGET_SCRATCH"] ?? join(tmpdir(), `NuGetScratch${userInfo().username}`),
  DOTNET_CLI_TELEMETRY_OPTOUT: "1",
  DOTNET_NOLOGO: "1",
  DOTNET_CLI_USE_MSBUILD_SERVER: "0",
  MSBUILDDISABLENODEREUSE: "1",
};

/** Why `dotnet` cannot be used on this machine; undefined when it can. */
export async function missingDotnet(): Promise<string | undefined> {
  try {
    await run("dotnet", ["--version"], { env: dotnetEnvironment });
    return undefined;
  } catch {
    return "no .NET SDK on this machine";
  }
}

/**
 * Builds the project of a folder in Release. A build that is up to date takes about two seconds.
 * @returns what the compiler said when it failed; undefined when it did not
 */
export async function buildDotnet(folder: string): Promise<string | undefined> {
  const args = ["build", folder, "-c", "Release", "--nologo", "-v", "quiet", "-p:UseSharedCompilation=false"];
  try {
    await run("dotnet", args, { env: dotnetEnvironment });
    return undefined;
  } catch (error) {
    return (error as { stdout?: string }).stdout ?? String(error);
  }
}

/** What an assembly prints. */
export async function runDotnet(assembly: string): Promise<string> {
  return (await run("dotnet", [assembly], { env: dotnetEnvironment })).stdout;
}
