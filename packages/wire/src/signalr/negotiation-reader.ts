/**
 * Reads the answer to a negotiate request, as a client. Strict: what is present has the right type, or the
 * answer is refused; only unknown fields, transports and formats are passed over.
 *
 * @see TransportProtocols.md, `POST [endpoint-base]/negotiate`
 */

import { HubwardError } from "../reasons.js";
import { readJsonObject } from "../encoding/json-reader.js";
import { allTransports, isLifetime } from "./negotiation.js";
import type { AvailableTransport, NegotiateResponse, TransferFormatName } from "./negotiation.js";
import { encodeUtf8 } from "../encoding/utf8.js";

/** Bytes of an answer, and what it may hold. */
export const negotiateLimits = { maxBytes: 65_536, maxDepth: 8, maxNodes: 1000 } as const;

/** @throws HubwardError bad_request | too_deep | message_too_big */
export function parseNegotiateResponse(body: string): NegotiateResponse {
  const fields = readJsonObject(encodeUtf8(body), negotiateLimits);
  if (fields["ProtocolVersion"] !== undefined) throw badRequest("the server speaks the older ASP.NET SignalR");
  const error = readText(fields, "error");
  if (error !== undefined) return { kind: "error", error };
  const accessToken = readText(fields, "accessToken");
  const url = readText(fields, "url");
  if (url !== undefined) return { kind: "redirect", url, accessToken };
  return readConnection(fields, accessToken);
}

type Fields = Readonly<Record<string, unknown>>;

function readConnection(fields: Fields, accessToken: string | undefined): NegotiateResponse {
  const { negotiateVersion = 0, tokenLifetimeSeconds, useStatefulReconnect = false } = fields;
  if (negotiateVersion !== 0 && negotiateVersion !== 1) throw badRequest("negotiateVersion must be 0 or 1");
  if (tokenLifetimeSeconds !== undefined && !isLifetime(tokenLifetimeSeconds)) {
    throw badRequest("tokenLifetimeSeconds must be a whole number of at least 0");
  }
  if (typeof useStatefulReconnect !== "boolean") throw badRequest("useStatefulReconnect must be a boolean");
  const common = {
    kind: "connection",
    connectionId: readRequiredText(fields, "connectionId"),
    availableTransports: readTransports(fields["availableTransports"]),
    accessToken,
    tokenLifetimeSeconds,
    useStatefulReconnect,
  } as const;
  if (negotiateVersion === 0) return { ...common, negotiateVersion };
  return { ...common, negotiateVersion, connectionToken: readRequiredText(fields, "connectionToken") };
}

function readTransports(value: unknown): readonly AvailableTransport[] {
  if (!Array.isArray(value)) throw badRequest("availableTransports must be an array");
  return value.flatMap((entry: unknown) => readTransport(entry));
}

function readTransport(entry: unknown): readonly AvailableTransport[] {
  if (typeof entry !== "object" || entry === null) throw badRequest("a transport must be an object");
  const { transport, transferFormats } = entry as Fields;
  if (typeof transport !== "string" || !Array.isArray(transferFormats)) {
    throw badRequest("a transport must have a name and transfer formats");
  }
  const known = allTransports.find((candidate) => candidate.transport === transport);
  if (known === undefined) return [];
  return [{ transport: known.transport, transferFormats: transferFormats.filter(isTransferFormat) }];
}

function isTransferFormat(value: unknown): value is TransferFormatName {
  return value === "Text" || value === "Binary";
}

/** .NET writes a field only when it says something, so empty reads like absent. */
function readText(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string") throw badRequest(`${name} must be a string`);
  return value;
}

function readRequiredText(fields: Fields, name: string): string {
  const value = readText(fields, name);
  if (value === undefined) throw badRequest(`${name} is missing`);
  return value;
}

function badRequest(detail: string): HubwardError {
  return new HubwardError("bad_request", { detail });
}
