/** The oracle on histories of a few lines, written by hand: what it must find, and what it must leave alone. */

import { describe, expect, test } from "vitest";
import { check, type Invariant } from "./check.js";
import type { CredentialFacts, FrameKind, Happening, HistoryEvent, Stamp, Target } from "./history.js";

/** Milliseconds since 1970 at second 0 of every history. */
const START = 1_000_000_000;

/** A line, `at` so many seconds from the start; `wall`: how far the wall clock has been stepped by then, in seconds. */
type Line = Happening & { readonly at: number; readonly wall: number };

const at = (seconds: number, happening: Happening, wall = 0): Line => ({ ...happening, at: seconds, wall });

function violationsIn(lines: readonly Line[]): readonly Invariant[] {
  const events = lines.map(({ at: seconds, wall, ...happening }, seq) => ({
    ...happening,
    seq,
    now: START + (seconds + wall) * 1_000,
    monotonic: seconds * 1_000,
  }));
  return check(events as readonly HistoryEvent[]).map(({ invariant }) => invariant);
}

/** Ada's, for a minute, with all rights. */
const ada: CredentialFacts = {
  id: "token-1",
  issuer: "https://issuer.example",
  subject: "ada",
  tenant: "general",
  sessionId: "session-1",
  clientId: "ward-page",
  keyId: "key-1",
  issuedAt: START,
  expiresAt: START + 60_000,
  wards: ["icu", "er"],
};
const adasNext: CredentialFacts = { ...ada, id: "token-2", sessionId: "session-2", expiresAt: START + 600_000 };
const c = "c1";
const owner = { tenant: "general", subject: "ada" };

const opened = (credential = ada, connection = c): Happening => ({ type: "opened", connection, credential });
const delivery = (frame: FrameKind, stamp?: Stamp): Happening => ({ type: "delivery", connection: c, frame, stamp });
const dispatch = (who: Partial<typeof owner> = {}): Happening => ({
  type: "dispatch",
  connection: c,
  method: "WhoAmI",
  ...owner,
  ...who,
});
const revoked = (target: Target, claimsChanged = false): Happening => ({
  type: "revoked",
  id: "revocation-1",
  target,
  claimsChanged,
});
const lifting: Happening = { type: "lifting", id: "revocation-1" };
const presented: Happening = { type: "presented", connection: c, credential: adasNext };
const renewed: Happening = { type: "renewed", connection: c, credential: adasNext };
const declined: Happening = { type: "declined", connection: c, credential: adasNext };
const joining = (ward: string): Happening => ({ type: "joining", connection: c, ward });
const left = (ward: string): Happening => ({ type: "left", connection: c, ward });
const vitals = (ward: string): Happening => delivery("event", { tenant: "general", ward });
const changed = (...wards: string[]): Happening => ({ type: "changed", ...owner, wards });
const rechecking = (attempt = 1): Happening => ({ type: "rechecking", ...owner, attempt });
const rechecked = (attempt = 1): Happening => ({ type: "rechecked", ...owner, attempt });
const restarted: Happening = { type: "restarted" };
const attached = (connection: string): Happening => ({ type: "attached", connection, ticket: "ticket-1" });
const effect = (command: string, subject = "ada"): Happening => ({ type: "effect", owner: subject, command });
const refreshed = (generation: number, askedAt: number): Happening => ({
  type: "refreshed",
  session: "session-1",
  generation,
  askedAt,
});

const session: Target = { type: "session", sessionId: "session-1" };

/** Each way to name Ada's connection, and one that is about somebody or something else. */
const targets: readonly (readonly [about: Target, other: Target])[] = [
  [
    { type: "token", tokenId: "token-1" },
    { type: "token", tokenId: "token-9" },
  ],
  [session, { type: "session", sessionId: "session-9" }],
  [
    { type: "client", clientId: "ward-page" },
    { type: "client", clientId: "pump" },
  ],
  [
    { type: "key", keyId: "key-1" },
    { type: "key", keyId: "key-9" },
  ],
  [
    { type: "identity", ...owner },
    { type: "identity", ...owner, tenant: "annex" },
  ],
  [
    { type: "tenant", tenant: "general" },
    { type: "tenant", tenant: "annex" },
  ],
  [
    { type: "connection", connection: c },
    { type: "connection", connection: "c9" },
  ],
  [
    { type: "issued-before", ...owner, before: START },
    { type: "issued-before", ...owner, before: START - 1 },
  ],
];

describe("I1, after a revocation was acknowledged:", () => {
  test.each(targets)("%o is found to be broken, %o is not", (about, other) => {
    for (const what of [delivery("event"), delivery("result"), delivery("item"), delivery("control"), dispatch()]) {
      expect(violationsIn([at(0, opened()), at(1, revoked(about)), at(2, what)])).toEqual(["I1"]);
      expect(violationsIn([at(0, opened()), at(1, revoked(other)), at(2, what)])).toEqual([]);
    }
  });

  test.each<[string, readonly Line[]]>([
    ["what came before it", [at(0, opened()), at(1, delivery("event")), at(1, dispatch()), at(2, revoked(session))]],
    ["its last word", [at(0, opened()), at(1, revoked(session)), at(2, delivery("close"))]],
    ["what was lifted", [at(0, opened()), at(1, revoked(session)), at(2, lifting), at(3, dispatch())]],
    [
      "who holds another credential by now",
      [at(0, opened()), at(1, presented), at(2, renewed), at(3, revoked(session)), at(4, dispatch())],
    ],
    [
      "who may hold another one: it is on its way",
      [at(0, opened()), at(1, presented), at(2, revoked(session)), at(3, dispatch())],
    ],
    [
      "the protocol's own words where claims have changed",
      [at(0, opened()), at(1, revoked(session, true)), at(2, delivery("control"))],
    ],
  ])("%s is left alone", (_what, lines) => {
    expect(violationsIn(lines)).toEqual([]);
  });

  test.each<[string, readonly Line[]]>([
    [
      "whose other credential was declined",
      [at(0, opened()), at(1, presented), at(2, revoked(session)), at(3, declined), at(4, dispatch())],
    ],
    [
      "whose claims have changed, and the application goes on",
      [at(0, opened()), at(1, revoked(session, true)), at(2, delivery("event"))],
    ],
  ])("%s is found", (_whose, lines) => {
    expect(violationsIn(lines)).toEqual(["I1"]);
  });
});

describe("I2, groups that were lost:", () => {
  test.each<[string, readonly Line[]]>([
    ["left, and heard of", [at(0, opened()), at(1, left("icu")), at(2, vitals("icu"))]],
    ["never opened by the credential", [at(0, opened()), at(1, vitals("lab"))]],
    [
      "taken away by the directory, which was asked",
      [at(0, opened()), at(1, changed("er")), at(1, rechecking()), at(2, rechecked()), at(3, vitals("icu"))],
    ],
    [
      "given by the next credential, which was declined",
      [at(0, opened({ ...ada, wards: [] })), at(1, presented), at(2, declined), at(3, vitals("icu"))],
    ],
  ])("%s, is found", (_what, lines) => {
    expect(violationsIn(lines)).toEqual(["I2"]);
  });

  test.each<[string, readonly Line[]]>([
    ["left, and asked for again", [at(0, opened()), at(1, left("icu")), at(2, joining("icu")), at(3, vitals("icu"))]],
    ["another one left", [at(0, opened()), at(1, left("er")), at(2, vitals("icu"))]],
    ["taken away, and nobody has asked yet", [at(0, opened()), at(1, changed("er")), at(2, vitals("icu"))]],
    [
      "taken away, and the answer is not there yet",
      [at(0, opened()), at(1, changed("er")), at(1, rechecking()), at(2, vitals("icu"))],
    ],
    [
      "taken away and given back since it was asked",
      [
        at(0, opened()),
        at(1, changed("er")),
        at(1, rechecking()),
        at(2, changed("icu")),
        at(3, rechecked()),
        at(4, vitals("icu")),
      ],
    ],
    [
      "perhaps given by the next credential",
      [at(0, opened({ ...ada, wards: [] })), at(1, presented), at(2, vitals("icu"))],
    ],
  ])("%s, is left alone", (_what, lines) => {
    expect(violationsIn(lines)).toEqual([]);
  });
});

describe("I3, across a restart:", () => {
  const before = [at(0, opened()), at(1, revoked(session)), at(2, restarted)];

  test("who comes back with what was revoked before is found", () => {
    expect(violationsIn([...before, at(3, opened(ada)), at(4, dispatch())])).toEqual(["I3"]);
  });

  test("who comes back with something else, and what is revoked only afterwards, is not", () => {
    expect(violationsIn([...before, at(3, opened(adasNext)), at(4, dispatch())])).toEqual([]);
    const after = [at(2, restarted), at(3, opened()), at(4, revoked(session)), at(5, dispatch())];
    expect(violationsIn([at(0, opened()), ...after])).toEqual(["I1"]);
  });
});

describe("I4, after the end of a credential:", () => {
  test.each<[string, readonly Line[]]>([
    ["an event in its last instant and later", [at(0, opened()), at(60, delivery("event"))]],
    ["a call", [at(0, opened()), at(61, dispatch())]],
    ["a call by the wall clock, which was stepped ahead", [at(0, opened()), at(10, dispatch(), 50)]],
    ["a call by the other clock, where the wall clock was stepped back", [at(0, opened()), at(60, dispatch(), -30)]],
    [
      "a call while a credential that has ended, too, is on its way",
      [
        at(0, opened()),
        at(1, { ...presented, credential: { ...adasNext, expiresAt: START + 50_000 } } as Happening),
        at(61, dispatch()),
      ],
    ],
    [
      "a call, the next credential being declined",
      [at(0, opened()), at(1, presented), at(61, declined), at(62, dispatch())],
    ],
    ["anything but a Close after the grace", [at(0, opened()), at(73, delivery("control"))]],
    ["what goes to nobody who ever came", [at(1, delivery("event"))]],
    ["a call of nobody who ever came", [at(1, dispatch())]],
  ])("%s is found", (_what, lines) => {
    expect(violationsIn(lines)).toEqual(["I4"]);
  });

  test.each<[string, readonly Line[]]>([
    ["what came just before", [at(0, opened()), at(59.999, dispatch()), at(59.999, delivery("event"))]],
    ["the protocol's words in the grace", [at(0, opened()), at(61, delivery("control")), at(71, delivery("control"))]],
    ["a Close, however late", [at(0, opened()), at(500, delivery("close"))]],
    ["who was renewed", [at(0, opened()), at(1, presented), at(2, renewed), at(61, dispatch()), at(62, vitals("icu"))]],
    ["who may have been renewed", [at(0, opened()), at(1, presented), at(61, dispatch())]],
    [
      "a grace that ended while the loop stood still",
      [at(0, opened()), at(80, { type: "blocked", ms: 10_000 }), at(80, delivery("control"))],
    ],
  ])("%s is left alone", (_what, lines) => {
    expect(violationsIn(lines)).toEqual([]);
  });
});

describe("I5, between tenants and people:", () => {
  test.each<[string, Happening]>([
    ["an event of another tenant", delivery("event", { tenant: "annex" })],
    ["an event of nobody's tenant", delivery("event", { tenant: undefined })],
    ["a call as somebody else", dispatch({ subject: "eve" })],
    ["a call in another tenant", dispatch({ tenant: "annex" })],
  ])("%s is found", (_what, happening) => {
    expect(violationsIn([at(0, opened()), at(1, happening)])).toEqual(["I5"]);
  });

  test.each<[string, Happening]>([
    ["its own tenant's event", delivery("event", { tenant: "general" })],
    ["what is meant for all tenants", delivery("event", { tenant: "*" })],
    ["a call of its own", dispatch()],
  ])("%s is left alone", (_what, happening) => {
    expect(violationsIn([at(0, opened()), at(1, happening)])).toEqual([]);
  });
});

describe("I6, commands:", () => {
  test("one that takes effect twice is found, across a restart, too", () => {
    expect(violationsIn([at(0, effect("one")), at(1, effect("one"))])).toEqual(["I6"]);
    expect(violationsIn([at(0, effect("one")), at(1, restarted), at(2, effect("one"))])).toEqual(["I6"]);
  });

  test("another one, or somebody else's of the same name, is left alone", () => {
    expect(violationsIn([at(0, effect("one")), at(1, effect("two")), at(2, effect("one", "eve"))])).toEqual([]);
  });
});

describe("I7, what can be used once:", () => {
  test("a ticket that attaches two connections is found; one connection may come back with it", () => {
    expect(violationsIn([at(0, attached("c1")), at(1, attached("c2"))])).toEqual(["I7"]);
    expect(violationsIn([at(0, attached("c1")), at(1, attached("c1"))])).toEqual([]);
  });

  test("a refresh token that is answered after its successor was, or long after, is found", () => {
    const lines = [at(0, refreshed(0, 0)), at(1, refreshed(1, 0)), at(2, refreshed(0, 2))];
    expect(violationsIn(lines)).toEqual(["I7"]);
    expect(violationsIn([at(0, refreshed(0, 0)), at(11, refreshed(0, 1))])).toEqual(["I7"]);
  });

  test("one whose answer was lost, and one that overtook its successor on the way, is left alone", () => {
    expect(violationsIn([at(0, refreshed(0, 0)), at(9, refreshed(0, 1))])).toEqual([]);
    expect(violationsIn([at(0, refreshed(0, 0)), at(1, refreshed(1, 0)), at(2, refreshed(0, 1))])).toEqual([]);
  });
});
