/** Tables of the pages. */

/** The rows of the table under this head, cells trimmed. */
export function rowsUnder(text: string, ...head: readonly string[]): readonly (readonly string[])[] {
  const lines = text.split("\n");
  const cells = (line: string): readonly string[] =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const start = lines.findIndex((line) => cells(line).join() === head.join());
  if (start < 0) throw new Error(`no table ${head.join(" | ")}`);
  const rest = lines.slice(start + 2);
  return rest
    .slice(
      0,
      rest.findIndex((line) => !line.startsWith("|")),
    )
    .map(cells);
}
