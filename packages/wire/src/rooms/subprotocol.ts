/**
 * Which dialect a client's handshake asks for.
 *
 * @see RFC 6455 4.1 and 11.3.4 (Sec-WebSocket-Protocol); docs/rooms-protocol.md
 */

import { roomsCodecs } from "./codecs.js";
import type { RoomsCodec } from "./messages.js";

/** A client that offered nothing must be told nothing: with an answer it did not ask for it fails the handshake. */
const unnamedJson: RoomsCodec = { ...roomsCodecs.json, subprotocol: undefined };

/**
 * The first of those offered that is spoken here; `subprotocol` of the codec is what the answer says, or undefined.
 * "unsupported" where a client offers only others.
 * @param offered the header's value, several of them joined by commas; undefined where there was none
 */
export function chooseSubprotocol(offered: string | undefined, hasChatDialect: boolean): RoomsCodec | "unsupported" {
  let isOffer = false;
  for (const part of (offered ?? "").split(",")) {
    const name = part.trim();
    if (name === "") continue;
    isOffer = true;
    if (name === roomsCodecs.json.subprotocol) return roomsCodecs.json;
    if (name === roomsCodecs.messagepack.subprotocol) return roomsCodecs.messagepack;
  }
  if (isOffer) return "unsupported";
  return hasChatDialect ? roomsCodecs.chat : unnamedJson;
}
