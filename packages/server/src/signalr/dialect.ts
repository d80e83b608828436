/** How SignalR says things: hub messages in one encoding, framed for one transport. */

import {
  createBinaryReader,
  createTextReader,
  encodeHandshakeResponse,
  formatReason,
  frameHeaders,
  jsonCodec,
  messagePackCodec,
  messageType,
  reasons,
  renderFrame,
  type FrameHeader,
  type HubCodec,
  type HubMessage,
  type HubProtocolName,
  type MessageReader,
  type ReasonName,
  type TransferFormat,
} from "@hubward/wire";
import type { Dialect } from "../core/publication.js";

export interface SignalRDialect extends Dialect {
  readonly codec: HubCodec;
  /** The answer to a handshake that is taken, as the encoding's own kind of frame. */
  readonly welcome: Uint8Array;
  /** A ping, or undefined where the transport needs none. */
  readonly keepAlive: Uint8Array | undefined;
  /** The group is the application's own business: SignalR says events only. */
  renderEvent(event: string, args: readonly unknown[]): Uint8Array;
  createReader(maxBytes: number): MessageReader;
  /** Whole messages that are encoded already, together. */
  frame(payload: Uint8Array): Uint8Array;
  /** One hub message, transport framing included. @throws TypeError for a value the encoding has no form for */
  render(message: HubMessage): Uint8Array;
}

/** What a transport makes of messages. */
export interface TransportFraming {
  /** What it can carry. */
  readonly formats: readonly TransferFormat[];
  /** Whether silence of ours is to be broken by pings. */
  readonly needsPings: boolean;
  /** One or more whole messages, framed. */
  frame(format: TransferFormat, payload: Uint8Array): Uint8Array;
  /** Where a frame is no more than a header and the payload: the headers, so that messages are encoded behind them. */
  readonly headers?: Readonly<Record<TransferFormat, FrameHeader>> | undefined;
}

/** All encodings over one transport. */
export interface Dialects extends Readonly<Record<HubProtocolName, SignalRDialect>> {
  readonly framing: TransportFraming;
}

function createDialect(codec: HubCodec, { frame, headers, needsPings }: TransportFraming): SignalRDialect {
  const header = headers?.[codec.transferFormat];
  const render =
    header === undefined
      ? (message: HubMessage): Uint8Array => frame(codec.transferFormat, codec.encode(message))
      : (message: HubMessage): Uint8Array => codec.encode(message, header);
  return {
    name: codec.name,
    codec,
    welcome: frame(codec.transferFormat, encodeHandshakeResponse()),
    keepAlive: needsPings ? render({ type: messageType.ping }) : undefined,
    createReader: (maxBytes) =>
      codec.transferFormat === "text" ? createTextReader({ maxBytes }) : createBinaryReader({ maxBytes }),
    frame: (payload) => frame(codec.transferFormat, payload),
    render,
    renderEvent: (target, args) => render({ type: messageType.invocation, target, arguments: args }),
  };
}

/** Once for each transport: all its connections share the dialects, so publications are rendered once per dialect. */
export function createDialects(framing: TransportFraming): Dialects {
  return {
    framing,
    json: createDialect(jsonCodec, framing),
    messagepack: createDialect(messagePackCodec, framing),
  };
}

/** Over WebSockets: each message in a frame of its own. */
export const dialects: Dialects = createDialects({
  formats: ["text", "binary"],
  needsPings: true,
  frame: renderFrame,
  headers: frameHeaders,
});

/** The Close message: its error text is the only reason a stock client hands to the application. */
export function closeMessage(reason: ReasonName, text: string = formatReason(reason)): HubMessage {
  const { allowReconnect } = reasons[reason];
  return {
    type: messageType.close,
    error: reason === "normal" ? undefined : text,
    allowReconnect: allowReconnect ? true : undefined,
  };
}
