/** The administrators' routes: live connections, people, and what can be changed about them. */
import type { Fetch } from "./auth-api.js";
import { type Failure, readFailure, readHttpFailure } from "./reasons.js";
import type { Session } from "./session.js";

export interface LiveConnection {
  readonly connectionId: string;
  readonly subject: string;
  readonly transport: string;
  /** Undefined where its tokens name no session. */
  readonly sessionId: string | undefined;
  readonly standing: string;
  readonly lapsedFor: string | undefined;
  /** Until its credential ends, when the list was made. Milliseconds. */
  readonly leftMs: number;
  readonly remoteAddress: string | undefined;
  readonly groups: readonly string[];
}

export interface Colleague {
  readonly username: string;
  readonly department: string | undefined;
  readonly roles: readonly string[];
  /** Those to be given back. */
  readonly usualRoles: readonly string[];
  readonly isSuspended: boolean;
}

export interface Overview {
  /** The hospital that is looked at. */
  readonly tenant: string | undefined;
  readonly connections: readonly LiveConnection[];
  readonly people: readonly Colleague[];
}

/** What an administrator may ask for. */
export type Change =
  | { readonly kind: "end-session"; readonly session: string }
  | { readonly kind: "suspend" | "lift"; readonly subject: string }
  | { readonly kind: "suspend-tenant"; readonly tenant: string }
  | { readonly kind: "roles"; readonly subject: string; readonly roles: readonly string[] };

export type AdminAnswer<T> =
  { readonly kind: "done"; readonly value: T } | { readonly kind: "failed"; readonly failure: Failure };

export interface AdminApi {
  look(): Promise<AdminAnswer<Overview>>;
  change(change: Change): Promise<AdminAnswer<undefined>>;
}

export function createAdminApi(fetch: Fetch, session: Session): AdminApi {
  /** A token that the server no longer takes is renewed once. */
  async function ask(path: string, body?: object): Promise<AdminAnswer<unknown>> {
    for (let tries = 1; ; tries += 1) {
      try {
        const token = await session.token();
        const response = await fetch(`/api/admin/${path}`, {
          credentials: "omit",
          cache: "no-store",
          headers: {
            Authorization: `Bearer ${token}`,
            ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          },
          ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
        });
        if (response.ok) return { kind: "done", value: await response.json() };
        const failure = readHttpFailure(response.status, await response.text());
        if (failure.condition !== "expired" || tries > 1) return { kind: "failed", failure };
        session.reject(token);
      } catch (error) {
        return { kind: "failed", failure: readFailure(error) };
      }
    }
  }

  return {
    async look() {
      const [connections, people] = await Promise.all([ask("connections"), ask("people")]);
      if (connections.kind === "failed") return connections;
      if (people.kind === "failed") return people;
      return {
        kind: "done",
        value: {
          tenant: textOf(fieldsOf(people.value)["tenant"]),
          connections: readConnections(connections.value),
          people: readPeople(people.value),
        },
      };
    },
    async change(change) {
      const answer = await (change.kind === "roles"
        ? ask(`people/${encodeURIComponent(change.subject)}/roles`, { roles: change.roles })
        : ask("revocations", revocationOf(change)));
      return answer.kind === "failed" ? answer : { kind: "done", value: undefined };
    },
  };
}

function revocationOf(change: Exclude<Change, { readonly kind: "roles" }>): object {
  switch (change.kind) {
    case "end-session":
      return { session: change.session };
    case "suspend":
      return { subject: change.subject };
    case "lift":
      return { lift: { subject: change.subject } };
    case "suspend-tenant":
      return { tenant: change.tenant };
  }
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textsOf(value: unknown): readonly string[] {
  return listOf(value).filter((item) => typeof item === "string");
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function readConnections(value: unknown): readonly LiveConnection[] {
  const { at, connections } = fieldsOf(value);
  return listOf(connections).flatMap((entry): readonly LiveConnection[] => {
    const fields = fieldsOf(entry);
    const connectionId = textOf(fields["connectionId"]);
    const subject = textOf(fields["subject"]);
    if (connectionId === undefined || subject === undefined) return [];
    return [
      {
        connectionId,
        subject,
        transport: textOf(fields["transport"]) ?? "",
        sessionId: textOf(fields["sessionId"]),
        standing: textOf(fields["standing"]) ?? "active",
        lapsedFor: textOf(fields["lapsedFor"]),
        leftMs: Math.max(0, Number(fields["expiresAt"]) - Number(at)) || 0,
        remoteAddress: textOf(fields["remoteAddress"]),
        groups: textsOf(fields["groups"]),
      },
    ];
  });
}

function readPeople(value: unknown): readonly Colleague[] {
  return listOf(fieldsOf(value)["people"]).flatMap((entry): readonly Colleague[] => {
    const fields = fieldsOf(entry);
    const username = textOf(fields["username"]);
    if (username === undefined) return [];
    return [
      {
        username,
        department: textOf(fields["department"]),
        roles: textsOf(fields["roles"]),
        usualRoles: textsOf(fields["usualRoles"]),
        isSuspended: fields["isSuspended"] === true,
      },
    ];
  });
}
