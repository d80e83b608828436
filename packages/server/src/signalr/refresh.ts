/**
 * `POST {hub}/refresh?id=…`: a later credential for a live connection, over HTTP beside it. Statuses and error codes
 * are those of .NET 11's authentication refresh; what the catalogue knows better is said in its words.
 */

import { HubwardError, reasons, type ReasonName } from "@hubward/wire";
import { judgeOrigin } from "../core/admission/origin.js";
import { MissingCredential, refusalReply, textReply } from "../core/admission/refusal-reply.js";
import { sameIdentityAndClient } from "../core/auth/authentication.js";
import type { Credential } from "../core/auth/credential.js";
import type { Hub } from "../core/dispatch/hub.js";
import type { HttpReply, HttpRequest } from "../core/http.js";
import { authenticationOf, type Attempt } from "./attempts.js";
import { readCredential, type DoorPorts } from "./door.js";
import { asHubwardError } from "../core/errors.js";
import { countFailure } from "../core/admission/failed-credential.js";
import { refuse } from "../core/admission/refused-attempt.js";

export type Refresh<P> = (request: HttpRequest, hub: Hub<P>) => Promise<HttpReply>;

/** Codes of .NET's that are no reasons of ours. */
const NO_ID = coded(400, "missing_connection_token");
const UNKNOWN_ID = coded(404, "connection_not_found");
const OLD_CLIENT = coded(400, "unsupported_negotiate_version");

/** Where .NET has a code, it is said as it is there: its clients compare it. */
const codes: Partial<Record<ReasonName, string>> = {
  invalid_token: "invalid_token",
  ticket_invalid: "invalid_token",
  forbidden: "permission_change_rejected",
  principal_mismatch: "principal_mismatch",
};

export function createRefresh<P>(ports: DoorPorts<P>): Refresh<P> {
  /** @throws HubwardError */
  async function credentialOf(request: HttpRequest, hub: Hub<P>): Promise<Credential> {
    const presented = await readCredential(request, hub, ports);
    // It names a connection, and says nothing about who somebody is by now.
    if (presented.kind === "ticket") throw new HubwardError("invalid_token");
    return presented.credential;
  }

  async function answer(request: HttpRequest, hub: Hub<P>): Promise<HttpReply> {
    const credential = await credentialOf(request, hub);
    const id = request.query.get("id") ?? "";
    const attempt = id === "" ? undefined : ports.attempts.find(id, hub.path);
    const isTheirs = attempt !== undefined && ports.bindings.allows(attempt.binding, request);
    const connection = isTheirs ? attempt.connection : undefined;
    if (attempt === undefined || connection === undefined || !connection.isListening) {
      // Whoever asks must be somebody before anything is said about ids.
      await ports.admitter.authenticate(credential);
      return id === "" ? NO_ID : UNKNOWN_ID;
    }
    // There the id was in every URL and log: it proves nothing.
    if (attempt.negotiateVersion === 0) return (await isOwner(attempt, credential)) ? OLD_CLIENT : UNKNOWN_ID;
    const { expiresInSeconds } = await ports.reauthenticate(connection, credential);
    return json(200, { tokenLifetimeSeconds: expiresInSeconds });
  }

  async function isOwner(attempt: Attempt<P>, credential: Credential): Promise<boolean> {
    return sameIdentityAndClient(await ports.admitter.authenticate(credential), authenticationOf(attempt.holder));
  }

  return async (request, hub) => {
    if (request.method !== "POST") return textReply(405, "", { allow: "POST" });
    const originRefusal = judgeOrigin(request, ports.allowedOrigins);
    if (originRefusal !== undefined) return refuse(request, hub, ports, originRefusal);
    try {
      return await answer(request, hub);
    } catch (thrown) {
      const error = asHubwardError(thrown);
      countFailure(request, error, ports.failed);
      if (error instanceof MissingCredential) return withBody(refusalReply(error), "invalid_token");
      const code = codes[error.reason];
      if (code !== undefined) return withBody(refusalReply(error), code);
      // A reason that only ever ends connections: this one has ended meanwhile.
      return reasons[error.reason].httpStatus === null ? UNKNOWN_ID : refusalReply(error);
    }
  };
}

function coded(status: number, error: string): HttpReply {
  return json(status, { error });
}

function json(status: number, body: unknown): HttpReply {
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return { status, headers, body: JSON.stringify(body) };
}

function withBody({ status, headers }: HttpReply, error: string): HttpReply {
  return { status, headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify({ error }) };
}
