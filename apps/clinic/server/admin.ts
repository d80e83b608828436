/**
 * What administrators may see and do, each inside the own hospital: the live connections, ending a session, suspending
 * somebody, changing roles. By bearer token alone; what is changed has taken effect when it is answered.
 */

import { HubwardError, refusalReply, type HttpReply, type LiveConnection } from "@hubward/server";
import { readJson, type Sessions } from "@hubward/sessions";
import { Hono, type Context } from "hono";
import { z } from "zod";
import type { ClinicApp, Policies } from "./access.js";
import { roles, type Directory, type Person } from "./directory.js";
import type { FailureCounter } from "./failure-counter.js";
import type { ClinicLog } from "./log.js";

export interface AdminParts {
  readonly app: ClinicApp;
  readonly policies: Pick<Policies, "administrator">;
  readonly directory: Pick<Directory, "find" | "inTenant" | "setRoles">;
  readonly sessions: Pick<Sessions, "end" | "list">;
  /** Counts what each administrator changes: people do not press that fast. */
  readonly changes: Pick<FailureCounter, "begin" | "blockedMs">;
  readonly log: Pick<ClinicLog, "administered">;
}

interface Administrator {
  readonly subject: string;
  readonly tenant: string;
}

interface AdminVariables {
  readonly Variables: { readonly administrator: Administrator };
}

const noStore = { "cache-control": "no-store" } as const;
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

export function createAdminRoutes(parts: AdminParts): Hono<AdminVariables> {
  const { app, directory, sessions, log } = parts;
  const routes = new Hono<AdminVariables>();
  /** By tenant and name: for people who look, the revocations themselves are the server's to keep. */
  const suspended = new Set<string>();

  routes.use("*", async (c, next) => {
    // A browser that says no Origin and brings cookies is not told from one that another page sent here.
    const isAmbient = c.req.header("origin") === undefined && c.req.header("cookie") !== undefined;
    if (isAmbient) throw new HubwardError("origin_denied");
    const { principal } = await app.http.authorize(c.req.raw, parts.policies.administrator);
    if (principal.tenant === undefined) throw new HubwardError("forbidden");
    c.set("administrator", { subject: principal.subject, tenant: principal.tenant });
    await next();
    c.res.headers.set("cache-control", "no-store");
  });

  routes.get("/connections", (c) => {
    const { tenant } = c.get("administrator");
    return c.json(
      { at: Date.now(), connections: Array.from(app.tenant(tenant).connections(), describe) },
      200,
      noStore,
    );
  });

  routes.get("/people", (c) => {
    const { tenant } = c.get("administrator");
    const people = directory.inTenant(tenant).map(({ person, usualRoles }) => ({
      username: person.username,
      department: person.department,
      roles: person.roles,
      usualRoles,
      isSuspended: suspended.has(keyOf(person)),
    }));
    return c.json({ tenant, people }, 200, noStore);
  });

  routes.post("/revocations", async (c) => {
    const who = c.get("administrator");
    const body = await readBody(c, revocationSchema);
    if (body instanceof Response) return body;
    takeTurn(who);
    const receipt = await apply(who, body);
    log.administered({ ...who, action: "lift" in body ? "lift" : "revoke", target: "lift" in body ? body.lift : body });
    return c.json(receipt, 200, noStore);
  });

  routes.post("/people/:username/roles", async (c) => {
    const who = c.get("administrator");
    const body = await readBody(c, rolesSchema);
    if (body instanceof Response) return body;
    const { username } = personOf(who, c.req.param("username"));
    assertOther(who, username);
    takeTurn(who);
    directory.setRoles(who.tenant, username, body.roles);
    const receipt = await app.tenant(who.tenant).recheck({ subject: username });
    log.administered({ ...who, action: "roles", target: { subject: username, roles: body.roles } });
    return c.json(receipt, 200, noStore);
  });

  async function apply(who: Administrator, body: Revocation): Promise<object> {
    const own = app.tenant(who.tenant);
    if ("lift" in body) {
      if ("tenant" in body.lift) return app.lift({ tenant: ownTenant(who, body.lift.tenant) });
      const person = personOf(who, body.lift.subject);
      const receipt = await own.lift({ subject: person.username });
      suspended.delete(keyOf(person));
      return receipt;
    }
    if ("session" in body) {
      await assertOwnSession(who, body.session);
      const receipt = await own.revoke({ session: body.session });
      // Its cookie gets no further token either.
      await sessions.end(body.session);
      return receipt;
    }
    if ("tokenId" in body) {
      const isOwn = some(own.connections(), ({ tokenId }) => tokenId === body.tokenId);
      if (!isOwn) throw nothingHere("no connection here has such a token");
      return app.revoke({ tokenId: body.tokenId });
    }
    if ("issuedBefore" in body) {
      if (body.issuedBefore > Date.now())
        throw new HubwardError("invalid_request", { detail: "that is still to come" });
      const { issuedBefore, subject } = body;
      if (subject !== undefined) personOf(who, subject);
      return own.revoke(subject === undefined ? { issuedBefore } : { issuedBefore, subject });
    }
    if ("tenant" in body) return app.revoke({ tenant: ownTenant(who, body.tenant) });
    const person = personOf(who, body.subject);
    assertOther(who, person.username);
    const receipt = await own.revoke({ subject: person.username });
    suspended.add(keyOf(person));
    return receipt;
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

  routes.onError((error) => {
    if (error instanceof HubwardError) return refuse(error);
    throw error;
  });
  return routes;
}

/** What a person needs to tell connections apart, and their ids to act on. All are of the administrator's own tenant. */
function describe({ tenant: _tenant, issuer: _issuer, ...connection }: LiveConnection): object {
  return connection;
}

async function readBody<T>(c: Context, schema: z.ZodType<T>): Promise<T | Response> {
  const body = await readJson(c.req.raw);
  if (!body.ok) return body.response;
  const parsed = schema.safeParse(body.value);
  if (!parsed.success) throw new HubwardError("invalid_request");
  return parsed.data;
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

function keyOf({ tenant, username }: Person): string {
  return `${tenant}/${username}`;
}

function some<T>(items: Iterable<T>, isMeant: (item: T) => boolean): boolean {
  for (const item of items) if (isMeant(item)) return true;
  return false;
}

function refuse(error: HubwardError): Response {
  const { status, headers, body }: HttpReply = refusalReply(error);
  return new Response(body, { status, headers });
}
