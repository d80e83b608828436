/** One tenant as an application speaks to it and keeps its groups. */

import type { ListConnections, LiveConnection } from "../core/connection/live-connection.js";
import { ScopedSender, type SenderPorts } from "../core/dispatch/sender.js";
import { createTenantGroups, type TenantGroups, type TenantGroupsPorts } from "../core/dispatch/tenant-groups.js";
import type { RecheckRequests, RecheckResult } from "../core/supervision/recheck-requests.js";
import type { RecheckSelector, TenantSelector } from "../core/supervision/recheck-selector.js";
import type { RevocationReceipt, Revocations } from "../core/supervision/revocations.js";
import type { Tenant } from "./app.js";
import {
  createRevoking,
  type AskedBy,
  type DryRunOptions,
  type RevocationPreview,
  type RevokeOptions,
  type Revoking,
  type SubjectTarget,
  type TenantRevokeTarget,
} from "./revocation-face.js";

export interface TenantPorts<P> extends TenantGroupsPorts<P>, SenderPorts {
  /** What a subject without an issuer means. */
  readonly issuer: string | undefined;
  readonly list: ListConnections;
  readonly rechecks: Pick<RecheckRequests<P>, "request">;
  readonly revocations: Revocations;
}

/** Cheap to make, because a tenant is named for each thing that is said to it. */
export class TenantFace<P> extends ScopedSender<P, unknown> implements Tenant<P> {
  readonly #ports: TenantPorts<P>;
  readonly #tenant: string | undefined;
  #groups: TenantGroups<P> | undefined;
  #revoking: Revoking<TenantRevokeTarget, SubjectTarget, SubjectTarget> | undefined;

  constructor(ports: TenantPorts<P>, tenant: string | undefined) {
    super(ports, { tenant, hub: undefined, issuer: ports.issuer });
    this.#ports = ports;
    this.#tenant = tenant;
  }

  connections(): Iterable<LiveConnection> {
    return this.#ports.list((tenant) => tenant === this.#tenant);
  }

  recheck(selector: RecheckSelector<P> | TenantSelector): Promise<RecheckResult> {
    return this.#ports.rechecks.request(selector, { tenant: this.#tenant });
  }

  get groups(): TenantGroups<P> {
    return (this.#groups ??= createTenantGroups(this.#ports, { tenant: this.#tenant, issuer: this.#ports.issuer }));
  }

  revoke(target: TenantRevokeTarget, options?: RevokeOptions): Promise<RevocationReceipt>;
  revoke(target: TenantRevokeTarget, options: DryRunOptions): Promise<RevocationPreview>;
  revoke(
    target: TenantRevokeTarget,
    options?: RevokeOptions | DryRunOptions,
  ): Promise<RevocationReceipt | RevocationPreview> {
    return this.#revocations().revoke(target, options as DryRunOptions);
  }

  lift(target: SubjectTarget, options?: AskedBy): Promise<{ readonly number: number }> {
    return this.#revocations().lift(target, options);
  }

  requireReauthentication(target: SubjectTarget, options?: AskedBy): Promise<RevocationReceipt> {
    return this.#revocations().requireReauthentication(target, options);
  }

  #revocations(): Revoking<TenantRevokeTarget, SubjectTarget, SubjectTarget> {
    const { revocations, issuer } = this.#ports;
    return (this.#revoking ??= createRevoking(revocations, { issuer, within: { tenant: this.#tenant } }));
  }
}
