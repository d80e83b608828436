import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { schemaOf, textSchema } from "../../../test/hub-fixture.js";
import { HubError } from "../errors.js";
import { readUploads, Upload } from "./upload.js";

function createUpload(maxItems = 10): { upload: Upload; pressure: string[] } {
  const pressure: string[] = [];
  const upload = new Upload(maxItems, {
    hold: () => void pressure.push("hold"),
    release: () => void pressure.push("release"),
  });
  return { upload, pressure };
}

async function readAll(items: AsyncIterable<unknown>): Promise<{ read: unknown[]; error: unknown }> {
  const read: unknown[] = [];
  try {
    for await (const item of items) read.push(item);
    return { read, error: undefined };
  } catch (error) {
    return { read, error };
  }
}

describe("an upload", () => {
  it("is read in order, whether items or the reader came first", async () => {
    const { upload, pressure } = createUpload();
    upload.push(1);
    upload.push(undefined);
    const reading = readAll(upload);
    await new Promise((resolve) => setImmediate(resolve));
    upload.push(3);
    upload.end();
    upload.push("late");
    expect(await reading).toEqual({ read: [1, undefined, 3], error: undefined });
    expect(pressure).toEqual([]);
  });

  it("that failed is read to its last item before it says so, in the peer's own words", async () => {
    const { upload } = createUpload();
    upload.push(1);
    upload.end("the camera broke");
    const { read, error } = await readAll(upload);
    expect([read, error]).toEqual([[1], new HubError("the camera broke")]);
    expect(error).toBeInstanceOf(HubError);
  });

  it("whose connection ended gives nothing that waited", async () => {
    const { upload, pressure } = createUpload(1);
    upload.push(1);
    upload.fail(new Error("gone"));
    expect(await readAll(upload)).toEqual({ read: [], error: new Error("gone") });
    expect(pressure).toEqual(["hold", "release"]);
  });

  it("tells a reader that waits when the connection ends", async () => {
    const { upload } = createUpload();
    const reading = readAll(upload);
    upload.fail(new Error("gone"));
    expect(await reading).toEqual({ read: [], error: new Error("gone") });
  });

  it("that its method has let go of takes nothing more and holds nobody back", async () => {
    const { upload, pressure } = createUpload(2);
    for (const item of [1, 2, 3]) upload.push(item);
    for await (const item of upload) {
      expect(item).toBe(1);
      break;
    }
    for (let count = 0; count < 100; count++) upload.push(count);
    expect(pressure).toEqual(["hold", "release"]);
  });

  it("can be read once, one item at a time", async () => {
    const { upload } = createUpload();
    const iterator = upload[Symbol.asyncIterator]();
    expect(() => upload[Symbol.asyncIterator]()).toThrow(TypeError);
    const first = iterator.next();
    await expect(iterator.next()).rejects.toThrow(TypeError);
    upload.push(1);
    expect(await first).toEqual({ done: false, value: 1 });
  });

  it("loses nothing, keeps the order, and holds the peer back exactly while too much waits", async () => {
    const act = fc.constantFrom("push", "push", "push", "read", "read", "end", "fail", "dispose");
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(act, { maxLength: 60 }), async (maxItems, acts) => {
        const { upload, pressure } = createUpload(maxItems);
        const iterator = upload[Symbol.asyncIterator]();
        let [pushed, taken] = [0, 0];
        let waiting = 0;
        let isOver = false;
        let pending: Promise<unknown> | undefined;
        for (const each of acts) {
          if (each === "push") {
            upload.push(pushed);
            if (!isOver) {
              if (pending === undefined) waiting++;
              else {
                expect(await pending).toEqual({ done: false, value: taken++ });
                pending = undefined;
              }
              pushed++;
            }
          } else if (each === "read") {
            if (pending !== undefined) continue;
            const next = iterator.next();
            if (waiting > 0) {
              expect(await next).toEqual({ done: false, value: taken++ });
              waiting--;
            } else if (isOver) await next.catch(() => undefined);
            else pending = next;
          } else {
            if (each === "end") upload.end();
            else if (each === "fail") upload.fail(new Error("gone"));
            else upload.dispose();
            isOver = true;
            await pending?.catch(() => undefined);
            pending = undefined;
            if (each !== "end") waiting = 0;
          }
          // What one read brought is taken beyond the bound; only then is the peer held back.
          expect(pressure.at(-1) === "hold").toBe(waiting >= maxItems);
        }
        expect(pressure).toEqual(pressure.map((_, index) => (index % 2 === 0 ? "hold" : "release")));
      }),
      { numRuns: 500 },
    );
  });
});

describe("what a method reads of its uploads", () => {
  it("is what each schema makes of an item", async () => {
    const [words, numbers] = [createUpload().upload, createUpload().upload];
    const double = schemaOf((value) => ({ value: `${Number(value) * 2}` }));
    const [first, second] = readUploads([words, numbers], [textSchema(), double]);
    for (const item of ["a", "b"]) words.push(item);
    numbers.push(21);
    words.end();
    numbers.end();
    expect((await readAll(first as AsyncIterable<unknown>)).read).toEqual(["a", "b"]);
    expect((await readAll(second as AsyncIterable<unknown>)).read).toEqual(["42"]);
  });

  it("ends at the first item that does not fit, in .NET's words, and takes no more", async () => {
    const { upload, pressure } = createUpload(1);
    const [items] = readUploads([upload], [textSchema()]);
    for (const item of ["a", 7, "b"]) upload.push(item);
    const { read, error } = await readAll(items as AsyncIterable<unknown>);
    expect([read, error]).toEqual([["a"], new HubError("Failed to bind Stream message.")]);
    upload.push("c");
    expect(pressure).toEqual(["hold", "release"]);
  });

  it("waits for a schema that answers later", async () => {
    const { upload } = createUpload();
    const later = schemaOf(async (value) => ({ value: String(value) }));
    const [items] = readUploads([upload], [later]);
    upload.push(1);
    upload.end();
    expect((await readAll(items as AsyncIterable<unknown>)).read).toEqual(["1"]);
  });
});
