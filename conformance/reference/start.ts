/**
 * Builds, starts and ends the reference server: ASP.NET Core's own SignalR. Where the machine has no .NET SDK,
 * or the packages cannot be restored, it says so instead of failing.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { buildDotnet, dotnetEnvironment, missingDotnet } from "../../tests/support/dotnet.js";

export interface ReferenceServer {
  readonly port: number;
  /** Version of the SignalR assemblies that answer. */
  readonly framework: string;
  readonly messagePack: string;
  stop(): Promise<void>;
}

export type ReferenceStart =
  | { readonly isAvailable: true; readonly server: ReferenceServer }
  | { readonly isAvailable: false; readonly why: string };

const folder = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const START_LIMIT_MS = 60_000;

/**
 * Builds a project of this folder in Release. A build that is up to date takes about two seconds.
 * @returns why it cannot be built, or the path of its assembly
 */
export async function buildProject(
  project: "server" | "client",
): Promise<{ readonly assembly: string } | { readonly why: string }> {
  const missing = await missingDotnet();
  if (missing !== undefined) return { why: missing };
  const problems = await buildDotnet(folder(project));
  if (problems !== undefined) return { why: `dotnet build failed: ${problems}` };
  return { assembly: folder(`${project}/bin/Release/net10.0/reference-${project}.dll`) };
}

/** Builds it if need be and waits until it listens. `environment` holds the REFERENCE_ settings of Program.cs. */
export async function startReference(environment: Readonly<Record<string, string>> = {}): Promise<ReferenceStart> {
  const built = await buildProject("server");
  if ("why" in built) return { isAvailable: false, why: built.why };
  const child = spawn("dotnet", [built.assembly], {
    env: { ...dotnetEnvironment, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const killWithParent = (): void => void child.kill("SIGKILL");
  process.once("exit", killWithParent);
  const ready = await firstLine(child);
  return {
    isAvailable: true,
    server: {
      ...(JSON.parse(ready) as Pick<ReferenceServer, "port" | "framework" | "messagePack">),
      async stop() {
        process.off("exit", killWithParent);
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
        await ended;
        clearTimeout(timer);
      },
    },
  };
}

function firstLine(child: ChildProcess & { readonly stdout: NodeJS.ReadableStream }): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error("the reference server did not become ready"));
    }, START_LIMIT_MS);
    const settle = (settled: () => void): void => {
      clearTimeout(timer);
      settled();
    };
    createInterface(child.stdout).once("line", (line) => settle(() => resolve(line)));
    child.once("error", (error) => settle(() => reject(error)));
    child.once("exit", (code) => settle(() => reject(new Error(`the reference server ended at once, exit ${code}`))));
  });
}
