import { describe, expect, it } from "vitest";
import { createNoteBook, noteTextSchema } from "./notes.js";

const draft = { ward: "icu", text: "bed 4 is free", by: "nurse-icu", at: 1 } as const;

describe("the wards' notes", () => {
  it("are kept apart by tenant and by ward, the latest fifty of each", () => {
    const book = createNoteBook();
    for (let at = 1; at <= 60; at++) book.add("general", { ...draft, at });
    book.add("annex", draft);
    book.add("general", { ...draft, ward: "er" });
    expect(book.latest("general", "icu").map(({ at }) => at)).toEqual(Array.from({ length: 50 }, (_, n) => n + 11));
    expect([book.latest("annex", "icu").length, book.latest("general", "er").length]).toEqual([1, 1]);
    expect(book.latest(undefined, "icu")).toEqual([]);
  });

  it("have an id each, and say who wrote them", () => {
    const book = createNoteBook();
    const [one, other] = [book.add("general", draft), book.add("general", draft)];
    expect(one).toEqual({ ...draft, noteId: one.noteId });
    expect(one.noteId).not.toBe(other.noteId);
  });

  it.each(["", "   ", "x".repeat(501), 7, null, undefined])("are no %j", (text) => {
    expect(noteTextSchema.safeParse(text).success).toBe(false);
  });
});
