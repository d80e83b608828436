/**
 * Names of rooms: a group's template with values in place of its parameters. Every room has exactly one name, and no two
 * rooms have names that look alike because of something invisible.
 *
 * @see docs/rooms-protocol.md, Names of rooms; RFC 3986 2.1 (percent-encoding, of which two codes are used)
 */

import { utf8Length } from "../encoding/utf8.js";

/** Bytes (UTF-8) of a name. */
export const maxRoomNameBytes = 128;

/**
 * A segment as it is written: letters and digits with their marks, a choice of punctuation, single spaces between other
 * characters, and two escapes. A mark stands on a letter or a digit: on a `/` it would hide it, and behind an escape it
 * would not be normalized with the character that it marks.
 */
const SEGMENT = /^(?! )(?:[\p{L}\p{Nd}]\p{M}*|[-_.~:@!$&'()*+,;=]|%2F|%25| (?! |$))+$/u;
/** Letters and marks among them that nobody sees: fillers, variation selectors, joiners. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;
/** What stands in them as themselves would be taken for a path's own segments wherever a name becomes part of one. */
const DOTS = /^\.\.?$/;

/**
 * The segments of a name, without escapes; undefined for what is no name.
 * @param maxBytes of the whole name in UTF-8
 */
export function parseRoomName(name: string, maxBytes: number = maxRoomNameBytes): readonly string[] | undefined {
  if (name.length > maxBytes) return undefined;
  const bytes = utf8Length(name);
  if (bytes < 0 || bytes > maxBytes || INVISIBLE.test(name) || name.normalize("NFC") !== name) return undefined;
  const segments = name.split("/");
  for (const segment of segments) if (!SEGMENT.test(segment) || DOTS.test(segment)) return undefined;
  return segments.map(unescapeSegment);
}

/**
 * The name of a group in the rooms protocol. Values that no name can hold give texts that {@link parseRoomName} refuses,
 * and that no other values give: a group can have members who cannot ask for it.
 * @param pattern as declared: `ward/{ward}`
 * @throws TypeError for a parameter without a value
 */
export function writeRoomName(pattern: string, values: Readonly<Record<string, string>>): string {
  const parts = partsOf(pattern);
  let text = parts[0] as string;
  for (let at = 1; at < parts.length; at += 2) {
    const name = parts[at] as string;
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (typeof value !== "string") throw new TypeError(`room ${pattern}: {${name}} has no value`);
    text += ESCAPED.test(value) ? value.replace(/[%/]/g, escapeCharacter) : value;
    text += parts[at + 1] as string;
  }
  return text;
}

const ESCAPED = /[%/]/;

/** Patterns kept in their parts, at most. There are as many as an application declares. */
const MAX_PATTERNS = 1_000;
const patterns = new Map<string, readonly string[]>();

/** Text, name of a parameter, text, and so on. */
function partsOf(pattern: string): readonly string[] {
  const known = patterns.get(pattern);
  if (known !== undefined) return known;
  const parts = pattern.split(/\{(\w+)\}/);
  if (patterns.size >= MAX_PATTERNS) patterns.clear();
  patterns.set(pattern, parts);
  return parts;
}

function escapeCharacter(character: string): string {
  return character === "/" ? "%2F" : "%25";
}

function unescapeSegment(segment: string): string {
  return segment.includes("%") ? segment.replace(/%2F|%25/g, (escape) => (escape === "%2F" ? "/" : "%")) : segment;
}
