/** The kept transcripts of the real server: one file a script, a list of lines a run. */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export interface Transcripts {
  /** What answered: `ASP.NET Core SignalR 10.0.12`. */
  readonly server: string;
  readonly runs: Readonly<Record<string, readonly string[]>>;
}

const fileOf = (script: string): string => fileURLToPath(new URL(`transcripts/${script}.json`, import.meta.url));

export async function readTranscripts(script: string): Promise<Transcripts> {
  return JSON.parse(await readFile(fileOf(script), "utf8")) as Transcripts;
}

export async function writeTranscripts(script: string, transcripts: Transcripts): Promise<void> {
  await mkdir(fileURLToPath(new URL("transcripts", import.meta.url)), { recursive: true });
  const { format } = await import("prettier");
  await writeFile(fileOf(script), await format(JSON.stringify(transcripts), { parser: "json", printWidth: 120 }));
}
