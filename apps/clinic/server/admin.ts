/**
 * What administrators may see and do, each inside the own hospital: the live connections, ending a session, suspending
 * somebody, changing roles. By bearer token alone; what is changed has taken effect when it is answered.
 */

import { HubwardError, type LiveConnection } from "@hubward/server";
import type { Sessions } from "@hubward/sessions";
import type { Hono } from "hono";
import { z } from "zod";
import type { ClinicApp, Policies } from "./access.js";
import type { ClinicEnv } from "./asked-by.js";
import { roles, type Directory, type Person } from "./directory.js";
import type { FailureCounter } from "./failure-counter.js";
import { createGuardedRoutes, type Administrator } from "./guarded-routes.js";
import type { ClinicLog } from "./log.js";
import { suspendedKey } from "./suspensions.js";

export interface AdminParts {
  readonly app: ClinicApp;
  readonly policies: Pick<Policies, "administrator">;
  readonly directory: Pick<Directory, "find" | "inTenant" | "setRoles">;
  readonly sessions: Pick<Sessions, "end" | "list">;
  /** Counts what each administrator changes: people do not press that fast. */
  readonly changes: Pick<FailureCounter, "begin" | "blockedMs">;
  /** Keys of those who are suspended, as the log of revocations had them at the start. Kept up to date here. */
  readonly suspended: Set<string>;
  readonly log: Pick<ClinicLog, "administered" | "failed">;
}

const id = z.string().min(1).max(256);
const ofPerson = z.strictObject({ subject: id });
const ofTenant = z.strictObject({ tenant: id });
const revocationSchema = z.union([
  z.strictObject({ session: id }),
  z.strictObject({ tokenId: id }),
  z.strictObject({ issuedBefore: z.int().min(0), subject: id.optional() }),
  z.strictObject({ lift: z.union([ofPerson, ofTenant]) }),
  ofPerson,
  ofTenant,
]);
type Revocation = z.infer<typeof revocationSchema>;
const rolesSchema = z.strictObject({ roles: z.array(z.enum(roles)).max(roles.length) });

export function createAdminRoutes(parts: AdminParts): Hono<ClinicEnv> {
  const { app, directory, sessions, suspended, log } = parts;
  const { look, change, routes } = createGuardedRoutes(app, parts.policies);

  look("/connections", ({ tenant }) => ({
    at: Date.now(),
    connections: Array.from(app.tenant(tenant).connections(), describe),
  }));

  look("/people", ({ tenant }) => {
    const people = directory.inTenant(tenant).map(({ person, usualRoles }) => ({
      username: person.username,
      department: person.department,
      roles: person.roles,
      usualRoles,
      isSuspended: suspended.has(suspendedKey(person)),
    }));
    return { tenant, people };
  });

  change("/revocations", revocationSchema, async (who, body) => {
    takeTurn(who);
    const receipt = await apply(who, body);
    log.administered({ ...who, action: "lift" in body ? "lift" : "revoke", target: "lift" in body ? body.lift : body });
    return receipt;
  });

  change("/people/:username/roles", rolesSchema, async (who, body, param) => {
    const { username } = personOf(who, param("username"));
    assertOther(who, username);
    takeTurn(who);
    // Held at once, whatever becomes of the disk: as with a revocation, nobody goes on because it is full.
    const kept = directory.setRoles(who.tenant, username, body.roles).catch((cause: unknown) => {
      log.failed("roles", cause);
      throw new HubwardError("not_durable", { retryAfterSeconds: 1, cause });
    });
    const [receipt] = await Promise.all([app.tenant(who.tenant).recheck({ subject: username }), kept]);
    log.administered({ ...who, action: "roles", target: { subject: username, roles: body.roles } });
    return receipt;
  });

  async function apply(who: Administrator, body: Revocation): Promise<object> {
    const own = app.tenant(who.tenant);
    const asked = { by: who.subject };
    if ("lift" in body) {
      if ("tenant" in body.lift) return app.lift({ tenant: ownTenant(who, body.lift.tenant) }, asked);
      const person = personOf(who, body.lift.subject);
      const receipt = await own.lift({ subject: person.username }, asked);
      suspended.delete(suspendedKey(person));
      return receipt;
    }
    if ("session" in body) {
      await assertOwnSession(who, body.session);
      const receipt = await own.revoke({ session: body.session }, asked);
      // Its cookie gets no further token either.
      await sessions.end(body.session);
      return receipt;
    }
    // Also one that nobody is connected with: it stands against tokens of this tenant alone.
    if ("tokenId" in body) return own.revoke({ tokenId: body.tokenId }, asked);
    if ("issuedBefore" in body) {
      if (body.issuedBefore > Date.now())
        throw new HubwardError("invalid_request", { detail: "that is still to come" });
      const { issuedBefore, subject } = body;
      if (subject !== undefined) personOf(who, subject);
      return own.revoke(subject === undefined ? { issuedBefore } : { issuedBefore, subject }, asked);
    }
    if ("tenant" in body) return app.revoke({ tenant: ownTenant(who, body.tenant) }, asked);
    const person = personOf(who, body.subject);
    assertOther(who, person.username);
    // It stands from here on, also where the log cannot keep it.
    suspended.add(suspendedKey(person));
    return own.revoke({ subject: person.username }, asked);
  }

  function personOf({ tenant }: Administrator, username: string): Person {
    const person = directory.find(tenant, username);
    if (person === undefined) throw nothingHere("nobody of this name works here");
    return person;
  }

  async function assertOwnSession({ tenant }: Administrator, session: string): Promise<void> {
    if (some(app.tenant(tenant).connections(), ({ sessionId }) => sessionId === session)) return;
    for (const { person } of directory.inTenant(tenant)) {
      const listed = await sessions.list({ subject: person.username, tenant });
      if (listed.some(({ sessionId }) => sessionId === session)) return;
    }
    throw nothingHere("there is no such session here");
  }

  function takeTurn({ tenant, subject }: Administrator): void {
    const key = `${tenant}/${subject}`;
    const blockedMs = parts.changes.blockedMs(key);
    if (blockedMs > 0) throw new HubwardError("rate_limited", { retryAfterSeconds: Math.ceil(blockedMs / 1000) });
    parts.changes.begin(key).settle(true);
  }

  return routes;
}

/** What a person needs to tell connections apart, and their ids to act on. All are of the administrator's own tenant. */
function describe({ tenant: _tenant, issuer: _issuer, ...connection }: LiveConnection): object {
  return connection;
}

/** @throws HubwardError not_found: of another hospital even the name is none of theirs */
function ownTenant(who: Administrator, tenant: string): string {
  if (tenant !== who.tenant) throw nothingHere("there is no such hospital here");
  return tenant;
}

function assertOther({ subject }: Administrator, username: string): void {
  if (subject === username) throw new HubwardError("forbidden", { detail: "nobody shuts out themselves" });
}

function nothingHere(detail: string): HubwardError {
  return new HubwardError("not_found", { detail });
}

function some<T>(items: Iterable<T>, isMeant: (item: T) => boolean): boolean {
  for (const item of items) if (isMeant(item)) return true;
  return false;
}
