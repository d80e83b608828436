/** How rooms say things: frames in one encoding, each a WebSocket message of its own. */

import {
  frameHeaders,
  roomsCodecs,
  writeRoomName,
  type ReasonName,
  type RoomsCodec,
  type RoomsFrame,
} from "@hubward/wire";
import type { Dialect } from "../core/publication.js";

export interface RoomsDialect extends Dialect {
  readonly codec: RoomsCodec;
  /** One frame, WebSocket header included; undefined where the dialect has no form for it. */
  render(frame: RoomsFrame): Uint8Array | undefined;
  /** The last words. */
  farewell(reason: ReasonName): Uint8Array;
}

function createDialect(codec: RoomsCodec): RoomsDialect {
  const header = frameHeaders[codec.opcode];
  const render = (frame: RoomsFrame): Uint8Array | undefined => codec.encode(frame, header);
  return {
    name: codec.name,
    codec,
    render,
    renderEvent: (event, args, place) =>
      render({ type: "message", room: place && writeRoomName(place.template.pattern, place.values), event, args }),
    farewell: (reason) => render({ type: "closing", error: { reason } }) ?? new Uint8Array(0),
  };
}

const dialects: Readonly<Record<RoomsCodec["name"], RoomsDialect>> = {
  "rooms-json": createDialect(roomsCodecs.json),
  "rooms-messagepack": createDialect(roomsCodecs.messagepack),
  chat: createDialect(roomsCodecs.chat),
};

/** One for each encoding, whatever subprotocol its clients named: publications are rendered once per dialect. */
export function dialectOf({ name }: Pick<RoomsCodec, "name">): RoomsDialect {
  return dialects[name];
}
