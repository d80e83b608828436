/** The wire formats of Hubward: SignalR's hub protocol in both directions, the rooms protocol, and the catalogue of reasons. */

export { formatReason, HubwardError, isReasonName, parseReason, reasons } from "./reasons.js";
export type {
  HubwardErrorOptions,
  ParsedReason,
  ReasonAction,
  ReasonEntry,
  ReasonName,
  ReasonParameters,
} from "./reasons.js";

export { NOTICE_TARGET, NOTICES_TARGET, REAUTHENTICATE_TARGET, RESERVED_PREFIX } from "./notices.js";
export type { Notice } from "./notices.js";

export { decodeLimitDefaults, messageType } from "./signalr/messages.js";
export type {
  AckMessage,
  CancelInvocationMessage,
  CloseMessage,
  CompletionMessage,
  CompletionOutcome,
  DecodeLimits,
  HubCodec,
  HubMessage,
  InvocationMessage,
  MessageHeaders,
  PingMessage,
  SequenceMessage,
  StreamInvocationMessage,
  StreamItemMessage,
} from "./signalr/messages.js";

export { jsonCodec } from "./signalr/json-codec.js";
export { messagePackCodec } from "./signalr/messagepack-codec.js";

export { createBinaryReader, createTextReader, frameBinary, frameText, RECORD_SEPARATOR } from "./signalr/framing.js";
export type { MessageReader, MessageReaderOptions } from "./signalr/framing.js";

export {
  encodeHandshakeRequest,
  encodeHandshakeResponse,
  handshakeErrors,
  handshakeLimits,
  judgeHandshake,
  maxProtocolVersion,
  readHandshakeRequest,
  readHandshakeResponse,
} from "./signalr/handshake.js";
export type {
  HandshakeRead,
  HandshakeRequest,
  HandshakeResponse,
  HandshakeVerdict,
  HubProtocolName,
  TransferFormat,
} from "./signalr/handshake.js";

export { allTransports, negotiateBody, parseNegotiateVersion } from "./signalr/negotiation.js";
export type {
  AvailableTransport,
  NegotiatedConnectionV0,
  NegotiatedConnectionV1,
  NegotiateFailure,
  NegotiateRedirect,
  NegotiateResponse,
  NegotiateVersion,
  NegotiateVersionResult,
  TransferFormatName,
  TransportName,
} from "./signalr/negotiation.js";
export { negotiateLimits, parseNegotiateResponse } from "./signalr/negotiation-reader.js";

export type { ReadLimits } from "./encoding/limits.js";

export { chooseSubprotocol } from "./rooms/subprotocol.js";
export { roomsCodecs } from "./rooms/codecs.js";
export { roomsLimitDefaults } from "./rooms/messages.js";
export { maxRoomNameBytes, parseRoomName, writeRoomName } from "./rooms/room-name.js";
export type {
  MalformedRequest,
  Refusal,
  RequestId,
  RequestType,
  RoomsCodec,
  RoomsFrame,
  RoomsNotice,
  RoomsRequest,
} from "./rooms/messages.js";

export { frameHeaders, isSendableCloseCode, renderClose, renderFrame, renderPing } from "./websocket/frame.js";
export type { FrameHeader } from "./websocket/frame.js";
