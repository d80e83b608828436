import { describe, expect, it } from "vitest";
import { readJson } from "./read-json.js";

function post(
  body: string | Uint8Array | ReadableStream<Uint8Array> | null,
  headers: Record<string, string> = { "content-type": "application/json" },
): Request {
  return new Request("http://127.0.0.1/auth/login", { method: "POST", body, headers, duplex: "half" });
}

async function refusalOf(request: Request, maxBytes?: number): Promise<{ status: number; body: unknown }> {
  const reading = await readJson(request, maxBytes);
  if (reading.ok) throw new Error("accepted");
  expect(reading.response.headers.get("cache-control")).toBe("no-store");
  return { status: reading.response.status, body: await reading.response.json() };
}

/** A body that says no length and counts how many of its chunks were taken. */
function stream(chunks: readonly Uint8Array[]): {
  body: ReadableStream<Uint8Array>;
  taken: () => number;
  cancelled: () => boolean;
} {
  let taken = 0;
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[taken++];
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel() {
        cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, taken: () => taken, cancelled: () => cancelled };
}

describe("a JSON body", () => {
  it.each(["application/json", "application/json; charset=utf-8", "Application/JSON ;charset=UTF-8"])(
    "is read as %s",
    async (type) => {
      const reading = await readJson(post('{"name":"Zoë"}', { "content-type": type }));
      expect(reading).toEqual({ ok: true, value: { name: "Zoë" } });
    },
  );

  it("is read up to the very last byte of the limit", async () => {
    expect(await readJson(post('"12345678"'), 10)).toEqual({ ok: true, value: "12345678" });
    expect(await refusalOf(post('"123456789"'), 10)).toEqual({ status: 413, body: { error: "message_too_big" } });
  });

  it("has at most 4 KiB unless told otherwise", async () => {
    expect((await readJson(post(JSON.stringify("x".repeat(4094))))).ok).toBe(true);
    expect((await refusalOf(post(JSON.stringify("x".repeat(4095))))).status).toBe(413);
  });

  it.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/jsonp",
    "text/json",
    "",
  ])("is refused as %j: a plain form can send that", async (type) => {
    expect(await refusalOf(post("{}", { "content-type": type }))).toEqual({
      status: 415,
      body: { error: "invalid_request" },
    });
  });

  it("is refused without a type", async () => {
    expect((await refusalOf(post(new Uint8Array([0x7b, 0x7d]), {}))).status).toBe(415);
  });

  it.each([
    ["broken JSON", '{"name":'],
    ["no JSON", "name=Zoë"],
    ["nothing", ""],
    ["bytes that are not UTF-8", new Uint8Array([0x22, 0xc3, 0x28, 0x22])],
  ])("is refused when it is %s", async (_name, body) => {
    expect(await refusalOf(post(body))).toEqual({ status: 400, body: { error: "invalid_request" } });
  });

  it("is refused when there is no body at all", async () => {
    expect((await refusalOf(post(null))).status).toBe(400);
  });

  it("is refused by what arrives, not by what is announced, and the rest is not read", async () => {
    const endless = stream(Array.from({ length: 1_000 }, () => new Uint8Array(1_024).fill(0x20)));
    expect((await refusalOf(post(endless.body))).status).toBe(413);
    expect(endless.taken()).toBeLessThan(8);
    expect(endless.cancelled()).toBe(true);
  });

  it("is refused by its announced length before anything is read", async () => {
    const large = stream([new Uint8Array(10)]);
    const headers = { "content-type": "application/json", "content-length": "1000000" };
    expect((await refusalOf(post(large.body, headers))).status).toBe(413);
    expect(large.taken()).toBe(0);
  });

  it("is refused when it breaks off", async () => {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(new Error("reset")) });
    expect((await refusalOf(post(body))).status).toBe(400);
  });

  it("read twice is the programmer's mistake", async () => {
    const request = post("{}");
    await readJson(request);
    await expect(readJson(request)).rejects.toThrow(TypeError);
  });
});
