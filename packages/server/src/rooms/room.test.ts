import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { declareTemplate } from "../core/groups/group.js";
import { createRoomDirectory, type Room } from "./room.js";

/** A room whose values must be among those open now. */
function roomOf(pattern: string, isOpen: (value: string) => boolean = () => true): Room<unknown> {
  const parameters = [...pattern.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
  const template = declareTemplate<unknown>({ pattern, parameters, requirements: [] });
  return {
    template,
    isAssigned: () => false,
    reference(values) {
      if (!Object.values(values).every(isOpen)) throw new HubwardError("bad_room");
      return { template, values };
    },
    publications: new Map(),
    presence: undefined,
  };
}

describe("a room's name", () => {
  it("names its room and its values, however often it is read", () => {
    const directory = createRoomDirectory<unknown>();
    const [bed, lobby] = [roomOf("ward/{ward}/bed/{bed}"), roomOf("lobby")];
    directory.declare(bed);
    directory.declare(lobby);
    for (let time = 0; time < 3; time++) {
      const found = directory.find("ward/a%2Fb/bed/4");
      expect(found.room).toBe(bed);
      expect(found.reference.values).toEqual({ ward: "a/b", bed: "4" });
      expect(directory.find("lobby")).toMatchObject({ room: lobby, reference: { values: {} } });
    }
  });

  it("is judged by the room's schemas each time, known or not", () => {
    const directory = createRoomDirectory<unknown>();
    const open = new Set(["icu"]);
    directory.declare(roomOf("ward/{ward}", (ward) => open.has(ward)));
    expect(directory.find("ward/icu").reference.values).toEqual({ ward: "icu" });
    open.delete("icu");
    expect(() => directory.find("ward/icu")).toThrow(HubwardError);
    open.add("icu");
    expect(directory.find("ward/icu").reference.values).toEqual({ ward: "icu" });
  });

  it("of no room is one from the moment it is declared", () => {
    const directory = createRoomDirectory<unknown>();
    expect(() => directory.find("ward/icu")).toThrow(HubwardError);
    directory.declare(roomOf("ward/{ward}"));
    expect(directory.find("ward/icu").reference.values).toEqual({ ward: "icu" });
  });

  it("is found among more names than are kept", () => {
    const directory = createRoomDirectory<unknown>();
    directory.declare(roomOf("bed/{bed}"));
    for (let round = 0; round < 2; round++) {
      for (let bed = 0; bed < 1_500; bed++) {
        expect(directory.find(`bed/${bed}`).reference.values).toEqual({ bed: String(bed) });
      }
    }
  });
});
