/** `hubward()`: an application is its own scope and the scopes it opens, on one set of paths. */

import type { Principal } from "../core/auth/principal.js";
import { createPacedQueue } from "../core/paced-queue.js";
import { createFlushQueue } from "../core/connection/flush-queue.js";
import { createRevocations } from "../core/supervision/revocations.js";
import type { Endpoint, ForwardedPort } from "../core/endpoint.js";
import type { App } from "./app.js";
import { joinEndpoints } from "./join-endpoints.js";
import { resolveOptions, resolveScopeOptions, type HubwardOptions } from "./options.js";
import { createScope, type OpenScope, type ScopeShares } from "./scope.js";

/** Creates an application. It does nothing until an adapter mounts it: `attach(httpServer, app)`. */
export function hubward<Attributes extends object>(options: HubwardOptions<Attributes>): App<Principal<Attributes>> {
  const settings = resolveOptions(options);
  const { revocations: log, clock, trail, maxTokenAgeMs, maxIssuerSkewMs: skewMs } = settings;
  const revocations = createRevocations({
    log,
    clock,
    telemetry: trail?.follow(settings.telemetry, () => undefined) ?? settings.telemetry,
    maxTokenAgeMs,
    skewMs,
    isLogNew: options.revocations === undefined,
  });
  const shares: ScopeShares = {
    flushQueue: createFlushQueue(clock),
    farewells: createPacedQueue(clock),
    hubPaths: new Set(),
    revocations,
  };
  const scopes: OpenScope<unknown>[] = [];
  const endpoints: Endpoint[] = [];
  const forwarded: ForwardedPort[] = [];
  let closed: Promise<unknown> | undefined;

  function open<P>(scope: OpenScope<P>): OpenScope<P> {
    scopes.push(scope as OpenScope<unknown>);
    endpoints.push(scope.endpoint);
    forwarded.push(...(scope.endpoint.forwarded ?? []));
    // Opened by an application that goes away: it takes nobody in any more.
    if (closed !== undefined) void scope.drain(0);
    return scope;
  }

  return {
    ...open(createScope(settings, settings, shares)).face,
    scope: (scopeOptions) =>
      open(createScope(settings, resolveScopeOptions("scope", scopeOptions, settings.hub, settings.limits), shares))
        .face,
    endpoint: joinEndpoints(endpoints, forwarded),
    ready: () => revocations.ready(),
    get connectionCount() {
      return scopes.reduce((sum, { size }) => sum + size, 0);
    },
    // Called again (a second signal), it answers with the same end.
    async close({ noticeMs = 0 } = {}) {
      if (!Number.isInteger(noticeMs) || noticeMs < 0)
        throw new RangeError("close.noticeMs: a whole number of at least 0");
      await (closed ??= Promise.all(scopes.map((scope) => scope.drain(noticeMs))).then(() => revocations.stop()));
    },
  };
}
