/** Looks for secrets in what came out of a server, however they were written down. */

import { vi } from "vitest";

export interface Leak {
  readonly sink: string;
  readonly secret: string;
}

/** Shorter ones would be found by chance. */
const MIN_SECRET_LENGTH = 8;

/** `sinks` and `secrets` by name. */
export function leaksOf(
  sinks: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
): readonly Leak[] {
  return Object.entries(sinks).flatMap(([sink, text]) =>
    Object.entries(secrets)
      .filter(([, value]) => spellingsOf(value).some((spelling) => text.includes(spelling)))
      .map(([secret]) => ({ sink, secret })),
  );
}

/** As it is, in a URL, in JSON, and in base64 (a Basic header, a dump) wherever it may begin in a group of three. */
function spellingsOf(secret: string): readonly string[] {
  if (secret.length < MIN_SECRET_LENGTH) throw new TypeError("leaksOf: a secret that is too short to look for");
  const encoded = [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.from(`${"x".repeat(offset)}${secret}`);
    // The first and the last group also hold what stands beside it.
    return (["base64", "base64url"] as const).map((name) => bytes.toString(name).slice(4, -4));
  });
  // What was cut for a line of a log still says most of it.
  const most = secret.length >= 40 ? [secret.slice(0, 32), secret.slice(-32)] : [];
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), ...encoded, ...most];
}

/** Everything that is written to the console or past it, passed on to nobody until mocks are restored. */
export function listenToConsole(): string[] {
  const said: string[] = [];
  for (const name of ["log", "info", "warn", "error", "debug"] as const)
    vi.spyOn(console, name).mockImplementation(
      (...args: readonly unknown[]) => void said.push(args.map(String).join(" ")),
    );
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, "write").mockImplementation((text) => said.push(String(text)) > 0);
  return said;
}
