/** The demo as a process: reads the environment, starts, says where, and ends on a signal. */

import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { startClinic, type Clinic } from "./clinic.js";
import { readConfig } from "./config.js";
import { createLog, type ClinicLog } from "./log.js";
import { StartError } from "./start-error.js";

/** Lines that wait for a slow reader of the log, in bytes; more are dropped. The hub never waits for the log. */
const maxWaitingBytes = 1_048_576;
/** `npm run` passes Ctrl-C on, so it arrives twice: within this time it is the same one. Milliseconds. */
const sameSignalMs = 250;

const output = pino.destination({ dest: 1, sync: false, maxLength: maxWaitingBytes });
// Whoever read the output has gone away: nothing left to say it to.
output.on("error", () => undefined);

async function main(): Promise<void> {
  const reading = readConfig(process.env);
  if (!reading.ok) return fail(reading.problems);
  const log = createLog(output);
  process.on("unhandledRejection", (error) => log.failed("unhandled rejection", error));
  try {
    const pageDirectory = fileURLToPath(new URL("../page/", import.meta.url));
    const notesDirectory = fileURLToPath(new URL("../../notes/", import.meta.url));
    const clinic = await startClinic(reading.config, { log, pageDirectory, notesDirectory });
    output.write(describe(clinic));
    endOnSignals(clinic, log);
  } catch (error) {
    if (error instanceof StartError) return fail([error.message]);
    throw error;
  }
}

function describe({ url, listeningUrl, demoPasswords, accounts }: Clinic): string {
  const lines = [`Hubward clinic: ${url}`];
  if (url !== listeningUrl) lines.push(`Listening on ${listeningUrl}; PUBLIC_ORIGIN says where browsers reach it.`);
  lines.push(demoPasswords ? "Sign in as (password: demo)" : "Sign in as (passwords of this start, shown once)");
  for (const { person, password } of accounts) {
    const about = [person.roles.join(", ") || "no role", person.department, `tenant ${person.tenant}`];
    const login = demoPasswords ? person.username : `${person.username} ${password}`;
    lines.push(`  ${login.padEnd(demoPasswords ? 14 : 31)} ${about.filter((part) => part !== null).join(" · ")}`);
  }
  return lines.join("\n") + "\n";
}

function endOnSignals(clinic: Clinic, log: ClinicLog): void {
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;

  function onSignal(signal: NodeJS.Signals): void {
    if (first === undefined) {
      first = { signal, at: performance.now() };
      output.write("Ending; the same signal again ends at once.\n");
      clinic.close().then(
        () => exit(0),
        (error: unknown) => {
          log.failed("close", error);
          exit(1);
        },
      );
    } else if (signal !== first.signal || performance.now() - first.at > sameSignalMs) {
      exit(1);
    }
  }

  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
}

function fail(problems: readonly string[]): void {
  process.stderr.write(problems.map((problem) => `clinic: ${problem}\n`).join(""));
  exit(1);
}

function exit(code: number): never {
  try {
    output.flushSync();
  } catch {
    // The output is gone or not open yet.
  }
  process.exit(code);
}

await main();
