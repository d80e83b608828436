/** Starts {@link ./child-server.mjs} and keeps everything it says. */

import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { linesOf } from "./lines.js";
import { Recorder } from "./recorder.js";
import { AUDIENCE, createIssuer, ISSUER, verifyingJwk, type TestIssuer } from "./tokens.js";

export interface Child {
  readonly port: number;
  readonly issuer: TestIssuer;
  /** Messages it sent. */
  readonly messages: Recorder<unknown>;
  /** Lines on standard error and output, in order. */
  readonly lines: Recorder<string>;
  readonly isAlive: () => boolean;
  openGate(): void;
  /** Ends it in good order and resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** `gated`: its authenticator says "authenticating" and waits until the gate is opened. Ended with the test. */
export async function startChild({ gated = false }: { readonly gated?: boolean } = {}): Promise<Child> {
  const path = fileURLToPath(new URL("child-server.mjs", import.meta.url));
  const child: ChildProcess = fork(path, { stdio: ["ignore", "pipe", "pipe", "ipc"], execArgv: [] });
  const exit = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  onTestFinished(async () => {
    child.kill();
    await exit;
  });
  const messages = new Recorder<unknown>();
  const lines = linesOf(child);
  child.on("message", messages.push);
  child.send({ jwk: await verifyingJwk(), issuer: ISSUER, audience: AUDIENCE, gated });
  const started = messages.first((message) => typeof message === "object");
  const early = exit.then((code) => {
    throw new Error(`the server ended with ${code}: ${lines.items.join("\n")}`);
  });
  const { port } = (await Promise.race([started, early])) as { readonly port: number };
  early.catch(() => undefined);
  return {
    port,
    issuer: await createIssuer({ now: () => Date.now() as ReturnType<Parameters<typeof createIssuer>[0]["now"]> }),
    messages,
    lines,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    openGate: () => void child.send("open"),
    stop() {
      child.send("stop");
      return exit;
    },
  };
}
