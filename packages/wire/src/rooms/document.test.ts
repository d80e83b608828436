/** The examples and tables of docs/rooms-protocol.md against the codecs: what is written there is what is spoken. */

import { readFileSync } from "node:fs";
import { decode as decodeReference, encode as encodeReference } from "@msgpack/msgpack";
import { isReasonName, maxRoomNameBytes, parseRoomName, reasons, roomsCodecs, roomsLimitDefaults } from "../index.js";
import type { RoomsFrame } from "../index.js";
import { describe, expect, it, test } from "vitest";
import { frameOf } from "../../test/rooms-frames.js";
import type { Wire } from "../../test/rooms-frames.js";

const page = readFileSync(new URL("../../../../docs/rooms-protocol.md", import.meta.url), "utf8");
const { json, messagepack, chat } = roomsCodecs;
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

/** From one heading to the next that is no deeper. */
function section(heading: string): string {
  const [, rest] = page.split(`\n${heading}\n`);
  if (rest === undefined) throw new Error(`there is no ${heading}`);
  return rest.split(heading.startsWith("###") ? /\n###? / : /\n## /)[0] ?? "";
}

/** The objects in the fenced blocks and the code spans of a section, those that elide something left out. */
function examples(heading: string): Wire[] {
  const text = section(heading);
  const fenced = [...text.matchAll(/```json\n([\s\S]*?)```/g)].flatMap(([, block = ""]) => block.trim().split("\n"));
  const spans = [...text.matchAll(/`(\{"type".*?\})`/g)].map(([, span = ""]) => span.replace(":…", ':"…"'));
  return [...fenced, ...spans].map((line) => JSON.parse(line) as Wire);
}

/** The cells of the rows of the first table in a section. */
function rows(heading: string): string[][] {
  const lines = section(heading)
    .split("\n")
    .filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}

const codes = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);

const requestTypes = ["auth", "join", "leave", "publish", "who", "ping", "notices"];
const all = [...examples("## From the client"), ...examples("## From the server")];
const isRequest = (wire: Wire): boolean => requestTypes.includes(wire["type"] as string);

describe("a request in the document", () => {
  const requests = all.filter(isRequest);

  it("stands there for every type there is", () => {
    expect([...new Set(requests.map(({ type }) => type))]).toEqual(requestTypes);
  });

  test.each(requests)("is read from both encodings: %j", (wire) => {
    const expected = { ...wire };
    expect(json.decode(bytes(JSON.stringify(wire)), roomsLimitDefaults)).toEqual(expected);
    expect(messagepack.decode(encodeReference(wire), roomsLimitDefaults)).toEqual(expected);
  });
});

describe("a frame in the document", () => {
  const frames = all.filter((wire) => !isRequest(wire));

  it("stands there for every type there is but notices, which have a table", () => {
    const types = [...new Set(frames.map(({ type }) => type as string))].toSorted();
    const expected: Exclude<RoomsFrame["type"], "notice">[] = [
      "ack",
      "closing",
      "error",
      "joined",
      "left",
      "message",
      "pong",
      "presence",
      "present",
      "ready",
    ];
    expect(types).toEqual(expected);
  });

  test.each(frames)("is written like that, member by member: %j", (wire) => {
    const frame = frameOf(wire);
    const text = new TextDecoder().decode(json.encode(frame));
    expect(text).toBe(JSON.stringify(wire));
    expect(decodeReference(messagepack.encode(frame) as Uint8Array)).toEqual(wire);
  });
});

it("notices have the members that their table says, in that order", () => {
  const written: Readonly<Record<string, RoomsFrame>> = {
    expiring: { type: "notice", notice: { kind: "expiring", expiresInSeconds: 9 } },
    expired: {
      type: "notice",
      notice: { kind: "expired", reason: "auth_unavailable;action=retry-after;retry_after=2", graceSeconds: 10 },
    },
    reauthenticated: { type: "notice", notice: { kind: "reauthenticated", expiresInSeconds: 9 } },
    draining: { type: "notice", notice: { kind: "draining", closesInSeconds: 10 } },
    gap: { type: "notice", notice: { kind: "gap", dropped: 3, groups: ["ward/icu"] } },
  };
  const documented = rows("### notice").map(([notice = "", members = ""]) => [codes(notice)[0], codes(members)]);
  expect(documented.map(([notice]) => notice)).toEqual(Object.keys(written));
  for (const [notice, members] of documented) {
    const frame = written[notice as string] as RoomsFrame;
    const wire = JSON.parse(new TextDecoder().decode(json.encode(frame))) as Wire;
    expect(Object.keys(wire)).toEqual(["type", "notice", ...(members ?? [])]);
  }
});

it("the codes are those of the catalogue", () => {
  let compared = 0;
  for (const [code = "", names = ""] of rows("## Codes")) {
    for (const name of codes(names)) {
      if (!isReasonName(name)) throw new Error(`${name} is no reason`);
      expect(code.split(", ").map(Number), name).toContain(reasons[name].closeCode);
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(20);
});

it("the actions are those of the catalogue", () => {
  const documented = rows("### closing").map(([action = ""]) => (action === "missing" ? "none" : codes(action)[0]));
  expect(documented.toSorted()).toEqual([...new Set(Object.values(reasons).map(({ action }) => action))].toSorted());
});

it("the bounds of a message are those of the codecs", () => {
  const bounds = new Map(rows("### Bounds").map(([what = "", bound = ""]) => [what, bound]));
  expect(bounds.get("one message")).toBe(`${roomsLimitDefaults.maxBytes / 1024} KiB`);
  expect(bounds.get("nesting")).toBe(String(roomsLimitDefaults.maxDepth));
  expect(bounds.get("values in one message")).toBe(roomsLimitDefaults.maxNodes.toLocaleString("en"));
  expect(bounds.get("name of a room")).toBe(`${maxRoomNameBytes} bytes`);
  for (const [what, member] of [
    ["name of an event", "event"],
    ["`command`", "command"],
  ] as const) {
    const length = Number.parseInt(bounds.get(what) ?? "", 10);
    const publish = { type: "publish", room: "r", event: "e" };
    const read = (text: string): string =>
      json.decode(bytes(JSON.stringify({ ...publish, [member]: text })), roomsLimitDefaults).type;
    expect([read("x".repeat(length)), read("x".repeat(length + 1))]).toEqual(["publish", "malformed"]);
  }
});

it("the signs that a name may hold are those listed, and no others of ASCII", () => {
  const listed = /and `(- [^`]+)`/.exec(section("## Names of rooms"))?.[1]?.split(" ") ?? [];
  const ascii = Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code)).filter((sign) =>
    /[^a-z0-9]/i.test(sign),
  );
  expect(ascii.filter((sign) => parseRoomName(`ward/a${sign}b`)?.length === 2)).toEqual([...listed, " "].toSorted());
});

describe("the small chat dialect", () => {
  for (const [direction, text = "", meaning = ""] of rows("## The small chat dialect")) {
    const wire = JSON.parse((codes(text)[0] ?? "").replace(":…", ':{"text":"…"}')) as Wire;
    if (direction === "in") {
      it(`reads ${codes(text)[0]}`, () => {
        const request = chat.decode(bytes(JSON.stringify(wire)), roomsLimitDefaults);
        expect(request).toMatchObject({ type: codes(meaning)[0], room: wire["room"] });
      });
    } else {
      it(`writes ${codes(text)[0]}`, () => {
        const { room, payload } = wire;
        const frame =
          wire["type"] === "error"
            ? { type: "error", id: 1, request: "join", room, error: { reason: wire["message"] } }
            : { type: wire["type"], room, event: "message", args: [payload], why: "asked" };
        expect(new TextDecoder().decode(chat.encode(frame as RoomsFrame))).toBe(JSON.stringify(wire));
      });
    }
  }
});
