/** Everything the demo answers over plain HTTP. */

import { HubwardError, refusalReply, type HttpReply } from "@hubward/server";
import type { Sessions } from "@hubward/sessions";
import { Hono } from "hono";
import type { createAdminRoutes } from "./admin.js";
import type { ClinicApp, Policies } from "./access.js";
import { askedBy, type ClinicEnv } from "./asked-by.js";
import type { Person } from "./directory.js";
import type { ClinicLog } from "./log.js";
import type { NoteBook } from "./notes.js";
import { isWardId, type Patients } from "./patients.js";
import type { SignIn } from "./sign-in.js";
import { notFound, type StaticPage } from "./static-page.js";

export interface HttpParts {
  readonly app: ClinicApp;
  readonly policies: Policies;
  readonly sessions: Sessions;
  readonly signIn: SignIn;
  readonly patients: Patients;
  readonly admin: ReturnType<typeof createAdminRoutes>;
  readonly people: readonly Person[];
  /** Whether everyone's password is the demo's fixed one. */
  readonly demoPasswords: boolean;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly isDraining: () => boolean;
  readonly notes: NoteBook;
  readonly page: StaticPage;
  readonly notesPage: StaticPage;
  readonly log: Pick<ClinicLog, "failed">;
}

export type ClinicRoutes = Hono<ClinicEnv>;

const noStore = { "cache-control": "no-store" } as const;

export function createRoutes(parts: HttpParts): ClinicRoutes {
  const { app, policies, sessions, patients, allowedOrigins } = parts;
  const routes: ClinicRoutes = new Hono();

  routes.all("/auth/login", (c) => parts.signIn(c.req.raw, c.env.incoming.socket.remoteAddress ?? "unknown"));
  routes.all("/auth/refresh", (c) => sessions.refresh(c.req.raw));
  routes.all("/auth/logout", (c) => sessions.logout(c.req.raw));
  routes.get("/.well-known/jwks.json", () => sessions.jwksResponse());

  // No cookie counts below /api, so a request without an Origin is fine; one from a foreign page is not.
  routes.use("/api/*", async (c, next) => {
    const origin = c.req.header("origin");
    if (origin !== undefined && !allowedOrigins.has(origin)) return refuse(new HubwardError("origin_denied"));
    await next();
    return undefined;
  });

  routes.get("/api/patients", async (c) => {
    const ward = c.req.query("ward") ?? "";
    try {
      const admission = await app.http.authorize(askedBy(c), policies.clinicalOrAdmin);
      await app.http.require(admission, policies.ownWard, ward);
      const { principal } = admission;
      if (!isWardId(ward)) throw new HubwardError("invalid_request", { detail: "there is no ward of this name" });
      const found = patients.inWard(principal.tenant, ward);
      return c.json(
        found.map(({ id, name, bed }) => ({ id, name, ward, bed })),
        200,
        noStore,
      );
    } catch (error) {
      if (error instanceof HubwardError) return refuse(error);
      throw error;
    }
  });

  routes.get("/api/notes", async (c) => {
    const ward = c.req.query("ward") ?? "";
    try {
      const admission = await app.http.authorize(askedBy(c), policies.clinicalOrAdmin);
      await app.http.require(admission, policies.ownWard, ward);
      if (!isWardId(ward)) throw new HubwardError("invalid_request", { detail: "there is no ward of this name" });
      return c.json(parts.notes.latest(admission.principal.tenant, ward), 200, noStore);
    } catch (error) {
      if (error instanceof HubwardError) return refuse(error);
      throw error;
    }
  });

  routes.route("/api/admin", parts.admin);

  routes.get("/api/demo", (c) => {
    const people = parts.people.map(({ username, roles, department, tenant }) => ({
      username,
      roles,
      department,
      tenant,
    }));
    return c.json({ people, demoPasswords: parts.demoPasswords }, 200, noStore);
  });

  routes.get("/healthz", (c) => c.json({ status: "ok" }, 200, noStore));
  routes.get("/readyz", (c) =>
    parts.isDraining()
      ? c.json({ status: "draining" }, 503, { ...noStore, "retry-after": "2" })
      : c.json({ status: "ready" }, 200, noStore),
  );

  routes.get("/notes/*", (c) => parts.notesPage(c.req.path));
  routes.get("/notes", (c) => parts.notesPage(c.req.path));
  routes.get("*", (c) => parts.page(c.req.path));
  routes.notFound(() => notFound());
  routes.onError((error) => {
    parts.log.failed("http", error);
    return refuse(new HubwardError("internal_error"));
  });
  return routes;
}

function refuse(error: HubwardError): Response {
  const { status, headers, body }: HttpReply = refusalReply(error);
  return new Response(body, { status, headers });
}
