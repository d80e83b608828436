/** Hubward as a plugin of Fastify 5. */

import type { FastifyPluginCallback } from "fastify";
import type { GuardingApp } from "../../app/http.js";
import type { Endpoint } from "../../core/endpoint.js";
import { findAdmission } from "../node/admissions.js";
import { attach, type AttachOptions } from "../node/attach.js";
import { pathOf } from "../node/request.js";

export interface HubwardPluginOptions extends AttachOptions {
  /** Mounted on `fastify.server`, and closed with Fastify. */
  readonly app: GuardingApp<unknown> & { readonly endpoint: Endpoint; close(): Promise<void> };
}

/**
 * `fastify.register(hubwardPlugin, { app })`: mounts the hubs, whose requests reach neither Fastify's routes nor its
 * logger; ends their connections when Fastify is closed; and decorates requests with `admission`, who was let in by
 * `requirePolicy`, or undefined. It holds for the whole of the instance it is registered on, like a plugin wrapped in
 * fastify-plugin. Listen on an address rather than on "localhost": there the log does see what comes by the second
 * address.
 */
export const hubwardPlugin: FastifyPluginCallback<HubwardPluginOptions> = (fastify, { app, ...options }, done) => {
  const { server } = fastify;
  const attachment = attach(server, app, options);

  // Not onClose: Fastify runs that when the server is closed, and a server waits for its WebSockets.
  fastify.addHook("preClose", () => app.close());

  // A second application on the same instance leaves the name to the first.
  if (!fastify.hasRequestDecorator("admission")) {
    fastify.decorateRequest("admission", {
      getter() {
        return findAdmission(app, this);
      },
    });
  }

  // Fastify listens on "localhost" with a server for each of its addresses, of which `fastify.server` is the first;
  // requests to the others come straight to its routes.
  fastify.addHook("onRequest", (request, reply, next) => {
    const path = pathOf(request.raw.url ?? "");
    if (path === undefined || !app.endpoint.owns(path)) {
      attachment.takeForwarded(request.raw);
      return next();
    }
    reply.hijack();
    server.emit("request", request.raw, reply.raw);
  });
  done();
};

// What fastify-plugin would set: the instance's own scope instead of a new one, and a name for error messages.
Object.assign(hubwardPlugin, {
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "@hubward/server",
  [Symbol.for("plugin-meta")]: { name: "@hubward/server", fastify: "5.x" },
});
