/** One endpoint for an application of several scopes: each path is one scope's. */

import { textReply } from "../core/admission/refusal-reply.js";
import type { Endpoint, ForwardedPort } from "../core/endpoint.js";

const NO_SECRETS: readonly string[] = [];

/** @param endpoints those there are at the moment of each request: more may be added */
export function joinEndpoints(endpoints: readonly Endpoint[], forwarded?: readonly ForwardedPort[]): Endpoint {
  const find = (path: string): Endpoint | undefined => endpoints.find((endpoint) => endpoint.owns(path));
  return {
    owns: (path) => find(path) !== undefined,
    forwarded,
    cookies: (path) => find(path)?.cookies?.(path),
    secrets: (path) => find(path)?.secrets?.(path) ?? NO_SECRETS,
    request: (request, body) => find(request.path)?.request(request, body) ?? Promise.resolve(textReply(404, "")),
    upgrade: (request) =>
      find(request.path)?.upgrade(request) ?? Promise.resolve({ accepted: false, reply: textReply(404, "") }),
  };
}
