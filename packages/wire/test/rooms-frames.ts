/** Requests and frames of the rooms protocol for its tests: as they travel, as they are meant, and at random. */

import fc from "fast-check";
import { formatReason, reasons } from "../src/index.js";
import type { ReasonName, Refusal, RoomsFrame, RoomsRequest } from "../src/index.js";

/** An object as it travels. */
export type Wire = Readonly<Record<string, unknown>>;

/** What a frame says, read by its documentation and not by the code that writes it. Fails for anything it does not know. */
export function frameOf(wire: Wire): RoomsFrame {
  const { type, id, room, event, payload, args, members, more, joined, left, why, request } = wire;
  const told = { type, id, room, event, members, more, joined, left, why, request };
  const seconds = wire["expires_in"];
  switch (type) {
    case "ready":
      return {
        type,
        id: told.id as string,
        connectionId: wire["connection_id"] as string,
        expiresInSeconds: seconds as number,
        heartbeatSeconds: wire["heartbeat"] as number,
      };
    case "message": {
      if ("payload" in wire === "args" in wire) throw new Error("a message has a payload or args");
      return { ...told, args: "args" in wire ? args : [payload] } as RoomsFrame;
    }
    case "ack":
      return { ...told, expiresInSeconds: seconds, result: wire["result"] } as RoomsFrame;
    case "joined":
    case "left":
    case "present":
    case "presence":
    case "pong":
      return told as RoomsFrame;
    case "notice":
      return { type, notice: noticeOf(wire) } as RoomsFrame;
    case "error":
      return { ...told, error: refusalOf(wire) } as RoomsFrame;
    case "closing": {
      const error = refusalOf(wire);
      if (wire["code"] !== (reasons[error.reason].closeCode ?? 1011))
        throw new Error("another code than the catalogue's");
      return { type, error };
    }
    default:
      throw new Error(`there is no frame ${String(type)}`);
  }
}

function noticeOf(wire: Wire): Wire {
  const { notice: kind } = wire;
  switch (kind) {
    case "expiring":
    case "reauthenticated":
      return { kind, expiresInSeconds: wire["expires_in"] };
    case "expired": {
      const { reason, retryAfterSeconds } = refusalOf(wire);
      return { kind, reason: formatReason(reason, { retryAfterSeconds }), graceSeconds: wire["grace"] };
    }
    case "gap":
      return { kind, dropped: wire["dropped"], ...("rooms" in wire ? { groups: wire["rooms"] } : {}) };
    default:
      throw new Error(`there is no notice ${String(kind)}`);
  }
}

function refusalOf(wire: Wire): Refusal {
  const reason = wire["reason"] as ReasonName;
  const action = wire["action"] ?? "none";
  if (action !== reasons[reason].action) throw new Error("another action than the catalogue's");
  return {
    reason,
    retryAfterSeconds: wire["retry_after"] as number | undefined,
    detail: wire["detail"] as string | undefined,
  };
}

const text = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: "binary", minLength, maxLength });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const only = <const T>(value: T): fc.Arbitrary<T> => fc.constant(value);

const id = optional(fc.oneof(fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 64 }), fc.maxSafeNat()));
const room = text(0, 40);

/** Any request in the form in which the codecs return it. */
export function roomsRequest(payload: fc.Arbitrary<unknown>): fc.Arbitrary<RoomsRequest> {
  return fc.oneof(
    fc.record({ type: only("auth"), id, token: text(1, 80), proof: optional(text(1, 20)) }),
    fc.record({ type: fc.constantFrom("join", "leave"), id, room }),
    fc.record({
      type: only("publish"),
      id,
      room,
      event: text(1, 64),
      payload,
      command: optional(text(1, 64)),
    }),
    fc.record({ type: only("who"), id, room, follow: optional(fc.boolean()) }),
    fc.record({ type: fc.constantFrom("ping", "notices"), id }),
  );
}

const reason = fc.constantFrom(...(Object.keys(reasons) as ReasonName[]));
const retryAfterSeconds = optional(fc.integer({ min: 1, max: 86_400 }));
const refusal = fc.record({ reason, retryAfterSeconds, detail: optional(text(0, 40)) });
const amount = fc.nat();

/** Any frame in the form in which {@link frameOf} returns it. */
export function roomsFrame(value: fc.Arbitrary<unknown>): fc.Arbitrary<RoomsFrame> {
  const people = fc.array(value, { maxLength: 3 });
  const notice = fc.oneof(
    fc.record({ kind: fc.constantFrom("expiring", "reauthenticated"), expiresInSeconds: amount }),
    fc.record({
      kind: only("expired"),
      reason: fc.tuple(reason, retryAfterSeconds).map(([name, s]) => formatReason(name, { retryAfterSeconds: s })),
      graceSeconds: amount,
    }),
    fc.record({ kind: only("gap"), dropped: amount }),
    fc.record({ kind: only("gap"), dropped: amount, groups: fc.array(room, { minLength: 1, maxLength: 3 }) }),
  );
  return fc.oneof(
    fc.record({ type: only("ready"), id, connectionId: room, expiresInSeconds: amount, heartbeatSeconds: amount }),
    fc.record({ type: only("joined"), id, room }),
    fc.record({ type: only("left"), id, room, why: fc.constantFrom("asked", "removed", "lost") }),
    fc.record({
      type: only("message"),
      room: optional(room),
      event: text(0, 40),
      args: fc.array(value, { maxLength: 3 }),
    }),
    fc.record({ type: only("ack"), id, expiresInSeconds: optional(amount), result: optional(value) }),
    fc.record({ type: only("present"), id, room, members: people }),
    fc.record({ type: only("presence"), room, joined: people, left: people }),
    fc.record({ type: only("pong"), id }),
    fc.record({ type: only("notice"), notice }),
    fc.record({
      type: only("error"),
      id,
      request: fc.constantFrom(undefined, "auth", "join", "leave", "publish", "who", "ping", "notices"),
      room: optional(room),
      error: refusal,
    }),
    fc.record({ type: only("closing"), error: refusal.map((all) => ({ ...all, detail: undefined })) }),
  );
}
