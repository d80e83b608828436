/** Starts the whole demo: keys, people, one HTTP server with the hub on it, and the wards' monitors. */

import { randomBytes, randomInt } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { auditFile } from "@hubward/server";
import { attach } from "@hubward/server/node";
import { createSessions, type SessionEnded } from "@hubward/sessions";
import { audience, clientId, createClinicApp, declarePolicies, issuer } from "./access.js";
import { createAdminRoutes } from "./admin.js";
import { isLoopback, type ClinicConfig } from "./config.js";
import { createDirectory, demoPeople, type Account } from "./directory.js";
import { createFailureCounter } from "./failure-counter.js";
import { guardHosts } from "./host-guard.js";
import { createRoutes } from "./http.js";
import { mountClinicalHub } from "./hub.js";
import { openKeys } from "./key-files.js";
import type { ClinicLog } from "./log.js";
import { createLoginThrottle } from "./login-throttle.js";
import { createNoteBook } from "./notes.js";
import { createPasswords } from "./passwords.js";
import { createPatients } from "./patients.js";
import { createSeededRandom } from "./seeded-random.js";
import { createSignIn } from "./sign-in.js";
import { StartError } from "./start-error.js";
import { openStores } from "./stores.js";
import { createNotesPage, createStaticPage } from "./static-page.js";
import { createWardMonitors } from "./ward-monitors.js";

export interface ClinicParts {
  readonly log: ClinicLog;
  /** Folder of the built page. */
  readonly pageDirectory: string;
  /** Folder of the notes page, which nothing builds. */
  readonly notesDirectory: string;
}

export interface Clinic {
  /** Where browsers reach it. */
  readonly url: string;
  /** Where it listens, with the real port. */
  readonly listeningUrl: string;
  /** Everyone's password is the fixed one. */
  readonly demoPasswords: boolean;
  readonly accounts: readonly Account[];
  /** Takes no more connections, tells the open ones, and resolves when all is gone: within three seconds. */
  close(): Promise<void>;
}

const demoPassword = "demo";
const tickMs = 1000;
/** What one administrator may change. */
const changeLimit = { maxFailures: 120, windowMs: 60_000, maxKeys: 1_000 };
/** What answers are still being written get, once the hub's connections are gone. */
const lastAnswersMs = 500;

/** @throws StartError for what the person who starts it can mend */
export async function startClinic(
  config: ClinicConfig,
  { log, pageDirectory, notesDirectory }: ClinicParts,
): Promise<Clinic> {
  const { signingKey, refreshKey } = await openKeys(config.dataDirectory);
  const demoPasswords = isLoopback(config.host);
  const accounts = demoPeople.map((person) => ({
    person,
    password: demoPasswords ? demoPassword : randomBytes(12).toString("base64url"),
  }));
  const front = createServer({ headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 });
  const sockets = trackSockets(front);
  const stores = await openStores(config.database);
  const directory = await createDirectory(accounts, createPasswords(), stores.roles);
  const { port } = await listen(front, config).catch(async (error: unknown) => {
    await stores.close();
    throw error;
  });
  front.on("error", (error) => log.failed("server", error));

  // From here to the end nothing waits, so no request can come before there is somebody to answer it.
  const localOrigins = [
    new URL(`http://127.0.0.1:${port}`).origin,
    new URL(`http://localhost:${port}`).origin,
  ] as const;
  const publicOrigin = config.publicOrigin ?? localOrigins[0];
  const allowedOrigins = [...new Set([...localOrigins, publicOrigin])];
  const publicHost = new URL(publicOrigin).hostname.replace(/^\[|\]$/g, "");
  const sessions = createSessions({
    issuer,
    audience,
    clientId,
    publicOrigin,
    allowedOrigins,
    signingKey,
    refreshKey,
    store: stores.sessions,
    accessTokenSeconds: config.accessTokenSeconds,
    // Browsers share the cookies of all ports of a host: demos beside each other must not overwrite each other's.
    cookieName: isLoopback(publicHost) ? `clinic-refresh-${port}` : "clinic-refresh",
    onEnded: endConnections,
    onFailure: (cause) => log.failed("sessions", cause),
  });
  const patients = createPatients();
  const audit = auditFile(join(config.dataDirectory, "audit.jsonl"), {
    onLoss: (error) => log.failed("audit", error),
  });
  const app = createClinicApp({
    sessions,
    directory,
    allowedOrigins,
    telemetry: log.telemetry,
    audit,
    stores: stores.app,
  });
  const policies = declarePolicies(app, patients);
  const notes = createNoteBook();
  const hub = mountClinicalHub({ app, policies, patients, notes, now: Date.now });
  const monitors = createWardMonitors(patients, createSeededRandom(randomInt(2 ** 32)), hub.sendVitals);
  const names = new Set(demoPeople.map(({ username }) => username));
  let isDraining = false;
  const routes = createRoutes({
    app,
    policies,
    sessions,
    signIn: createSignIn({
      sessions,
      directory,
      throttle: createLoginThrottle(),
      log,
      isPerson: (username) => names.has(username),
    }),
    patients,
    notes,
    admin: createAdminRoutes({
      app,
      policies,
      directory,
      sessions,
      suspended: stores.suspended,
      changes: createFailureCounter({ ...changeLimit, now: () => performance.now() }),
      log,
    }),
    people: demoPeople,
    demoPasswords,
    allowedOrigins: new Set(allowedOrigins),
    isDraining: () => isDraining,
    page: createStaticPage(pageDirectory),
    notesPage: createNotesPage(notesDirectory),
    log,
  });
  const answer = getRequestListener(routes.fetch, { overrideGlobalObjects: false });
  const behind = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => log.failed("http", error));
  });
  attach(behind, app);
  guardHosts(front, behind, new Set(allowedOrigins.map((origin) => new URL(origin).host)));
  const ticking = setInterval(() => {
    try {
      monitors.tick(Date.now());
    } catch (error) {
      log.failed("monitors", error);
    }
  }, tickMs);

  /** Of every tab of the session, before whoever ended it is answered. Where it is not durable, the answer is 503. */
  async function endConnections(ended: SessionEnded): Promise<void> {
    log.sessionEnded(ended);
    const { sessionId: session, tenant } = ended;
    await (tenant === undefined ? app.revoke({ session }) : app.tenant(tenant).revoke({ session }));
  }

  async function close(): Promise<void> {
    isDraining = true;
    clearInterval(ticking);
    await app.close();
    const closed = new Promise<void>((resolve) => front.close(() => resolve()));
    const giveUp = setTimeout(() => sockets.forEach((socket) => socket.destroy()), lastAnswersMs);
    await closed;
    clearTimeout(giveUp);
    await audit.close();
    await stores.close();
  }

  let closing: Promise<void> | undefined;
  return {
    url: publicOrigin,
    listeningUrl: `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`,
    demoPasswords,
    accounts,
    close: () => (closing ??= close()),
  };
}

/** @throws StartError for an address that cannot be listened on */
async function listen(server: Server, { host, port }: ClinicConfig): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => reject(listenError(cause, host, port));
    server.once("error", onError);
    server.listen({ host, port }, () => {
      server.off("error", onError);
      resolve();
    });
  });
  return server.address() as AddressInfo;
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): StartError {
  if (cause.code === "EADDRINUSE") return new StartError(`PORT: ${port} on ${host} is taken`, { cause });
  if (cause.code === "EACCES") return new StartError(`PORT: ${port} on ${host} is not for this user`, { cause });
  return new StartError(`HOST: cannot listen on ${host}: ${cause.code ?? "unknown"}`, { cause });
}

/** Open connections, upgraded ones too: the server forgets those. */
function trackSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return sockets;
}
