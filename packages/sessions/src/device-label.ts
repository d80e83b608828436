/** What a person knows a session by: a text from outside that is shown in lists. */

/** Characters of a label at most. */
const maxLabelLength = 120;

/** Texts are cut before they are looked at. */
const maxLookedAt = 1_024;

/**
 * The text on one line, without characters that show nothing or turn others round (Unicode's category C), cut to 120
 * code points. Undefined when nothing is left.
 */
export function deviceLabel(text: string): string | undefined {
  const line = text
    .slice(0, maxLookedAt)
    .replace(/[\p{C}\p{Z}]+/gu, " ")
    .trim();
  return [...line].slice(0, maxLabelLength).join("").trimEnd() || undefined;
}
