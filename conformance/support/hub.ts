/** The hub that the stock clients are run against. */

import { hasRole, hubward, HubError, type App, type HubwardOptions, type Principal } from "@hubward/server";
import { anything, text, wholeNumber, word } from "../../tests/support/schemas.js";

/** What a handler saw, for scenarios to look at. */
export interface Sighting {
  readonly method: string;
  readonly subject: string;
  readonly args: readonly unknown[];
}

export interface HubParts {
  readonly app: App<Principal>;
  /** Sends to the members of a group from outside any call. */
  readonly tellRoom: (room: string, said: string) => void;
  readonly tellHub: (said: string) => void;
}

export type HubPorts = Pick<HubwardOptions, "authenticator" | "telemetry" | "clock"> & Partial<HubwardOptions>;

export interface HubHooks {
  readonly saw: (sighting: Sighting) => void;
  /** What `Wait` waits for. */
  readonly gate: (name: string) => Promise<void>;
  /** The calls of `Wait` that run now. */
  readonly running: (change: 1 | -1) => void;
  readonly aborted: () => void;
}

type HubEvents = { said: [what: string]; done: []; valued: [value: unknown] };

export function createTestHub(ports: HubPorts, hooks: HubHooks): HubParts {
  const app = hubward({
    principal: ({ claims }) => ({ roles: (claims["roles"] as readonly string[] | undefined) ?? [] }),
    // The protocol is in question, at whatever rate. How often one may call has tests of its own.
    limits: false,
    ...ports,
  });
  const member = app.policy("Member", ({ principal }) => !principal.hasRole("visitor"), {
    message: "visitors may not connect",
  });
  const doctors = app.policy("Doctors", hasRole("doctor"));
  const ownRoom = app.policy("OwnRoom", ({ principal }, room: string) => principal.hasRole(`room-${room}`), {
    message: "another room",
  });
  const room = app.group("room/{room}", { room: word }).allow(ownRoom, ({ room: name }) => name);

  const hub = app
    .hub<HubEvents>("/hubs/Conformance")
    .allow(member)
    .methods((m) => ({
      WhoAmI: m.handle(({ principal, connectionId, expiresInSeconds }) => ({
        subject: principal.subject,
        roles: principal.roles,
        connectionId,
        expiresInSeconds,
      })),
      Echo: m.args(anything).handle((_call, value) => value),
      Add: m.args(wholeNumber, wholeNumber).handle((_call, a, b) => a + b),
      Null: m.handle(() => null),
      Nothing: m.handle(() => undefined),
      NothingLater: m.handle(async () => {
        await Promise.resolve();
      }),
      Note: m.args(text).handle(({ method, principal }, what) => {
        hooks.saw({ method, subject: principal.subject, args: [what] });
      }),
      Fail: m.args(text).handle((_call, message) => {
        throw new HubError(message);
      }),
      Crash: m.handle(async () => {
        await Promise.resolve();
        throw new Error("a secret of the server");
      }),
      Doctors: m.allow(doctors).handle(() => "open"),
      Wait: m.args(text, anything).handle(async (call, name, value) => {
        hooks.running(1);
        call.signal.addEventListener("abort", hooks.aborted);
        await hooks.gate(name);
        hooks.running(-1);
        return value;
      }),
      Join: m.args(text).handle((call, name) => call.groups.join(room({ room: name }))),
      Leave: m.args(text).handle((call, name) => call.groups.leave(room({ room: name }))),
      TellRoom: m.args(text, text).handle((call, name, what) => call.to(room({ room: name })).emit("said", what)),
      TellRoomButMe: m.args(text, text).handle((call, name, what) =>
        call
          .to(room({ room: name }))
          .except(call.connectionId)
          .emit("said", what),
      ),
      TellAll: m.args(text).handle((call, what) => call.toAll().emit("said", what)),
      TellOthers: m.args(text).handle((call, what) => call.toOthers().emit("said", what)),
      TellMe: m.args(text).handle((call, what) => call.toCaller().emit("said", what)),
      TellPrincipal: m
        .args(text, text)
        .handle((call, subject, what) => call.toPrincipal({ subject }).emit("said", what)),
      ShowMe: m.args(anything).handle((call, value) => call.toCaller().emit("valued", value)),
      Done: m.handle((call) => call.toAll().emit("done")),
    }));

  return {
    app,
    tellRoom: (name, said) => app.to(room({ room: name })).emit("said", said),
    tellHub: (said) => hub.toAll().emit("said", said),
  };
}
