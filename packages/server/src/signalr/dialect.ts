/** How SignalR says things over WebSockets: hub messages in one encoding, each in a frame of its own. */

import {
  createBinaryReader,
  createTextReader,
  formatReason,
  jsonCodec,
  messagePackCodec,
  messageType,
  reasons,
  renderFrame,
  type HubCodec,
  type HubMessage,
  type HubProtocolName,
  type MessageReader,
  type ReasonName,
} from "@hubward/wire";
import type { Dialect } from "../core/publication.js";

export interface SignalRDialect extends Dialect {
  readonly codec: HubCodec;
  readonly keepAlive: Uint8Array;
  createReader(maxBytes: number): MessageReader;
  /** One hub message, in a WebSocket frame. @throws TypeError for a value the encoding has no form for */
  render(message: HubMessage): Uint8Array;
}

function createDialect(codec: HubCodec): SignalRDialect {
  const render = (message: HubMessage): Uint8Array => renderFrame(codec.transferFormat, codec.encode(message));
  return {
    name: codec.name,
    codec,
    keepAlive: render({ type: messageType.ping }),
    createReader: (maxBytes) =>
      codec.transferFormat === "text" ? createTextReader({ maxBytes }) : createBinaryReader({ maxBytes }),
    render,
    renderEvent: (target, args) => render({ type: messageType.invocation, target, arguments: args }),
  };
}

/** One object for each, shared by all connections: publications are rendered once per dialect. */
export const dialects: Readonly<Record<HubProtocolName, SignalRDialect>> = {
  json: createDialect(jsonCodec),
  messagepack: createDialect(messagePackCodec),
};

/** The Close message: its error text is the only reason a stock client hands to the application. */
export function renderClose(
  dialect: SignalRDialect,
  reason: ReasonName,
  text: string = formatReason(reason),
): Uint8Array {
  const { allowReconnect } = reasons[reason];
  return dialect.render({
    type: messageType.close,
    error: reason === "normal" ? undefined : text,
    allowReconnect: allowReconnect ? true : undefined,
  });
}
