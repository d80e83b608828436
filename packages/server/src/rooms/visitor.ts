/**
 * A socket that is no connection: it is told why not and closed, or has to say who it is in its first frame. Nothing it
 * sends is done before that was judged.
 */

import { formatReason, HubwardError, reasons, type ReadLimits, type RequestId } from "@hubward/wire";
import type { BearerCredential } from "../core/auth/credential.js";
import { Secret } from "../core/auth/secret.js";
import type { Clock, Timer } from "../core/clock.js";
import type { Socket, SocketListener } from "../core/connection/socket.js";
import type { Visitor } from "../core/connection/visitors.js";
import { asHubwardError } from "../core/errors.js";
import type { RoomsDialect } from "./dialect.js";

export interface VisitorSetup {
  readonly socket: Socket;
  readonly clock: Clock;
  readonly dialect: RoomsDialect;
  readonly onClosed: () => void;
}

export interface AskedSetup extends VisitorSetup {
  readonly path: string;
  readonly timeoutMs: number;
  readonly limits: ReadLimits;
  /**
   * Judges who it says it is, and lets it in: from then on what the socket tells is for who is returned.
   * @throws (rejects with) HubwardError why not
   */
  readonly admit: (credential: BearerCredential, id: RequestId | undefined) => Promise<() => SocketListener>;
  /** It ended without being let in; not told of one that went away by itself. */
  readonly onRefused: (error: HubwardError) => void;
}

/** Says why not, at once. */
export function turnAway({ socket, dialect, onClosed }: VisitorSetup, error: HubwardError): Visiting {
  say(socket, dialect, error);
  return { ...silent, closed: onClosed, drain: () => undefined };
}

export type Visiting = SocketListener & Visitor;

/** Waits for its first frame, which must be `auth`. */
export function askWho(setup: AskedSetup): Visiting {
  const { socket, clock, dialect, path } = setup;
  let state: "asked" | "judged" | "over" = "asked";
  let next: SocketListener | undefined;
  const timer: Timer = clock.after(setup.timeoutMs, () => refuse(new HubwardError("handshake_timeout")));

  function refuse(error: HubwardError): void {
    if (state === "over") return;
    state = "over";
    timer.cancel();
    setup.onRefused(error);
    say(socket, dialect, error);
  }

  async function judge(credential: BearerCredential, id: RequestId | undefined): Promise<void> {
    try {
      const enter = await setup.admit(credential, id);
      // It broke the rules, or went away, while it was judged.
      if (state !== "judged") return;
      next = enter();
      state = "over";
      setup.onClosed();
    } catch (error) {
      refuse(asHubwardError(error));
    }
  }

  function read(data: Uint8Array): void {
    // Who cannot wait for the answer would have had it done before it was known who asks.
    if (state === "judged") throw new HubwardError("handshake_required");
    const request = dialect.codec.decode(data, setup.limits);
    if (request.type !== "auth") throw new HubwardError("handshake_required");
    state = "judged";
    timer.cancel();
    const bearer = { kind: "bearer", token: new Secret(request.token), source: "message" } as const;
    const { proof } = request;
    const dpop = proof === undefined ? undefined : { proof: new Secret(proof), method: "POST", path: `${path}/ticket` };
    void judge({ ...bearer, dpop }, request.id);
  }

  return {
    received(data) {
      if (next !== undefined) return next.received(data);
      if (state === "over") return;
      try {
        read(data);
      } catch (error) {
        refuse(asHubwardError(error));
      }
    },
    confirmed: () => next?.confirmed(),
    drained: () => next?.drained(),
    failed() {
      if (next !== undefined) return next.failed();
      refuse(new HubwardError("protocol_error"));
    },
    closed(wasClean) {
      timer.cancel();
      state = "over";
      if (next !== undefined) return next.closed(wasClean);
      setup.onClosed();
    },
    drain: () => refuse(new HubwardError("going_away")),
  };
}

function say(socket: Socket, dialect: RoomsDialect, error: HubwardError): void {
  const { reason, retryAfterSeconds } = error;
  const words = dialect.render({ type: "closing", error }) ?? new Uint8Array(0);
  socket.close(words, reasons[reason].closeCode ?? 1011, formatReason(reason, { retryAfterSeconds }));
}

const silent = {
  received: (): void => undefined,
  confirmed: (): void => undefined,
  drained: (): void => undefined,
  failed: (): void => undefined,
};
