/** Calls, streams, events, and questions to clients. */

import type { Difference } from "../compare.js";
import { CLOSED_JSON, closesWith, endsWith, NOTHING, refuses, STOPPED } from "./making.js";

/** Runs in which somebody calls what is not for him. */
const REFUSED = /^(?:a method for others|detailed errors|refused|the wrong mode: a stream as an invocation)$/;
const REFUSED_PACKED = new RegExp(`${REFUSED.source.slice(0, -1)} \\[MessagePack\\]$`);

function answers(runs: Difference["runs"], reference: RegExp, hubward: string, why: Difference["why"]): Difference {
  return { script: "invocations", runs, reference, hubward, why };
}

const calling: readonly Difference[] = [
  answers(/\[MessagePack\]$/, /950380a231310392cc0192cc0292/, "950380a23131039201920292", "shortIntegers"),
  answers(
    ["values only MessagePack has"],
    /^ada< \[3,\{\},"1",3,\{"float":2\}\] .*$/,
    'ada< [3,{},"1",3,2] 950380a1310302',
    "floats",
  ),
  answers(
    ["whole numbers as floats [MessagePack]"],
    /^ada< \[3,\{\},"1",1,.*$/,
    'ada< [3,{},"1",3,5] 950380a1310305',
    "floats",
  ),
  answers(["bytes are base64 in JSON"], /"nobase64"/, '"no base64"', "bytesAsText"),
  answers(
    ["bytes are base64 in JSON [MessagePack]"],
    /^ada< .*\{"bin":"4141482f"\}.*$/,
    'ada< [3,{},"1",3,"AAH/"] 950380a13103a44141482f',
    "bytesAsText",
  ),
  answers(
    ["bytes are base64 in JSON [MessagePack]"],
    /^ada< .*\{"bin":"6e6f20626173653634"\}.*$/,
    'ada< [3,{},"2",3,"no base64"] 950380a13203a96e6f20626173653634',
    "bytesAsText",
  ),
  refuses(
    "invocations",
    ["JSON texts"],
    'ada< {"invocationId":"6","result":{"__proto__":{"x":1},"constructor":2},"type":3}',
    "prototype",
  ),
  ...closesWith("invocations", ["a text with half a character"], "malformed_unicode;action=fix-request", 4400),
  {
    script: "close",
    runs: ["an empty target [MessagePack]"],
    reference: /^ada< \[7,"Connection closed.*$/,
    hubward: [
      `ada< [3,{},"1",1,"Failed to invoke '' due to an error on the server. HubException: Method does not exist."]`,
      NOTHING,
      STOPPED,
    ],
    isLast: true,
    why: "emptyTarget",
  },
  {
    script: /^(?:invocations|streams)$/,
    runs: /^detailed errors/,
    reference: /InvalidOperationException: a secret/,
    hubward: "Error: a secret",
    why: "errorName",
  },
  {
    script: "streams",
    runs: /\[MessagePack\]$/,
    reference: /invoking 'failbeforestream'/,
    hubward: "invoking 'FailBeforeStream'",
    why: "methodName",
  },
  {
    script: "streams",
    runs: ["the wrong mode: no stream [MessagePack]"],
    reference: /non-streaming 'echo' method/,
    hubward: "non-streaming 'Echo' method",
    why: "methodName",
  },
  answers(
    /^detailed errors/,
    /due to an error on the server\. InvalidDataException: (?:Invocation provides|Error binding).*?\."/,
    'due to an error on the server."',
    "schemaText",
  ),
  {
    script: "uploads",
    runs: /^an item of the wrong kind, detailed errors/,
    reference: /Failed to bind Stream message\. .*?"(?=[,}\]])/,
    hubward: 'Failed to bind Stream message."',
    why: "schemaText",
  },
  {
    script: /^(?:invocations|streams)$/,
    runs: REFUSED,
    reference:
      /"Failed to invoke '(?:Doctors\w*)' (?:because user is unauthorized|due to an error on the server\.)[^"]*"/,
    hubward: '"forbidden"',
    why: "gateFirst",
  },
  ...["1", "2", "3", "4", "5", "6"].map((id): Difference => ({
    script: /^(?:invocations|streams)$/,
    runs: REFUSED_PACKED,
    reference: new RegExp(`^ada< \\[3,\\{\\},"${id}",1,"Failed to invoke 'Doctors.*$`),
    hubward: `ada< [3,{},"${id}",1,"forbidden"] 950380a13${id}01a9666f7262696464656e`,
    why: "gateFirst",
  })),
  refuses("invocations", ["ids"], /^ada< .*"result":"long".*$/, "longId"),
  refuses("invocations", ["ids [MessagePack]"], /^ada< .*,3,"long"\].*$/, "longId"),
  ...closesWith(
    "invocations",
    ["ids that are no text", "a header that is no text", "headers that are no object"],
    "bad_request;action=fix-request",
    4400,
  ),
  {
    script: "invocations",
    runs: ["an id that is null"],
    reference: CLOSED_JSON,
    hubward: [],
    isLast: true,
    why: "nulls",
  },
  {
    script: "invocations",
    runs: ["headers that are null"],
    reference: CLOSED_JSON,
    hubward: 'ada< {"invocationId":"1","result":1,"type":3}',
    isLast: true,
    why: "nulls",
  },
  refuses("invocations", ["a field twice"], 'ada< {"invocationId":"2","result":1,"type":3}', "duplicates"),
  endsWith("invocations", ["a result that comes after the client said Close"], "normal", 1000),
  {
    script: "invocations",
    runs: ["MessagePack in text frames"],
    reference: 'ada< (close frame 1007 "")',
    hubward: [
      'ada< [7,"protocol_error;action=fix-request"]',
      'ada< (close frame 1007 "protocol_error;action=fix-request")',
    ],
    why: "closeReason",
  },
];

const leaving: readonly Difference[] = [
  ...closesWith("events", ["said in OnDisconnected"], "bad_request;action=fix-request", 4400).slice(0, 1),
  {
    script: "events",
    runs: ["said in OnDisconnected"],
    nth: 1,
    reference: 'dan< (close frame 1000 "")',
    hubward: 'dan< (close frame 1000 "normal")',
    why: "closeReason",
  },
  {
    script: "events",
    runs: ["said in OnDisconnected"],
    reference: 'eve< (close frame 1000 "")',
    hubward: 'eve< (close frame 4400 "bad_request;action=fix-request")',
    why: "closeReason",
  },
  {
    script: "events",
    runs: ["said in OnDisconnected"],
    reference: /gone: InvalidDataException/,
    hubward: "gone: bad_request",
    why: "departure",
  },
];

const asking: readonly Difference[] = [
  ...(
    [
      [
        /^(?:no result|an answer of the wrong kind)(?: \[MessagePack\])?$/,
        /"HubException: (?:Exception of type|Error trying).*?"(?=[,}\]])/,
        `"HubwardError: bad_arguments;action=fix-request: the client's result"`,
      ],
      [["who was asked goes away"], /"IOException: .*?"(?=,)/, '"HubwardError: normal"'],
      [["nobody to ask"], /"IOException: .*?"(?=,)/, '"HubwardError: not_found;action=reconnect"'],
      [
        ["asking in OnConnected is refused"],
        /"InvalidOperationException: .*?"(?=\])/,
        '"TypeError: connected: clients cannot be asked inside this hook"',
      ],
    ] as const
  ).map(([runs, reference, hubward]): Difference => ({
    script: "client-results",
    runs,
    reference,
    hubward,
    why: "askErrors",
  })),
  {
    script: "client-results",
    runs: /that the method does not catch/,
    reference: / HubException: .*?"(?=[,}\]])/,
    hubward: '"',
    why: "askHidden",
  },
  {
    script: "uploads",
    runs: ["a stream's id that is in use goes to the newer call"],
    reference: 'ada< {"invocationId":"2","result":1,"type":3}',
    hubward: [
      `ada< {"error":"${takenOver("Sum")}","invocationId":"1","type":3}`,
      'ada< (unasked) {"invocationId":"2","result":1,"type":3}',
    ],
    why: "takenOver",
  },
  {
    script: "uploads",
    runs: ["a stream's id that is in use goes to the newer call [MessagePack]"],
    reference: /^ada< (\[3,\{\},"2",3,1\].*)$/,
    hubward: [`ada< [3,{},"1",1,"${takenOver("Sum")}"]`, "ada< (unasked) $1"],
    why: "takenOver",
  },
  {
    script: "uploads",
    runs: ["the same stream twice in one call"],
    reference: /^(ada> .*"streamIds":\["u","u"\].*)$/,
    hubward: ["$1", `ada< (unasked) {"error":"${takenOver("SumTwo")}","invocationId":"1","type":3}`],
    why: "takenOver",
  },
  {
    script: "client-results",
    runs: ["only who was asked can answer: another is shown the door"],
    reference: CLOSED_JSON,
    hubward: ["eve< (nothing came)", STOPPED],
    isLast: true,
    why: "impostor",
  },
];

export const calls: readonly Difference[] = [...calling, ...leaving, ...asking];

function takenOver(method: string): string {
  return `An unexpected error occurred invoking '${method}' on the server. HubException: The stream's id went over to a newer call.`;
}
