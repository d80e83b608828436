/** A real demo on a free port, in this process, with its log kept and a folder of its own. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HttpTransportType, HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import { startClinic, type Clinic } from "../clinic.js";
import { configDefaults, type ClinicConfig } from "../config.js";
import { createLog } from "../log.js";

export interface Granted {
  readonly token: string;
  readonly expiresIn: number;
  /** `name=value`, as a browser sends it back. */
  readonly cookie: string;
}

export interface RunningClinic {
  readonly clinic: Clinic;
  readonly url: string;
  readonly port: number;
  /** What was logged, a parsed object a line. */
  readonly log: Record<string, unknown>[];
  /** The same, as it was written. */
  readonly lines: string[];
  signIn(username: string, password?: string): Promise<Response>;
  grant(username: string): Promise<Granted>;
  /** A stock client, not started yet. */
  hub(token: string): HubConnection;
  /** A stock client that has connected as that person. */
  connect(username: string): Promise<HubConnection>;
  /** Ends what was connected, and the demo. */
  end(): Promise<void>;
}

const folders = new Set<string>();

/** A folder of its own, until `removeFolders`. */
export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "clinic-"));
  folders.add(folder);
  return folder;
}

/** Removes what `newFolder` has made in this process so far. */
export async function removeFolders(): Promise<void> {
  await Promise.all(Array.from(folders, removeFolder));
}

async function removeFolder(folder: string): Promise<void> {
  folders.delete(folder);
  await rm(folder, { recursive: true, force: true });
}

export async function runClinic(settings: Partial<ClinicConfig> = {}): Promise<RunningClinic> {
  const folder = await newFolder();
  const pageDirectory = join(folder, "page");
  await mkdir(join(pageDirectory, "assets"), { recursive: true });
  await writeFile(join(pageDirectory, "index.html"), "<!doctype html><title>Clinic</title>");
  await writeFile(join(pageDirectory, "assets", "index-A1b2C3d4.js"), "export {};\n");
  await writeFile(join(pageDirectory, "assets", "index-A1b2C3d4.css"), "body {}\n");
  await writeFile(join(pageDirectory, "assets", "icon-A1b2C3d4.svg"), "<svg/>\n");
  await writeFile(join(folder, "secret.txt"), "not for pages");

  const lines: string[] = [];
  const log: Record<string, unknown>[] = [];
  const destination = {
    write(line: string) {
      lines.push(line);
      log.push(JSON.parse(line) as Record<string, unknown>);
    },
  };
  const config: ClinicConfig = {
    ...configDefaults,
    port: 0,
    publicOrigin: undefined,
    dataDirectory: join(folder, "data"),
    ...settings,
  };
  const notesDirectory = fileURLToPath(new URL("../../notes/", import.meta.url));
  const clinic = await startClinic(config, { log: createLog(destination), pageDirectory, notesDirectory });
  const url = clinic.listeningUrl;
  const connections: HubConnection[] = [];

  const running: RunningClinic = {
    clinic,
    url,
    port: Number(new URL(url).port),
    log,
    lines,
    signIn: (username, password = "demo") => post(`${url}/auth/login`, { username, password }),
    async grant(username) {
      const response = await running.signIn(username);
      return await readGrant(response);
    },
    hub(token) {
      const connection = new HubConnectionBuilder()
        .withUrl(`${url}/hubs/clinical`, {
          accessTokenFactory: () => token,
          transport: HttpTransportType.WebSockets,
        })
        .configureLogging(LogLevel.None)
        .build();
      connections.push(connection);
      return connection;
    },
    async connect(username) {
      const connection = running.hub((await running.grant(username)).token);
      await connection.start();
      return connection;
    },
    async end() {
      await Promise.all(connections.map((connection) => connection.stop()));
      await clinic.close();
      await removeFolder(folder);
    },
  };
  return running;
}

export async function readGrant(response: Response): Promise<Granted> {
  if (response.status !== 200) throw new Error(`no grant: ${response.status}`);
  const body = (await response.json()) as { access_token: string; expires_in: number };
  const cookie = response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  return { token: body.access_token, expiresIn: body.expires_in, cookie };
}

export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(url, {
    method: "POST",
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

export interface RawReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** For what `fetch` does not let one say: the Host, a path that is not normalised, an upgrade. */
export async function ask(
  url: string,
  path: string,
  { method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<RawReply> {
  const { hostname, port } = new URL(url);
  return await new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path, method, headers, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => (body += text));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: "" });
    });
    request.end();
  });
}

/** Resolves with the first argument of the next such event. */
export async function nextEvent<T>(connection: HubConnection, name: string): Promise<T> {
  return await new Promise((resolve) => {
    const handler = (value: T): void => {
      connection.off(name, handler);
      resolve(value);
    };
    connection.on(name, handler);
  });
}

/** Resolves with why the connection ended. Ask before it does. */
export async function ending(connection: HubConnection): Promise<Error | undefined> {
  return await new Promise((resolve) => connection.onclose(resolve));
}

/** The text of what a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error("it did not fail");
}
