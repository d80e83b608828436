/** The first message of a connection. */

import type { Difference } from "../compare.js";
import { closesWith, endsWith, NOTHING, STOPPED } from "./making.js";

const script = "handshake";

export const handshake: readonly Difference[] = [
  ...(
    [
      [
        "protocol_not_supported;action=fix-request",
        4406,
        /^(?:an unknown protocol|an empty protocol|a version that is too high(?: \[MessagePack\])?)$/,
      ],
      [
        "bad_request;action=fix-request",
        4400,
        /^(?:a version that is no (?:whole )?number|no version|a protocol that is no text|no object|no JSON|the separator only)$/,
      ],
      ["handshake_required;action=fix-request", 4400, /^(?:no protocol|no field at all|an invocation first)$/],
      [
        "handshake_timeout;action=retry-after",
        4408,
        /^(?:an invocation in MessagePack first.*|nothing|half of one, then nothing)$/,
      ],
      ["malformed_unicode;action=fix-request", 4400, /^bytes that are no UTF-8$/],
      ["message_too_big;action=fix-request", 1009, /^larger than a message may be/],
    ] as const
  ).map(([reason, code, runs]) => endsWith(script, runs, reason, code)),
  {
    script,
    runs: ["a protocol that the hub does not speak"],
    reference: /^ada< \{"error":"The protocol 'messagepack' is not supported\."\}$/,
    hubward: ["ada< {}", NOTHING, STOPPED],
    isLast: true,
    why: "encodings",
  },
  {
    script,
    runs: ["an empty protocol"],
    reference: /The protocol '' is/,
    hubward: "The protocol '?' is",
    why: "quotedName",
  },
  {
    script,
    runs: ["a negative version"],
    reference: "ada< {}",
    hubward: [
      `ada< {"error":"The server does not support version -1 of the 'json' protocol."}`,
      'ada< (close frame 4406 "protocol_not_supported;action=fix-request")',
      STOPPED,
    ],
    why: "negativeVersion",
  },
  {
    script,
    runs: ["bytes behind the JSON object are not looked at"],
    reference: "ada< {}",
    hubward: [
      'ada< {"error":"An unexpected error occurred during connection handshake."}',
      'ada< (close frame 4400 "bad_request;action=fix-request")',
      STOPPED,
    ],
    why: "behindObject",
  },
  ...closesWith(
    script,
    ["a message that is too large behind it, in the same payload"],
    "message_too_big;action=fix-request",
    1009,
  ),
];
