/** Where Hubward means to differ from ASP.NET Core, and why. A difference that no longer occurs fails, too. */

import type { Difference } from "./compare.js";

const ALL = /./;
const CLOSE_1000 = 'ada< (close frame 1000 "")';
const STOPPED = "# the script cannot go on";
const CLOSED_JSON = /^ada< \{"allowReconnect":true,"error":"Connection closed with an error\.[^}]*\}$/;
const CLOSED_PACKED = /^ada< \[7,"Connection closed with an error\.[^\]]*\](?: [\da-f]+)?$/;

const SPOKEN =
  "what a peer did wrong is named by the catalogue's reason, in Close and in the close frame, and is told before any retry";
const NOT_READ = "a peer that sends what is no message is not told to come back: it would send it again";

/** A Close with a reason of the catalogue in the place of .NET's one sentence. `runs` are of one encoding. */
function closesWith(script: string, runs: readonly string[], why: string, code: number): readonly Difference[] {
  const isPacked = runs.every((run) => run.endsWith("[MessagePack]"));
  return [
    isPacked
      ? { script, runs, reference: CLOSED_PACKED, hubward: `ada< [7,"${why}"]`, reason: NOT_READ }
      : { script, runs, reference: CLOSED_JSON, hubward: `ada< {"error":"${why}","type":7}`, reason: NOT_READ },
    { script, runs, reference: CLOSE_1000, hubward: `ada< (close frame ${code} "${why}")`, reason: SPOKEN },
  ];
}

const negotiating: readonly Difference[] = [
  {
    script: "negotiate",
    runs: ["the version twice"],
    reference: '< 200 application/json {"error":"The client requested a non-integer protocol version."}',
    hubward:
      '< 200 application/json {"availableTransports":[{"transferFormats":["Text","Binary"],"transport":"WebSockets"}],"connectionId":"<connection id 1>","negotiateVersion":0}',
    reason: "of a query parameter that is given twice the first counts; .NET joins both with a comma",
  },
  {
    script: "negotiate",
    runs: ALL,
    reference: /^< 200 application\/json \{"availableTransports"/,
    hubward: '< 200 application/json {"accessToken":"<ticket 1>","availableTransports"',
    reason: "a ticket in the place of the JWT, so that no JWT stands in a URL",
  },
  {
    script: "negotiate",
    runs: ALL,
    reference:
      /,\{"transferFormats":\["Text"\],"transport":"ServerSentEvents"\},\{"transferFormats":\["Text","Binary"\],"transport":"LongPolling"\}/,
    hubward: "",
    reason: "not yet: WebSockets only",
  },
  {
    script: "negotiate",
    runs: ALL,
    reference: /,"useStatefulReconnect":true/,
    hubward: "",
    reason: "not yet: stateful reconnect",
  },
  {
    script: "negotiate",
    runs: ["nobody"],
    nth: 2,
    reference: "< 401",
    hubward: "< 405 text/plain",
    reason: "the method is judged before the credential",
  },
  {
    script: "negotiate",
    runs: ALL,
    reference: /^< 405 text\/plain$/,
    hubward: "< 405 text/plain | allow: POST",
    reason: "RFC 9110 15.5.6: a 405 says what is allowed",
  },
  {
    script: "negotiate",
    runs: ALL,
    reference: /^< (200 application\/json|401|405)(.*)$/,
    hubward: "< $1$2 | cache-control: no-store",
    reason: "no answer of a hub is kept by a cache",
  },
];

const shakingHands: readonly Difference[] = [
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
    ] as const
  ).map(([why, code, runs]): Difference => ({
    script: "handshake",
    runs,
    reference: CLOSE_1000,
    hubward: `ada< (close frame ${code} "${why}")`,
    reason: SPOKEN,
  })),
  {
    script: "handshake",
    runs: ["an empty protocol"],
    reference: /The protocol '' is/,
    hubward: "The protocol '?' is",
    reason: "a name that is not made of letters, digits and a few signs is not repeated",
  },
  {
    script: "handshake",
    runs: ["a negative version"],
    reference: "ada< {}",
    hubward: [
      `ada< {"error":"The server does not support version -1 of the 'json' protocol."}`,
      'ada< (close frame 4406 "protocol_not_supported;action=fix-request")',
      STOPPED,
    ],
    reason: "there is no such version",
  },
  {
    script: "handshake",
    runs: ["bytes behind the JSON object are not looked at"],
    reference: "ada< {}",
    hubward: [
      'ada< {"error":"An unexpected error occurred during connection handshake."}',
      'ada< (close frame 4400 "bad_request;action=fix-request")',
      STOPPED,
    ],
    reason: "a message is one JSON object and nothing behind it",
  },
  {
    script: "handshake",
    runs: ["larger than a message may be"],
    reference: 'ada< {"error":"Handshake was canceled."}',
    hubward: ["ada< {}", "ada< (nothing came)", STOPPED],
    isLast: true,
    reason: "undecided: the handshake has a limit of its own, whatever the hub's is",
  },
  {
    script: "handshake",
    runs: ["larger than a message may be, and without an end"],
    reference: 'ada< {"error":"Handshake was canceled."}',
    hubward: ["ada< (nothing came)", STOPPED],
    isLast: true,
    reason: "undecided: the handshake has a limit of its own, whatever the hub's is",
  },
  ...closesWith(
    "handshake",
    ["a message that is too large behind it, in the same payload"],
    "message_too_big;action=fix-request",
    1009,
  ),
];

/** A connection that is ended over a call which .NET answers. */
function refusesCall(runs: readonly string[], reference: string | RegExp, reason: string): Difference {
  const isPacked = runs.some((run) => run.endsWith("[MessagePack]"));
  return {
    script: "invocations",
    runs,
    reference,
    hubward: [
      isPacked
        ? 'ada< [7,"bad_request;action=fix-request"]'
        : 'ada< {"error":"bad_request;action=fix-request","type":7}',
      'ada< (close frame 4400 "bad_request;action=fix-request")',
      STOPPED,
    ],
    isLast: true,
    reason,
  };
}

function speaks(runs: readonly string[] | RegExp, reference: RegExp, hubward: string, reason: string): Difference {
  return { script: "invocations", runs, reference, hubward, reason };
}

const calling: readonly Difference[] = [
  speaks(
    /\[MessagePack\]$/,
    /950380a231310392cc0192cc0292/,
    "950380a2313103920192 0292".replace(" ", ""),
    "whole numbers take the fewest bytes",
  ),
  speaks(
    ["values only MessagePack has"],
    /^ada< \[3,\{\},"1",3,\{"float":2\}\] .*$/,
    'ada< [3,{},"1",3,2] 950380a1310302',
    "JavaScript has one kind of number: a float without a fraction goes back as a whole number",
  ),
  speaks(
    ["whole numbers as floats [MessagePack]"],
    /^ada< \[3,\{\},"1",1,.*$/,
    'ada< [3,{},"1",3,5] 950380a1310305',
    "JavaScript has one kind of number: a float without a fraction is a whole number",
  ),
  speaks(
    ["bytes are base64 in JSON"],
    /"nobase64"/,
    '"no base64"',
    "the other server has a string here, and does not read it as base64",
  ),
  speaks(
    ["bytes are base64 in JSON [MessagePack]"],
    /^ada< .*\{"bin":"4141482f"\}.*$/,
    'ada< [3,{},"1",3,"AAH/"] 950380a13103a44141482f',
    "a text is no bytes",
  ),
  speaks(
    ["bytes are base64 in JSON [MessagePack]"],
    /^ada< .*\{"bin":"6e6f20626173653634"\}.*$/,
    'ada< [3,{},"2",3,"no base64"] 950380a13203a96e6f20626173653634',
    "a text is no bytes",
  ),
  refusesCall(
    ["JSON texts"],
    'ada< {"invocationId":"6","result":{"__proto__":{"x":1},"constructor":2},"type":3}',
    "names that reach a prototype are not read",
  ),
  {
    script: "invocations",
    runs: ["a text with half a character"],
    reference: CLOSED_JSON,
    hubward: 'ada< {"invocationId":"1","result":"\\ud800","type":3}',
    isLast: true,
    reason: "undecided: half a surrogate pair is a value like any other",
  },
  refusesCall(["an empty target"], /^ada< \{"error":"Failed to invoke ''.*$/, "a call without a target is no call"),
  speaks(
    /^(?:a HubException's text is told|another exception's text is not)/,
    /invoking 'Fail' on the server\. HubException: in lower/,
    "invoking 'fail' on the server. HubException: in lower",
    "undecided: .NET's JSON reader gives the name as declared, and so does its MessagePack reader for known names",
  ),
  speaks(
    ["another exception's text is not"],
    /^ada< \{"error":"An unexpected error occurred invoking 'Crash' on the server\.","invocationId":"2","type":3\}$/,
    `ada< {"error":"An unexpected error occurred invoking 'crash' on the server.","invocationId":"2","type":3}`,
    "undecided: the name as the caller wrote it",
  ),
  speaks(
    ["another exception's text is not [MessagePack]"],
    /^ada< \[3,\{\},"2",1,.*$/,
    `ada< [3,{},"2",1,"An unexpected error occurred invoking 'crash' on the server."]`,
    "undecided: the name as the caller wrote it",
  ),
  speaks(
    /^detailed errors/,
    /invoking 'Crash' on the server\. InvalidOperationException: a secret of the server/,
    "invoking 'Crash' on the server.",
    "not yet: detailed errors",
  ),
  speaks(
    /^detailed errors/,
    /due to an error on the server\. InvalidDataException: (?:Invocation provides|Error binding).*?\."/,
    'due to an error on the server."',
    "arguments are judged by the application's schemas, whose words are not repeated",
  ),
  speaks(
    /^detailed errors/,
    /^(ada< .*)The client attempted to invoke the streaming 'Count' method with a non-streaming invocation\./,
    "$1Failed to invoke 'Count' due to an error on the server. HubException: Method does not exist.",
    "not yet: streams",
  ),
  speaks(
    /^a method for others/,
    /Failed to invoke 'DoctorsCount' because user is unauthorized/,
    "Failed to invoke 'DoctorsCount' due to an error on the server. HubException: Method does not exist.",
    "not yet: streams",
  ),
  speaks(
    /^(?:a method for others|detailed errors)$/,
    /Failed to invoke '(?:Doctors|DoctorsAdd)' (?:because user is unauthorized|due to an error on the server\.)/,
    "forbidden",
    "refusals are told by the catalogue's reason, and nothing is read for someone who may not ask",
  ),
  ...["1", "2", "3", "4", "5"].map((id) =>
    speaks(
      ["a method for others [MessagePack]"],
      new RegExp(`^ada< \\[3,\\{\\},"${id}",1,"Failed.*$`),
      `ada< [3,{},"${id}",1,"forbidden"] 950380a13${id}01a9666f7262696464656e`,
      "refusals are told by the catalogue's reason, and nothing is read for someone who may not ask",
    ),
  ),
  speaks(
    ["detailed errors [MessagePack]"],
    /^ada< \[3,\{\},"6",1,"Failed.*$/,
    'ada< [3,{},"6",1,"forbidden"] 950380a13601a9666f7262696464656e',
    "refusals are told by the catalogue's reason",
  ),
  refusesCall(["ids"], /^ada< .*"result":"long".*$/, "ids are short"),
  refusesCall(["ids [MessagePack]"], /^ada< .*,3,"long"\].*$/, "ids are short"),
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
    reason: "null says that there is none",
  },
  {
    script: "invocations",
    runs: ["headers that are null"],
    reference: CLOSED_JSON,
    hubward: 'ada< {"invocationId":"1","result":1,"type":3}',
    isLast: true,
    reason: "null says that there are none",
  },
  refusesCall(
    ["a field twice"],
    'ada< {"invocationId":"2","result":1,"type":3}',
    "a field that is given twice is read by no two readers alike",
  ),
  speaks(
    ["a result that comes after the client said Close"],
    /^ada< \(close frame 1000 ""\)$/,
    'ada< (close frame 1000 "normal")',
    SPOKEN,
  ),
  {
    script: "invocations",
    runs: ["a result that comes after the client said Close"],
    reference: 'ada< {"invocationId":"1","result":1,"type":3}',
    hubward: [],
    reason: "undecided: what was answered but not yet written when the client said Close is not sent",
  },
  {
    script: "invocations",
    runs: ["MessagePack in text frames"],
    reference: 'ada< (close frame 1007 "")',
    hubward: [
      'ada< [7,"protocol_error;action=fix-request"]',
      'ada< (close frame 1007 "protocol_error;action=fix-request")',
    ],
    reason: SPOKEN,
  },
];

const closing: readonly Difference[] = [
  {
    script: "close",
    runs: /^the client says Close/,
    reference: CLOSE_1000,
    hubward: 'ada< (close frame 1000 "normal")',
    reason: SPOKEN,
  },
  ...[1001, 3000, 4000].map((code): Difference => ({
    script: "close",
    runs: [`the client closes the WebSocket with ${code}`],
    reference: CLOSE_1000,
    hubward: `ada< (close frame ${code} "")`,
    reason: "RFC 6455 5.5.1: the answer to a Close frame repeats its code",
  })),
  {
    script: "close",
    runs: ["the client closes the WebSocket without a code"],
    reference: CLOSE_1000,
    hubward: 'ada< (close frame without a code "")',
    reason: "undecided: .NET answers 1000, which an official test of the stock client needs",
  },
  ...closesWith(
    "close",
    [
      "no JSON",
      "no JSON, detailed errors",
      "an empty message",
      "an array",
      "null",
      "an object cut short",
      "no type",
      "a type that is no number",
      "a type that is no whole number",
      "an invocation without a target",
      "an invocation without arguments",
      "a target that is no text",
      "a target that is null",
      "arguments that are no array",
      "an id that is an object",
      "streamIds that are no array",
      "arguments that are null",
      "a stream invocation without an id",
      "a stream invocation with an empty id",
      "a stream item without an id",
      "a stream item without an item",
      "a completion without an id",
      "a completion with a result and an error",
      "a cancellation without an id",
      "an acknowledgement without a number",
      "a sequence without a number",
      "no message, detailed errors: what is missing is told",
    ],
    "bad_request;action=fix-request",
    4400,
  ),
  ...closesWith(
    "close",
    [
      "no MessagePack [MessagePack]",
      "an empty message [MessagePack]",
      "an empty array [MessagePack]",
      "no array [MessagePack]",
      "a type that is no number [MessagePack]",
      "an invocation cut short [MessagePack]",
      "an invocation whose target is null [MessagePack]",
      "an empty target [MessagePack]",
      "headers that are no map [MessagePack]",
      "no message, detailed errors [MessagePack]",
    ],
    "bad_request;action=fix-request",
    4400,
  ),
  ...closesWith(
    "close",
    ["a message that is too large", "a message that is too large and never ends"],
    "message_too_big;action=fix-request",
    1009,
  ),
  ...closesWith(
    "close",
    [
      "a length that takes more than five bytes [MessagePack]",
      "a message that is too large [MessagePack]",
      "a length that says too much [MessagePack]",
    ],
    "message_too_big;action=fix-request",
    1009,
  ),
  {
    script: "close",
    runs: /^an unknown type: nothing behind it is ever read/,
    reference: /^ada< [[{].*Connection closed with an error.*$/,
    hubward: ["ada< (nothing came)", STOPPED],
    isLast: true,
    reason: "a message of an unknown type is ignored; .NET means to, but never reads on behind it",
  },
  {
    script: "close",
    runs: ["streamIds that are null"],
    reference: CLOSED_JSON,
    hubward: ['ada< {"invocationId":"1","result":null,"type":3}', "ada< (nothing came)", STOPPED],
    isLast: true,
    reason: "null says that there are none",
  },
  {
    script: "close",
    runs: ["exactly the largest message, its separator included, and one byte more"],
    reference: CLOSED_JSON,
    hubward: ['ada< {"type":3,"invocationId":"1","result":"<x 962 times>"}', "ada< (nothing came)", STOPPED],
    isLast: true,
    reason: "undecided: the separator does not count",
  },
  {
    script: "close",
    runs: ["what is no reason to close"],
    reference: 'ada> raw {"type":1,"invocationId":"1","target":"Echo","arguments":[1]}no more JSON␞',
    hubward: [
      'ada< {"error":"bad_request;action=fix-request","type":7}',
      'ada< (close frame 4400 "bad_request;action=fix-request")',
      STOPPED,
    ],
    isLast: true,
    reason: "a message is one JSON object and nothing behind it",
  },
  {
    script: "close",
    runs: ["what is no reason to close [MessagePack]"],
    reference: /^ada< \[3,\{\},"1",1,.*$/,
    hubward: [
      'ada< [7,"bad_request;action=fix-request"]',
      'ada< (close frame 4400 "bad_request;action=fix-request")',
      STOPPED,
    ],
    isLast: true,
    reason: "arguments that are no array are no arguments",
  },
  {
    script: "close",
    runs: ["a client that falls silent over WebSockets"],
    reference: CLOSED_JSON,
    hubward: "ada< (cut without a close frame)",
    isLast: true,
    reason: "who does not answer is not talked to: the socket is reset",
  },
  {
    script: "close",
    runs: ["a client that never said a word is not waited for"],
    reference: "ada< (pings)",
    hubward: ["ada< (cut without a close frame)", STOPPED],
    isLast: true,
    reason: "silence counts from the start; .NET waits for ever for a client that never sent a ping",
  },
];

export const differences: readonly Difference[] = [...negotiating, ...shakingHands, ...calling, ...closing];
