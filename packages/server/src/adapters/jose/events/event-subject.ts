/** Whom a security event is about (RFC 9493; OpenID Shared Signals 1.0, 3). */

import type { EventTarget } from "../../../core/auth/security-action.js";
import { readIdentifier, type Claims } from "../claim-values.js";
import { refuseToken } from "../refuse-token.js";
import { ownMember } from "../strict-json.js";

export interface SubjectRules {
  /** Whose people these events are about: the `iss` of their access tokens. */
  readonly tokenIssuer: string;
  /** What a bare identifier of format `opaque` names. */
  readonly opaqueSubject: "subject" | "session";
  /** The subject of somebody's tokens by the address of his mail; undefined where nobody has it. */
  readonly subjectOfEmail: ((email: string) => string | undefined | Promise<string | undefined>) | undefined;
}

/**
 * The narrowest target that the identifier names: of a complex subject the session, else the user, else the tenant, for
 * all its members describe one principal. Undefined where nobody is named whom a hub could know: a device alone, a
 * format nobody mapped, a user of another issuer.
 * @throws HubwardError `invalid_token` when it is malformed; whatever `subjectOfEmail` throws
 */
export async function readTarget(subjectId: Claims, rules: SubjectRules): Promise<EventTarget | undefined> {
  const { tokenIssuer: issuer } = rules;
  const format = formatOf(subjectId);
  if (format !== "complex") {
    if (format === "opaque" && rules.opaqueSubject === "session") {
      return { type: "session", issuer, sessionId: textOf(subjectId, "id") };
    }
    const subject = await readUser(subjectId, rules);
    return subject === undefined ? undefined : { type: "subject", issuer, subject };
  }
  const tenant = readOpaque(subjectId, "tenant");
  const sessionId = readOpaque(subjectId, "session");
  if (sessionId !== undefined) return { type: "session", issuer, sessionId };
  // Where the session is named in a way we cannot know, all of the user's count: an end too many, not one too few.
  const user = memberOf(subjectId, "user");
  if (user !== undefined) {
    const subject = await readUser(user, rules);
    if (subject === undefined) return undefined;
    return tenant === undefined ? { type: "subject", issuer, subject } : { type: "identity", tenant, issuer, subject };
  }
  // A tenant beside a member that narrows it down, such as a device, is not what the event is about.
  const isAlone = Object.keys(subjectId).every((name) => name === "format" || name === "tenant");
  return tenant !== undefined && isAlone ? { type: "tenant", tenant, issuer } : undefined;
}

/** The subject of a user's tokens. */
async function readUser(identifier: Claims, rules: SubjectRules): Promise<string | undefined> {
  switch (formatOf(identifier)) {
    case "iss_sub": {
      const subject = textOf(identifier, "sub");
      // Whose users somebody may speak of was decided by the application, not by the event.
      return textOf(identifier, "iss") === rules.tokenIssuer ? subject : undefined;
    }
    case "opaque":
      return textOf(identifier, "id");
    case "email": {
      const subject = await rules.subjectOfEmail?.(textOf(identifier, "email"));
      return subject === "" ? undefined : subject;
    }
    default:
      return undefined;
  }
}

/** A member of a complex subject that has an id and no more; undefined in other formats. */
function readOpaque(subjectId: Claims, name: "session" | "tenant"): string | undefined {
  const member = memberOf(subjectId, name);
  return member !== undefined && formatOf(member) === "opaque" ? textOf(member, "id") : undefined;
}

function memberOf(subjectId: Claims, name: string): Claims | undefined {
  const member = ownMember(subjectId, name);
  if (member === undefined) return undefined;
  if (!isObject(member)) throw refuseToken("a member of the subject is no object");
  return member;
}

function formatOf(identifier: Claims): string {
  return textOf(identifier, "format");
}

function textOf(identifier: Claims, name: string): string {
  const value = readIdentifier(identifier, name);
  if (value === undefined) throw refuseToken("the subject's identifier is incomplete");
  return value;
}

export function isObject(value: unknown): value is Claims {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
