/** Where a server may write something down, kept for a test to read. */

import { vi } from "vitest";

export function keepText(): { readonly texts: string[]; readonly sink: { write(text: string): unknown } } {
  const texts: string[] = [];
  return { texts, sink: { write: (text) => texts.push(text) } };
}

/** Everything that is written to the console or past it, passed on to nobody. Until `vi.restoreAllMocks`. */
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
