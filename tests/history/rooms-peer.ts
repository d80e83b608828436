/** A client of the ward by the rooms protocol: what another asks of the hub, it asks of the rooms, where they have it. */

import type { FrameKind, Stamp } from "./history.js";
import { Peer, type PeerSetup } from "./peer.js";
import { CONTROL_PREFIX, type ServerMessage } from "./server-frames.js";

const decoder = new TextDecoder();

export class RoomsPeer extends Peer {
  readonly #entered: (connectionId: string | undefined) => void;
  #hasEntered = false;

  /** `entered` hears the server's id of the connection; undefined where it was sent away. */
  constructor(setup: PeerSetup, entered: (connectionId: string | undefined) => void) {
    super(setup);
    this.#entered = entered;
  }

  override call(target: string, args: readonly unknown[] = [], settled?: (message: ServerMessage) => void): void {
    const id = this.nextId(target, settled);
    this.sendText(JSON.stringify({ id, ...requestOf(target, args) }));
  }

  /** Each payload is one frame. */
  override hears(payload: Uint8Array): void {
    const frame = JSON.parse(decoder.decode(payload)) as ServerMessage;
    const kind = kindOf(frame);
    if (!this.#hasEntered) {
      this.#hasEntered = true;
      this.#entered(kind === "handshake" ? String(frame["connection_id"]) : undefined);
    }
    this.history.record({ type: "delivery", connection: this.name, frame: kind, stamp: stampOf(frame) });
    if (kind === "handshake") this.attached();
    else if (frame["type"] === "error") this.complete(String(frame["id"]), { error: frame["reason"] });
    else if ("id" in frame) this.complete(String(frame["id"]), frame);
  }
}

function requestOf(target: string, [first]: readonly unknown[]): ServerMessage {
  const room = `ward/${String(first)}`;
  switch (target) {
    case "hubward.notices":
      return { type: "notices" };
    case "hubward.reauthenticate":
      return { type: "auth", token: first };
    case "Join":
      return { type: "join", room };
    case "Leave":
      return { type: "leave", room };
    case "Tell":
      return { type: "publish", event: "Tell", room, payload: null };
    case "Order": {
      // What is sent once over the hub may be sent once over a room, too: these are two commands.
      const command = `${String(first)} in a room`;
      return { type: "publish", event: "Order", room: "ward/icu", payload: command, command };
    }
    default:
      return { type: "who", room: "ward/icu" };
  }
}

/** What a frame is to an oracle. */
function kindOf({ type, id }: ServerMessage): FrameKind {
  switch (type) {
    case "ready":
      return "handshake";
    case "message":
      return "event";
    case "ack":
      return String(id).startsWith(CONTROL_PREFIX) ? "control" : "result";
    case "closing":
      return "close";
    default:
      return "control";
  }
}

function stampOf({ type, payload }: ServerMessage): Stamp | undefined {
  return type === "message" && typeof payload === "object" && payload !== null ? (payload as Stamp) : undefined;
}
