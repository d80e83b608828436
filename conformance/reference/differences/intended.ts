/** What Hubward means to do otherwise than ASP.NET Core SignalR. docs/signalr-differences.md is this list. */

export interface Intended {
  readonly topic: "Requests" | "Handshake" | "Calls and streams" | "Asking clients" | "Closing" | "Coming back";
  readonly what: string;
  readonly aspNetCore: string;
  readonly hubward: string;
  readonly why: string;
}

type Row = readonly [what: string, aspNetCore: string, hubward: string, why: string];

function rows<Key extends string>(
  topic: Intended["topic"],
  table: Readonly<Record<Key, Row>>,
): Readonly<Record<Key, Intended>> {
  const made = Object.entries<Row>(table).map(([key, [what, aspNetCore, hubward, why]]) => [
    key,
    { topic, what, aspNetCore, hubward, why },
  ]);
  return Object.fromEntries(made) as Readonly<Record<Key, Intended>>;
}

export const intended = {
  ...rows("Requests", {
    ticket: ["negotiate", "no token in the answer", "`accessToken`: a ticket", "so that no JWT stands in a URL"],
    methodFirst: ["a wrong method without a credential", "401", "405", "the method is judged first"],
    allow: ["405", "does not say what is allowed", "`Allow`", "RFC 9110 15.5.6 asks for it"],
    noStore: [
      "caching",
      "only polls and event streams forbid it",
      "every answer but a preflight's: `no-store`",
      "a secret of one client is never another's",
    ],
    vary: ["`Vary: Origin`", "missing", "on every answer to a request", "what a page may read depends on its origin"],
    origins: [
      "a page of an origin that is not allowed",
      "is served; its browser hides the answers",
      "403 `origin_denied`",
      "CORS stops reading, not connecting and sending",
    ],
    preflight: [
      "a preflight",
      "repeats the method and the headers that were asked for",
      "lists all that hubs take, for 600 s",
      "one answer serves every request of a client",
    ],
    encodings: [
      "`SupportedProtocols` of a hub",
      "may leave MessagePack out",
      "always both",
      "there is no such setting",
    ],
    lowestVersion: ["`MinimumProtocolVersion` of a hub", "may be 1", "always 0", "there is no such setting"],
    owner: [
      "an id that belongs to another person, or to another hub",
      "works",
      "404, as for an unknown id, and nothing is touched",
      "an id that leaked must be worth nothing",
    ],
    earlySend: [
      "a send before there is a transport",
      "kept",
      "400",
      "nothing is kept for a client that may never come",
    ],
    emptyId: ["a WebSocket with `id=`", "opens a new connection", "404", "an id that says nothing is unknown"],
    pollEnd: [
      "the poll that waits when its connection is deleted",
      "gets Close with `allowReconnect`",
      "204",
      "the client ended it itself: there is nothing to tell",
    ],
    pollTime: [
      "`PollTimeout` of a hub",
      "may be set",
      "always 90 s",
      "stock clients wait 100 s, whatever the server does",
    ],
    refusalType: ["a refused WebSocket: `Content-Type`", "missing for 404", "`text/plain`", "the body is text"],
    conflictText: ["409 for a second WebSocket", "empty", "says why", "a refusal explains itself"],
    eventCache: ["an event stream's `Cache-Control`", "`no-cache,no-store`", "`no-cache, no-store`", "one spelling"],
  }),
  ...rows("Handshake", {
    quotedName: [
      "a protocol name that is no name",
      "is repeated in the error",
      "`?` in its place",
      "a peer's text must not get into logs by way of errors",
    ],
    negativeVersion: ["a negative version", "accepted", "not supported", "there is no such version"],
  }),
  ...rows("Calls and streams", {
    gateFirst: [
      "a call that is refused",
      "arguments are bound first; `… because user is unauthorized`",
      "asked first; `forbidden`, or another of the catalogue",
      "nothing is read for someone who may not ask, and a reason can be acted upon",
    ],
    schemaText: [
      "arguments or items of the wrong kind, with detailed errors",
      "the deserializer's words",
      "no more than without",
      "the application's schemas judge them, and their words may quote the input",
    ],
    errorName: [
      "the kind of an error, with detailed errors",
      "the exception's .NET type",
      "the error's `name`",
      "they are other errors",
    ],
    methodName: [
      "the name in an error's text, over MessagePack",
      "sometimes as the caller wrote it",
      "as declared, as .NET's JSON has it",
      "one text for both encodings",
    ],
    shortIntegers: [
      "whole numbers in MessagePack",
      "sometimes longer than need be",
      "the shortest form",
      "less to send",
    ],
    floats: [
      "a float without a fraction in MessagePack",
      "is no whole number",
      "is one",
      "JavaScript has one kind of number",
    ],
    bytesAsText: [
      "a text where bytes are expected",
      "JSON: base64; MessagePack: its bytes",
      "what the method's schema makes of it",
      "in JavaScript a text is no bytes",
    ],
    prototype: [
      "a member called `__proto__`",
      "a member like any other",
      "the connection is closed",
      "it reaches the prototype of objects it is copied to",
    ],
    longId: ["an id of 2000 characters", "accepted", "the connection is closed", "ids are repeated: at most 64 bytes"],
    nulls: [
      "null for an id, headers or stream ids in JSON",
      "the connection is closed",
      "as if it were missing",
      "null says that there is none; MessagePack has no other way",
    ],
    duplicates: [
      "a field twice in JSON",
      "the last counts",
      "the connection is closed",
      "two readers may take two different ones",
    ],
    emptyTarget: [
      "an empty method name in MessagePack",
      "the connection is closed",
      "the call fails, as in JSON: no such method",
      "a slip in one call should not cost the connection",
    ],
    behindObject: [
      "bytes behind the JSON object of a message",
      "ignored",
      "the connection is closed",
      "two readers must not see two messages in one",
    ],
    noArguments: [
      "`arguments` that are no array in MessagePack",
      "the call fails",
      "the connection is closed, as in JSON",
      "one rule for both encodings",
    ],
    unknownType: [
      "a message of an unknown type",
      "nothing behind it is ever read",
      "ignored",
      "the protocol's next version may add one",
    ],
    separator: [
      "the size of a JSON message",
      "its separator counts",
      "the message alone counts",
      "one limit for both encodings: MessagePack's prefix does not count either",
    ],
  }),
  ...rows("Asking clients", {
    askErrors: [
      "what the method catches",
      "`HubException`, `IOException`, `InvalidOperationException`",
      "`ClientError` for the client's own words, else a `HubwardError` with its reason",
      "code asks for a reason, not for a text",
    ],
    askHidden: [
      "what the caller hears when the method does not catch it",
      "the words of the client that was asked, or of the deserializer",
      "that the call failed",
      "the client that was asked may be another's",
    ],
    takenOver: [
      "the id of a client's stream that is in use",
      "goes to the newer call, and the older one waits for ever",
      "goes to the newer call, and the older one's stream ends with an error",
      "its method would wait for ever, too",
    ],
    impostor: [
      "an answer to a question that another was asked",
      "closes the connection",
      "ignored, like any that nobody waits for",
      "ids are counted per connection: it is not known to be another's",
    ],
  }),
  ...rows("Closing", {
    closeReason: [
      "the reason of a close",
      "one sentence; WebSocket code 1000, no reason",
      "`name;action=…` in Close and in the close frame, with a code of its own (to .NET and Java clients 1000)",
      "clients can tell what to do: sign in again, wait, give up",
    ],
    noRetry: [
      "Close for what is no message",
      "`allowReconnect`",
      "without",
      "a client that comes back would send it again",
    ],
    closedCode: [
      "a WebSocket closed by the client with 1001, 3000 or 4000",
      "answered with 1000",
      "answered with the same",
      "RFC 6455 5.5.1: the answer repeats the code",
    ],
    falseLeftOut: [
      "`allowReconnect` false in MessagePack",
      "written",
      "left out",
      "it is optional, and missing means false",
    ],
    hookFailure: [
      "a `connected` hook that fails",
      "one sentence, with a HubException's text; no `allowReconnect`",
      "`internal_error`, `allowReconnect`",
      "what fails once may work later, and texts are for the log",
    ],
    expiry: [
      "a credential that expires",
      "only if it is switched on; Close without an error",
      "always: a notice `expiring`, then `token_expired;action=refresh`",
      "that is what an expiry is for",
    ],
    departure: [
      "why a connection ended, in the hook",
      "an exception, or null",
      "the reason's name",
      "code asks for a reason, not for a text",
    ],
    silence: [
      "a client that falls silent",
      "Close, then the transport ends",
      "the transport is cut",
      "who does not answer is not talked to",
    ],
    neverSpoke: [
      "a client that never sent a ping",
      "is waited for for ever",
      "its silence counts from the start",
      "a dead client should not keep its place",
    ],
  }),
  ...rows("Coming back", {
    beforeSequence: [
      "what a client sends before its Sequence, after coming back",
      "is handled",
      "is dropped",
      "it has no number yet: taken now, it might be taken twice",
    ],
  }),
} as const satisfies Readonly<Record<string, Intended>>;

export type IntendedName = keyof typeof intended;
