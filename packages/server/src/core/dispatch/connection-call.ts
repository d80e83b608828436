/** A call as a hub method sees it. Cheap to make: what few methods ask for is made when asked for. */

import type { Authentication } from "../auth/authentication.js";
import type { Verdict } from "../auth/policy.js";
import type { Connection } from "../connection/connection.js";
import type { Fanout } from "../groups/fanout.js";
import type { GroupReference } from "../groups/group.js";
import type { Groups } from "../groups/groups.js";
import { isMember } from "../groups/membership.js";
import type { ConnectionId } from "../ids.js";
import type { CallGroups, CommandCall, ConnectionTarget, PrincipalReference, Target } from "./call.js";
import type { CallControl } from "./call-control.js";
import type { ClientInvoker } from "./client-invoker.js";
import type { Commit } from "./commit.js";
import { ScopedSender, type SenderPorts } from "./sender.js";

export interface CallPorts<P> {
  readonly groups: Groups<P>;
  readonly fanout: Fanout;
  readonly invokeClient: ClientInvoker;
  /** Whether what is said in a call reaches the connections of its hub only. Default true. */
  readonly isOfHub?: boolean | undefined;
}

export class ConnectionCall<P, Events> implements CommandCall<P, Events>, CallGroups<P> {
  readonly method: string;
  readonly principal: P;
  readonly authentication: Authentication;
  readonly #connection: Connection<P>;
  readonly #ports: CallPorts<P>;
  readonly #control: CallControl;
  readonly #commit: Commit | undefined;
  #sender: ScopedSender<P, Events> | undefined;

  /** `commit`: of commands only. */
  constructor(connection: Connection<P>, method: string, control: CallControl, ports: CallPorts<P>, commit?: Commit) {
    this.#connection = connection;
    this.#control = control;
    this.#commit = commit;
    this.#ports = ports;
    this.method = method;
    this.principal = connection.admission.principal;
    this.authentication = connection.authentication;
  }

  get connectionId(): ConnectionId {
    return this.#connection.id;
  }

  get principalId(): string {
    return this.#connection.admission.principalId;
  }

  get expiresInSeconds(): number {
    return Math.floor(this.#connection.remainingMs / 1000);
  }

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  get groups(): CallGroups<P> {
    return this;
  }

  join(group: GroupReference<P>): Promise<void> {
    const { refusal } = this.#control;
    const joining =
      refusal === undefined ? this.#ports.groups.join(this.#connection, group) : Promise.reject<void>(refusal);
    // A refusal nobody waits for is still a refusal, not the end of the process.
    joining.catch(() => undefined);
    return joining;
  }

  leave(group: GroupReference<P>): boolean {
    return this.#ports.groups.leave(this.#connection, group);
  }

  has(group: GroupReference<P>): boolean {
    return isMember(this.#connection, group);
  }

  /** As {@link CallGroups.has}, waiting for the rule where a new principal is being asked about. */
  judgeMember(group: GroupReference<P>): Verdict | Promise<Verdict> {
    return this.#ports.groups.judgeMember(this.#connection, group);
  }

  to<GroupEvents = unknown>(
    group: GroupReference<P, GroupEvents>,
  ): Target<unknown extends GroupEvents ? Events : GroupEvents> {
    return this.#ownSender().to(group);
  }

  toAll(): Target<Events> {
    return this.#ownSender().toAll();
  }

  toOthers(): Target<Events> {
    return this.#ownSender().toAll().except(this.connectionId);
  }

  toCaller(): ConnectionTarget<Events> {
    return this.#ownSender().toConnection(this.connectionId);
  }

  toPrincipal(principal: PrincipalReference): Target<Events> {
    return this.#ownSender().toPrincipal(principal);
  }

  toConnection(id: ConnectionId): ConnectionTarget<Events> {
    return this.#ownSender().toConnection(id);
  }

  abort(): void {
    this.#connection.apply({ type: "aborted", reason: "normal" });
  }

  commit<Result, Transaction = unknown>(work: (transaction: Transaction) => Result): Promise<Awaited<Result>> {
    const mistake = "commit: only the method of a command (.once) has one";
    const committing =
      this.#commit?.(work as (transaction: unknown) => Result) ?? Promise.reject(new TypeError(mistake));
    // A failure nobody waits for is still a failure, not the end of the process.
    committing.catch(() => undefined);
    return committing;
  }

  #senderPorts(): SenderPorts {
    const { fanout, invokeClient } = this.#ports;
    return {
      fanout,
      invokeClient: (...question) => {
        const answer = invokeClient(...question);
        this.#control.giveTurn();
        return answer;
      },
    };
  }

  #ownSender(): ScopedSender<P, Events> {
    const connection = this.#connection;
    return (this.#sender ??= new ScopedSender(this.#senderPorts(), {
      tenant: connection.tenant,
      hub: this.#ports.isOfHub === false ? undefined : connection.hub,
      issuer: connection.authentication.issuer,
      assertAllowed: () => this.#control.assertMaySpeak(connection),
    }));
  }
}
