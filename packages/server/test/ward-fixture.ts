/** A ward on an application under test: who may connect, join and order, and how a client gets in. */

import { MemorySocket } from "@hubward/testing";
import { encodeHandshakeRequest } from "@hubward/wire";
import { expect } from "vitest";
import type { Hub, HubwardOptions } from "../src/app/index.js";
import type { GroupReference } from "../src/core/groups/group.js";
import type { HttpReply } from "../src/core/http.js";
import { createApp, type AppFixture, type Attributes, type NegotiateBody, type Staff } from "./app-fixture.js";
import { textSchema } from "./hub-fixture.js";

export const HUB = "/hubs/ward";
export const hello: Uint8Array = encodeHandshakeRequest({ protocol: "json", version: 1 });

export type WardEvents = { vitals: [reading: number]; note: [words: string] };

export interface WardFixture extends AppFixture {
  readonly hub: Hub<Staff, WardEvents, unknown>;
  readonly ward: (values: { readonly ward: string }) => GroupReference<Staff, unknown>;
}

/** A ward: staff may connect, join the ward of their own department, and place orders once. */
export function createWard(options: Partial<HubwardOptions<Attributes>> = {}): WardFixture {
  const fixture = createApp(options);
  const { app } = fixture;
  const staff = app.policy("Staff", ({ principal }) => principal.hasRole("nurse", "doctor"), { message: "staff only" });
  const ownWard = app.policy("OwnWard", ({ principal }, name: string) => principal.department === name);
  const ward = app.group("ward/{ward}", { ward: textSchema() }).allow(ownWard, (values) => values.ward);
  let orders = 0;
  const hub = app
    .hub<WardEvents>(HUB)
    .allow(staff)
    .methods((m) => ({
      WhoAmI: m.handle(({ principal, expiresInSeconds }) => ({ subject: principal.subject, expiresInSeconds })),
      Join: m.args(textSchema()).handle((call, name) => call.groups.join(ward({ ward: name }))),
      Leave: m.args(textSchema()).handle((call, name) => call.groups.leave(ward({ ward: name }))),
      Say: m.args(textSchema()).handle((call, words) => call.toOthers().emit("note", words)),
      Order: m
        .args(textSchema(), textSchema())
        .once((_drug, id) => id)
        .handle((_call, drug) => ({ orderId: `${drug}-${++orders}` })),
    }));
  app
    .hub("/hubs/other")
    .allow(staff)
    .methods(() => ({}));
  return { ...fixture, hub, ward };
}

export function bodyOf(reply: HttpReply): NegotiateBody {
  expect(reply.status).toBe(200);
  return JSON.parse(reply.body) as NegotiateBody;
}

export async function upgraded(
  { upgrade }: AppFixture,
  ...request: Parameters<AppFixture["upgrade"]>
): Promise<MemorySocket> {
  const socket = await upgrade(...request);
  if (!(socket instanceof MemorySocket)) throw new TypeError(`refused: ${socket.status} ${socket.body}`);
  return socket;
}
