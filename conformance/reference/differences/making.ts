/** Kinds of differences that many runs show. */

import type { Difference } from "../compare.js";

export const ALL = /./;
export const CLOSE_1000 = /^(\w+)< \(close frame 1000 ""\)$/;
export const NOTHING = "ada< (nothing came)";
export const STOPPED = "# the script cannot go on";
export const CLOSED_JSON = /^(\w+)< \{"allowReconnect":true,"error":"Connection closed with an error\.[^}]*\}$/;
const CLOSED_PACKED = /^(\w+)< \[7,"Connection closed with an error\.[^\]]*\](?: [\da-f]+)?$/;

/** A WebSocket that ends with the catalogue's code and reason in the place of 1000 and none. */
export function endsWith(script: string, runs: Difference["runs"], reason: string, code: number): Difference {
  return { script, runs, reference: CLOSE_1000, hubward: `$1< (close frame ${code} "${reason}")`, why: "closeReason" };
}

/** A Close for what is no message. `runs` are of one encoding. */
export function closesWith(
  script: string,
  runs: readonly string[],
  reason: string,
  code: number,
): readonly Difference[] {
  const isPacked = runs.every((run) => run.endsWith("[MessagePack]"));
  return [
    isPacked
      ? { script, runs, reference: CLOSED_PACKED, hubward: `$1< [7,"${reason}"]`, why: "noRetry" }
      : { script, runs, reference: CLOSED_JSON, hubward: `$1< {"error":"${reason}","type":7}`, why: "noRetry" },
    endsWith(script, runs, reason, code),
  ];
}

const BAD_REQUEST = "bad_request;action=fix-request";

/** A connection that is ended over what .NET lets pass. */
export function refuses(
  script: string,
  runs: readonly string[],
  reference: string | RegExp,
  why: Difference["why"],
): Difference {
  const isPacked = runs.some((run) => run.endsWith("[MessagePack]"));
  const close = isPacked ? `ada< [7,"${BAD_REQUEST}"]` : `ada< {"error":"${BAD_REQUEST}","type":7}`;
  const hubward = [close, `ada< (close frame 4400 "${BAD_REQUEST}")`, STOPPED];
  return { script, runs, reference, hubward, isLast: true, why };
}
