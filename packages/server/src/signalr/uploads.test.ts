import { describe, expect, it } from "vitest";
import { HubError, HubwardError } from "../core/errors.js";
import type { Upload } from "../core/dispatch/upload.js";
import { Throttle } from "../core/connection/throttle.js";
import { Uploads } from "./uploads.js";

function createUploads(maxItems = 2): { uploads: Uploads; throttle: Throttle } {
  const throttle = new Throttle({ pause: () => undefined, resume: () => undefined });
  return { uploads: new Uploads(maxItems, throttle), throttle };
}

async function readAll(upload: Upload | undefined): Promise<unknown[]> {
  const read: unknown[] = [];
  try {
    for await (const item of upload ?? []) read.push(item);
  } catch (error) {
    read.push(error);
  }
  return read;
}

describe("a connection's uploads", () => {
  it("are fed by their ids, whatever the ids are", async () => {
    const { uploads } = createUploads(10);
    const ids = ["1", "__proto__", "constructor", ""];
    const open = uploads.open(ids);
    for (const id of ids) uploads.item(id, `to ${id}`);
    uploads.item("toString", "nobody");
    for (const id of ids) expect(uploads.end(id, undefined)).toBe(true);
    expect(await Promise.all(open.map(readAll))).toEqual(ids.map((id) => [`to ${id}`]));
    expect(uploads.size).toBe(0);
  });

  it("know nothing of items before their call, of ends nobody waits for and of a second end", () => {
    const { uploads } = createUploads();
    uploads.item("1", "early");
    expect(uploads.end("1", undefined)).toBe(false);
    const [upload] = uploads.open(["1"]);
    expect([uploads.end("1", undefined), uploads.end("1", undefined)]).toEqual([true, false]);
    uploads.close(["1"], upload === undefined ? [] : [upload]);
    expect(uploads.open(undefined)).toEqual([]);
  });

  it("go over to the newer call that names their id; the older is told and does not wait for ever", async () => {
    const { uploads } = createUploads();
    const [older] = uploads.open(["1"]);
    uploads.item("1", "old");
    const [newer, twice] = uploads.open(["1", "1"]);
    uploads.item("1", "new");
    uploads.end("1", undefined);
    expect(await readAll(older)).toEqual(["old", new HubError("The stream's id went over to a newer call.")]);
    expect(await readAll(newer)).toEqual([new HubError("The stream's id went over to a newer call.")]);
    expect(await readAll(twice)).toEqual(["new"]);
    // The older call's end takes nothing from the newer.
    const [again] = uploads.open(["1"]);
    uploads.close(["1"], older === undefined ? [] : [older]);
    expect(uploads.size).toBe(1);
    uploads.close(["1"], again === undefined ? [] : [again]);
    expect(uploads.size).toBe(0);
  });

  it("hold nobody back when their calls are over or the connection is, whatever waited", async () => {
    const { uploads, throttle } = createUploads();
    const first = uploads.open(["1", "2"]);
    const second = uploads.open(["3"]);
    for (const id of ["1", "2", "3"]) for (let count = 0; count < 5; count++) uploads.item(id, count);
    expect(throttle.isHolding).toBe(true);
    uploads.end("2", undefined);
    uploads.close(["1", "2"], first);
    expect(throttle.isHolding).toBe(true);
    uploads.fail("token_expired");
    expect([throttle.isHolding, uploads.size]).toEqual([false, 0]);
    expect(await readAll(second[0])).toEqual([new HubwardError("token_expired")]);
  });
});
