/**
 * The application a history is written of: wards of several hospitals, whose methods say at their door who called, and
 * whose events say whom they are for. Its rules and its mapping take their time when they are told to.
 */

import {
  hubward,
  HubwardError,
  type App,
  type Authentication,
  type Call,
  type ConnectionId,
  type GroupReference,
  type HubwardOptions,
  type Principal,
} from "@hubward/server";
import type { EpochMs } from "@hubward/server/ports";
import { anything, text, word } from "../support/schemas.js";
import type { CredentialFacts, History } from "./history.js";

export const HUB = "/hubs/ward";
export const ROOMS = "/rooms";
export const ISSUER = "https://issuer.example";
export const TENANTS = ["general", "annex"] as const;
export const WARDS = ["icu", "er", "lab"] as const;

export type Attributes = { readonly wards: readonly string[] };
export type Staff = Principal<Attributes>;

export interface WardPorts {
  readonly history: History;
  /** Which connection of the test's this is. */
  readonly nameOf: (id: ConnectionId) => string;
  /** What was issued, by token. */
  readonly issued: ReadonlyMap<string, CredentialFacts>;
  /** Wards a person (tenant/subject) has by the directory; undefined for one it does not restrict. */
  readonly directory: ReadonlyMap<string, readonly string[]>;
  /** A promise where something is to take its time. */
  readonly lag: () => Promise<void> | undefined;
}

export interface WardApp {
  readonly app: App<Staff>;
  readonly ward: (name: string) => GroupReference<Staff>;
}

interface Called {
  readonly connectionId: ConnectionId;
  readonly method: string;
  readonly principal: Staff;
  readonly authentication: Authentication;
}

export type WardOptions = HubwardOptions<Attributes>;

/** Puts something else in the place of a part: where a test plants its fault. */
export type Plant = (options: WardOptions) => WardOptions;

export function createWardApp(ports: WardPorts, options: Partial<WardOptions>, plant: Plant = (set) => set): WardApp {
  const { history, nameOf, issued, directory, lag } = ports;
  const set: WardOptions = {
    authenticator: {
      issuer: ISSUER,
      async authenticate({ token }) {
        await lag();
        const facts = issued.get(token.reveal());
        if (facts === undefined) throw new HubwardError("invalid_token");
        if (facts.expiresAt <= (options.clock?.now() ?? 0)) throw new HubwardError("token_expired");
        return authenticationOf(facts);
      },
    },
    principal: ({ subject, tenant, claims }) => {
      const own = claims["wards"] as readonly string[];
      const listed = directory.get(`${tenant}/${subject}`);
      const wards = listed === undefined ? own : own.filter((ward) => listed.includes(ward));
      const wait = lag();
      return wait === undefined ? { wards } : wait.then(() => ({ wards }));
    },
    ...options,
  };
  const app = hubward<Attributes>(plant(set));
  const anyone = app.policy("Anyone", () => true);
  const ownWard = app.policy("OwnWard", ({ principal }, name: string) => {
    const mayBe = principal.wards.includes(name);
    const wait = lag();
    return wait === undefined ? mayBe : wait.then(() => mayBe);
  });
  /** First thing in every method. */
  function entered({ connectionId, method, principal, authentication }: Called): string {
    const connection = nameOf(connectionId);
    history.record({
      type: "dispatch",
      connection,
      method,
      subject: principal.subject,
      tenant: authentication.tenant,
    });
    return connection;
  }

  /** The wards are rooms, too: what their members publish has the names of the hub's methods. */
  const group = app
    .group("ward/{ward}", { ward: word })
    .allow(ownWard, ({ ward }) => ward)
    .room((draft) =>
      draft
        .publish("Tell", anything, (tell) =>
          tell.members().handle(async (call, _payload, { ward }) => {
            entered({ ...calledBy(call), method: "Tell" });
            await lag();
            return { tenant: call.authentication.tenant, ward };
          }),
        )
        .publish("Order", anything, (order) =>
          order
            .members()
            .once()
            .handle(async (call, payload, { ward }) => {
              entered({ ...calledBy(call), method: "Order" });
              await lag();
              const { tenant, subject } = call.authentication;
              history.record({ type: "effect", owner: JSON.stringify([tenant, subject]), command: String(payload) });
              return { tenant, ward };
            }),
        ),
    );
  const ward = (name: string): GroupReference<Staff> => group({ ward: name });
  app.rooms(ROOMS).allow(anyone);

  app
    .hub(HUB, { maxParallelInvocations: 4, statefulReconnect: true, authenticationRefresh: true })
    .allow(anyone)
    .methods((m) => ({
      WhoAmI: m.handle((call) => {
        entered(call);
        return call.principal.subject;
      }),
      Later: m.handle(async (call) => {
        entered(call);
        await lag();
        call.toCaller().emit("later", { tenant: call.authentication.tenant });
        return "done";
      }),
      Join: m.args(text).handle(async (call, name) => {
        entered(call);
        await call.groups.join(ward(name));
      }),
      Leave: m.args(text).handle((call, name) => {
        entered(call);
        return call.groups.leave(ward(name));
      }),
      Tell: m.args(text).handle(async (call, name) => {
        entered(call);
        await lag();
        call.to(ward(name)).emit("vitals", { tenant: call.authentication.tenant, ward: name });
      }),
      TellAll: m.handle((call) => {
        entered(call);
        call.toAll().emit("all", { tenant: call.authentication.tenant });
      }),
      Order: m
        .args(text)
        .allow(ownWard, () => "icu")
        .once((id) => id)
        .handle(async (call, command) => {
          entered(call);
          await lag();
          const { tenant, subject } = call.authentication;
          history.record({ type: "effect", owner: JSON.stringify([tenant, subject]), command });
          return command;
        }),
      Watch: m.stream((call) => {
        entered(call);
        return countSlowly(lag);
      }),
    }));
  return { app, ward };
}

function calledBy({ connectionId, principal, authentication }: Call<Staff>): Omit<Called, "method"> {
  return { connectionId, principal, authentication };
}

async function* countSlowly(lag: WardPorts["lag"]): AsyncGenerator<number> {
  for (let count = 0; count < 6; count++) {
    await lag();
    yield count;
  }
}

export function authenticationOf(facts: CredentialFacts): Authentication {
  const { id, issuer, subject, tenant, sessionId, clientId, keyId, issuedAt, expiresAt, wards } = facts;
  return Object.freeze({
    issuer,
    subject,
    tenant,
    sessionId,
    clientId,
    keyId,
    tokenId: id,
    issuedAt: issuedAt as EpochMs,
    expiresAt: expiresAt as EpochMs,
    claims: Object.freeze({ wards }),
  });
}
