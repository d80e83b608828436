/**
 * Routes whose handlers run for administrators alone. All that is asked has arrived before it is decided who asks: a body
 * takes as long as its sender likes, and whoever was shut out meanwhile changes nothing with the rest of it.
 */

import { HubwardError, refusalReply, type HttpReply } from "@hubward/server";
import { readJson } from "@hubward/sessions";
import { Hono, type Context } from "hono";
import type { z } from "zod";
import type { ClinicApp, Policies } from "./access.js";
import { askedBy, type ClinicEnv } from "./asked-by.js";

export interface Administrator {
  readonly subject: string;
  readonly tenant: string;
}

type Asked = Context<ClinicEnv>;

/** There is no other way to a route: what a handler knows of the request it gets with who asks. */
export interface GuardedRoutes {
  /** `GET`: what `act` returns, as JSON. */
  look(path: string, act: (who: Administrator) => object): void;
  /** `POST` of JSON of that shape: what `act` resolves with. It may throw a HubwardError, which is answered. */
  change<Body>(
    path: string,
    schema: z.ZodType<Body>,
    act: (who: Administrator, body: Body, param: (name: string) => string) => Promise<object>,
  ): void;
  readonly routes: Hono<ClinicEnv>;
}

const noStore = { "cache-control": "no-store" } as const;

export function createGuardedRoutes(
  app: Pick<ClinicApp, "http">,
  { administrator }: Pick<Policies, "administrator">,
): GuardedRoutes {
  const routes = new Hono<ClinicEnv>();

  /** @throws HubwardError for everybody else, and whoever is none any more */
  async function administratorOf(c: Asked): Promise<Administrator> {
    // A browser that says no Origin and brings cookies is not told from one that another page sent here.
    const isAmbient = c.req.header("origin") === undefined && c.req.header("cookie") !== undefined;
    if (isAmbient) throw new HubwardError("origin_denied");
    const { principal } = await app.http.authorize(askedBy(c), administrator);
    if (principal.tenant === undefined) throw new HubwardError("forbidden");
    return { subject: principal.subject, tenant: principal.tenant };
  }

  routes.onError((error) => {
    if (error instanceof HubwardError) return refuse(error);
    throw error;
  });

  return {
    routes,
    look(path, act) {
      routes.get(path, async (c) => c.json(act(await administratorOf(c)), 200, noStore));
    },
    change(path, schema, act) {
      routes.post(path, async (c: Asked) => {
        const body = await readJson(c.req.raw);
        if (!body.ok) return body.response;
        const parsed = schema.safeParse(body.value);
        if (!parsed.success) throw new HubwardError("invalid_request");
        const who = await administratorOf(c);
        return c.json(await act(who, parsed.data, (name) => c.req.param(name) ?? ""), 200, noStore);
      });
    },
  };
}

function refuse(error: HubwardError): Response {
  const { status, headers, body }: HttpReply = refusalReply(error);
  return new Response(body, { status, headers });
}
