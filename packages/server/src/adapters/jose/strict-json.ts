/**
 * JSON as a token may carry it: one object in well-formed UTF-8, without duplicate members.
 *
 * JSON.parse keeps the last of two equal members where other parsers keep the first, so the issuer's libraries and
 * ours could read different subjects out of one signed token (RFC 7515 10.12, RFC 7519 4). No reviver can see that.
 */

/** Levels of nesting. Serialising breaks somewhere above a thousand; real claims stay below ten. */
const MAX_DEPTH = 32;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Parses the object, or returns undefined where the bytes are anything else: invalid UTF-8, a byte order mark, no
 * JSON, no object, duplicate members at any level (compared after unescaping), a member named `__proto__`, more
 * than 32 levels. Never throws.
 */
export function parseStrictObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const text = decoder.decode(bytes);
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return hasSafeMembers(text) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Reads an own member: a claim nobody sent is never found on a prototype. */
export function ownMember(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** One pass over text that is known to be valid JSON. */
function hasSafeMembers(text: string): boolean {
  const open: (Set<string> | undefined)[] = []; // member names of each open object; undefined for an array
  for (let at = 0; at < text.length; at += 1) {
    switch (text[at]) {
      case "{":
      case "[":
        if (open.push(text[at] === "{" ? new Set() : undefined) > MAX_DEPTH) return false;
        break;
      case "}":
      case "]":
        open.pop();
        break;
      case '"': {
        const end = endOfString(text, at);
        if (isFollowedByColon(text, end)) {
          const name = JSON.parse(text.slice(at, end)) as string;
          const names = open.at(-1);
          if (names === undefined || names.has(name) || name === "__proto__") return false;
          names.add(name);
        }
        at = end - 1;
        break;
      }
      default: // white space, punctuation, numbers and literals name nothing
    }
  }
  return true;
}

/** Index behind the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function isFollowedByColon(text: string, from: number): boolean {
  let at = from;
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at += 1;
  return text[at] === ":";
}
