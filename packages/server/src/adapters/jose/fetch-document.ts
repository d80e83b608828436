/**
 * One JSON object over HTTP, within bounds: one connection, one request, one answer.
 *
 * On `node:https` and not on the global `fetch`, because here each bound is the absence of a feature: this client
 * follows no redirect, decompresses nothing, keeps no connection and no cookie, takes no proxy or dispatcher that
 * something else in the process installed, and verifies certificates whatever the environment says.
 */

import { request as requestHttp, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { request as requestHttps } from "node:https";
import type { Secret } from "../../core/auth/secret.js";
import { parseStrictObject } from "./strict-json.js";

export interface FetchBounds {
  /** Ends the request, wherever it stands: this is the total time, from the name's resolution to the last byte. */
  readonly signal: AbortSignal;
  /** Bytes of body, counted as they arrive; a `content-length` is not believed. */
  readonly maxBytes: number;
  /** Certificate authorities in PEM that replace the system's, for an internal provider. */
  readonly ca: readonly string[] | undefined;
}

/** A form to post in place of a plain GET. Both hold secrets: nothing of them is told in an error. */
export interface FormToPost {
  /** `application/x-www-form-urlencoded`. */
  readonly body: Secret;
  readonly authorization: Secret | undefined;
}

const MAX_HEADER_BYTES = 16 * 1024;

/**
 * Fetches the object, or posts a form and takes the answer. The answer must be a plain 200, whatever its content type says, and its body a JSON object of
 * well-formed UTF-8 without duplicate members.
 * @throws Error (always as a rejection) when it is anything else, incomplete, too long or too late. Messages are
 * constants but for the status and the system's code.
 */
export function fetchDocument(
  url: URL,
  { signal, maxBytes, ca }: FetchBounds,
  form?: FormToPost,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Error("the answer took too long"));
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    const body = form?.body.reveal() ?? "";
    const request = send(url, {
      agent: false,
      method: form === undefined ? "GET" : "POST",
      headers: {
        accept: "application/json",
        "accept-encoding": "identity",
        connection: "close",
        ...headersOf(form, body),
      },
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
      rejectUnauthorized: true, // said aloud, because NODE_TLS_REJECT_UNAUTHORIZED would change the default
      ...(ca === undefined ? {} : { ca: [...ca] }),
    });
    const settle = (end: () => void): void => {
      signal.removeEventListener("abort", onAbort);
      end();
      request.destroy();
    };
    const fail = (why: string): void => settle(() => reject(new Error(why)));
    const onAbort = (): void => fail("the answer took too long");

    signal.addEventListener("abort", onAbort, { once: true });
    request.on("error", (error) => fail(`the request failed (${codeOf(error)})`));
    // Without a listener of ours an answer of 101 would hand us its socket.
    request.on("upgrade", () => fail("the answer's status is 101"));
    request.on("response", (response) => {
      response.on("error", (error) => fail(`the answer broke off (${codeOf(error)})`));
      const refusal = refusalOf(response);
      if (refusal !== undefined) return fail(refusal);
      const chunks: Buffer[] = [];
      let length = 0;
      response.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length > maxBytes) return fail("the answer is too long");
        chunks.push(chunk);
      });
      // An answer that breaks off raises an error and never an end.
      response.on("end", () => {
        const document = parseStrictObject(Buffer.concat(chunks, length));
        if (document === undefined) return fail("the answer is not a JSON object with unique members");
        settle(() => resolve(document));
      });
    });
    request.end(body);
  });
}

function headersOf(form: FormToPost | undefined, body: string): OutgoingHttpHeaders {
  if (form === undefined) return {};
  return {
    "content-type": "application/x-www-form-urlencoded",
    "content-length": Buffer.byteLength(body),
    ...(form.authorization === undefined ? {} : { authorization: form.authorization.reveal() }),
  };
}

/** What is told of a fault. The error itself stays here: a parser's quotes the answer, which may hold a secret. */
function codeOf(error: NodeJS.ErrnoException): string {
  return error.code ?? "no code";
}

function refusalOf({ statusCode, headers }: IncomingMessage): string | undefined {
  if (statusCode !== 200) return `the answer's status is ${statusCode}`;
  const encoding = headers["content-encoding"];
  // We asked for none. Nothing is decompressed here, so nothing can grow while it is.
  return encoding === undefined || encoding === "identity" ? undefined : "the answer is compressed";
}
