import { describe, expect, it, test } from "vitest";
import { roomsCodecs } from "./codecs.js";
import { chooseSubprotocol } from "./subprotocol.js";

const both = [true, false];

test.each<[offered: string, name: string]>([
  ["hubward.rooms.v1", "rooms-json"],
  ["hubward.rooms.v1.msgpack", "rooms-messagepack"],
  ["hubward.rooms.v1, hubward.rooms.v1.msgpack", "rooms-json"],
  ["hubward.rooms.v1.msgpack,hubward.rooms.v1", "rooms-messagepack"],
  ["hubward.rooms.v2, \thubward.rooms.v1 ", "rooms-json"],
  [",,graphql-ws,,hubward.rooms.v1.msgpack,", "rooms-messagepack"],
  ["constructor, __proto__, hubward.rooms.v1", "rooms-json"],
])("of %j it is %s, and the answer says so", (offered, name) => {
  for (const hasChatDialect of both) {
    const codec = chooseSubprotocol(offered, hasChatDialect);
    expect(codec).toMatchObject({ name });
    expect(codec).toBe(Object.values(roomsCodecs).find((each) => each.name === name));
    expect(offered.split(/[, \t]+/)).toContain((codec as typeof roomsCodecs.json).subprotocol);
  }
});

test.each([
  "hubward.rooms.v2",
  "hubward.rooms",
  "HUBWARD.ROOMS.V1",
  "hubward.rooms.v1 .msgpack",
  "json",
  "chat",
  "toString",
  "hubward.rooms.v1;q=1",
])("%j is not spoken", (offered) => {
  for (const hasChatDialect of both) expect(chooseSubprotocol(offered, hasChatDialect)).toBe("unsupported");
});

describe("who offers none", () => {
  it("is spoken to in JSON or in the chat dialect, and the answer says nothing of it", () => {
    for (const offered of [undefined, "", " ", ",", " ,\t, "]) {
      expect(chooseSubprotocol(offered, false)).toMatchObject({ name: "rooms-json", subprotocol: undefined });
      expect(chooseSubprotocol(offered, true)).toBe(roomsCodecs.chat);
    }
    expect(roomsCodecs.chat.subprotocol).toBeUndefined();
  });
});

it("a long header is read in no time", () => {
  const long = `${" ,\t".repeat(20_000)}x${"\t ".repeat(20_000)}x`;
  expect(chooseSubprotocol(long, false)).toBe("unsupported");
});
