/** A request as `app.http` is asked about it: the demo stands behind no proxy that it believes, so its peer is who asks. */

import type { HttpBindings } from "@hono/node-server";
import type { RequestWithHeaders } from "@hubward/server";
import type { Context } from "hono";

export interface ClinicEnv {
  readonly Bindings: HttpBindings;
}

export function askedBy({ req, env }: Context<ClinicEnv>): RequestWithHeaders {
  const { headers, method, url } = req.raw;
  return { headers, method, url, remoteAddress: env.incoming.socket.remoteAddress };
}
