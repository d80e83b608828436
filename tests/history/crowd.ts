/** Thousands of members of a ward, held by processes of their own; what reaches them is read off the server's sockets. */

import { fork, type ChildProcess } from "node:child_process";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { attach } from "@hubward/server/node";
import type { ConnectionId } from "@hubward/server/ports";
import { listen, shut } from "../support/server.js";
import type { CredentialFacts, History } from "./history.js";
import { recordWrites } from "./recorded-writes.js";
import { CONTROL_PREFIX, type ServerMessage } from "./server-frames.js";
import { createWardApp, HUB, type WardApp } from "./ward-app.js";

export interface CrowdMember {
  readonly number: number;
  readonly name: string;
  /** The one it came with, or the last that was taken. */
  credential: CredentialFacts;
  /** It has entered and has not been seen to end. */
  isThere: boolean;
}

export interface Crowd {
  readonly ward: WardApp;
  readonly directory: Map<string, readonly string[]>;
  /** All that have entered and have not ended, in no order. */
  readonly members: readonly CrowdMember[];
  idOf(name: string): ConnectionId;
  /** Resolves when it is in, or was refused or ended on its way. */
  enter(credential: CredentialFacts): Promise<void>;
  call(member: CrowdMember, target: string, ...args: readonly unknown[]): void;
  reauthenticate(member: CrowdMember, credential: CredentialFacts): void;
  /** Does not read for so long; for ever without it. */
  stall(member: CrowdMember, forMs?: number): void;
  leave(member: CrowdMember, isClean: boolean): void;
  close(): Promise<void>;
}

type Report =
  | {
      readonly type: "opened";
      readonly number: number;
      readonly connectionId: ConnectionId;
      readonly localPort: number;
    }
  | { readonly type: "entered"; readonly number: number }
  | { readonly type: "ended" | "failed"; readonly number: number; readonly how: string };

interface Entering extends CrowdMember {
  entered(): void;
}

/** @param processes how many hold the clients */
export async function startCrowd(
  history: History,
  { processes, clientTimeoutMs }: { readonly processes: number; readonly clientTimeoutMs: number },
): Promise<Crowd> {
  const issued = new Map<string, CredentialFacts>();
  /** New credentials, by the call that brings them. */
  const presented = new Map<string, CredentialFacts>();
  const directory = new Map<string, readonly string[]>();
  const names = new Map<string, string>();
  const ids = new Map<string, ConnectionId>();
  const byPort = new Map<number, string>();
  const known = new Map<number, Entering>();
  const members: Entering[] = [];
  const places = new Map<Entering, number>();
  let count = 0;

  const nameOf = (id: string): string => names.get(id) ?? id;
  const ward = createWardApp(
    { history, nameOf, issued, directory, lag: () => undefined },
    { telemetry: () => undefined, clientTimeoutMs },
  );
  const server = createServer();
  attach(server, ward.app);
  server.on("connection", (socket: Socket) => recordWrites(socket, history, byPort, answered));
  const port = await listen(server);

  const path = fileURLToPath(new URL("crowd-process.mjs", import.meta.url));
  const children = Array.from({ length: processes }, () => fork(path, { execArgv: [], stdio: "inherit" }));
  for (const child of children) child.on("message", (report) => hear(report as Report));

  /** A new credential was answered: where the answer leaves the server, or what else happens meanwhile comes first. */
  function answered(connection: string, message: ServerMessage): void {
    const credential = message["type"] === 3 ? presented.get(String(message["invocationId"])) : undefined;
    if (credential === undefined) return;
    const wasTaken = !("error" in message);
    history.record({ type: wasTaken ? "renewed" : "declined", connection, credential });
    const member = known.get(Number(connection.slice(1)));
    if (wasTaken && member !== undefined) member.credential = credential;
  }

  function tell(number: number, order: object): void {
    const child = children[number % processes] as ChildProcess;
    if (child.connected) child.send({ number, ...order });
  }

  function hear(report: Report): void {
    const member = known.get(report.number);
    if (member === undefined) return;
    switch (report.type) {
      case "opened":
        names.set(report.connectionId, member.name);
        ids.set(member.name, report.connectionId);
        byPort.set(report.localPort, member.name);
        history.record({ type: "opened", connection: member.name, credential: member.credential });
        for (const each of member.credential.wards)
          history.record({ type: "joining", connection: member.name, ward: each });
        return tell(report.number, { do: "begin", wards: member.credential.wards });
      case "entered":
        member.isThere = true;
        places.set(member, members.push(member) - 1);
        return member.entered();
      case "ended":
      case "failed":
        known.delete(report.number);
        remove(member);
        return member.entered();
    }
  }

  function remove(member: Entering): void {
    member.isThere = false;
    const place = places.get(member);
    const last = members.at(-1);
    if (place === undefined || last === undefined) return;
    members[place] = last;
    places.set(last, place);
    members.pop();
    places.delete(member);
  }

  function issue(credential: CredentialFacts): string {
    const token = `eyJ-${credential.id}`;
    issued.set(token, credential);
    return token;
  }

  return {
    ward,
    directory,
    members,
    idOf(name) {
      const id = ids.get(name);
      if (id === undefined) throw new RangeError(`no connection ${name}`);
      return id;
    },
    enter(credential) {
      const number = ++count;
      return new Promise((entered) => {
        known.set(number, { number, name: `c${number}`, credential, isThere: false, entered });
        tell(number, { do: "enter", port, path: HUB, token: issue(credential) });
      });
    },
    call: ({ number }, target, ...args) => tell(number, { do: "call", target, args }),
    reauthenticate({ number, name }, credential) {
      history.record({ type: "presented", connection: name, credential });
      const id = `${CONTROL_PREFIX}${credential.id}`;
      presented.set(id, credential);
      tell(number, { do: "call", id, target: "hubward.reauthenticate", args: [issue(credential)] });
    },
    stall: ({ number }, forMs) => tell(number, { do: "stall", forMs }),
    leave: ({ number }, isClean) => tell(number, { do: "leave", isClean }),
    async close() {
      const exits = children.map((child) => new Promise((resolve) => child.once("exit", resolve)));
      for (const child of children) child.kill();
      await Promise.all(exits);
      await ward.app.close();
      await shut(server);
    },
  };
}
