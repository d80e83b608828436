/** What an application holds in its hands. */

import type { Policy, PolicyContext } from "../core/auth/policy.js";
import type { Sender, Target, ValidEvents } from "../core/dispatch/call.js";
import type { HubOptions } from "../core/dispatch/hub-settings.js";
import type { Endpoint } from "../core/endpoint.js";
import type { GroupDraft, GroupSchemas, GroupValues } from "./group-builder.js";
import type { HttpAuthentication } from "./http.js";
import type { HubDraft } from "./hub-builder.js";

export interface PolicyOptions {
  /** A constant text for the refused caller, shown after `forbidden: `. */
  readonly message?: string | undefined;
}

export interface App<P> extends Sender<P, unknown> {
  /** Declares a policy. With a second parameter it judges a resource, which is named where the policy is required. */
  policy<R = void>(
    name: string,
    check: (context: PolicyContext<P>, resource: R) => boolean | Promise<boolean>,
    options?: PolicyOptions,
  ): Policy<P, R>;
  /** Declares a kind of group: `app.group("ward/{ward}", { ward: schema })`. It needs a rule to be of use. */
  group<const Pattern extends string>(
    pattern: Pattern,
    schemas: GroupSchemas<Pattern>,
  ): GroupDraft<P, GroupValues<Pattern>, unknown>;
  /** Declares a hub, mounted when its methods are given. */
  hub(path: string, options?: HubOptions): HubDraft<P, unknown>;
  hub<Events extends ValidEvents<Events>>(path: string, options?: HubOptions): HubDraft<P, Events>;
  /** Speaks within one tenant. The app itself speaks to those without a tenant. */
  tenant(id: string): Sender<P, unknown>;
  /** The only address that spans tenants. */
  everyTenant(): { toAll(): Target<unknown> };
  /** Credential and policies for ordinary HTTP routes. */
  readonly http: HttpAuthentication<P>;
  /** What adapters mount. */
  readonly endpoint: Endpoint;
  /** Open connections of this node. */
  readonly connectionCount: number;
  /**
   * Refuses new connections, tells the open ones `going_away`, and resolves when all sockets are gone: after
   * about 2 s at most, when those that do not answer are reset.
   */
  close(): Promise<void>;
}
