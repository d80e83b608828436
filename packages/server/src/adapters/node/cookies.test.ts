import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HttpRequest } from "../../core/http.js";
import { ask, listen, shut } from "../../../../../tests/support/server.js";
import { pathOf, takeRequest } from "./request.js";

const cookieNames = { access: "__Host-access", binding: "__Host-hubward-hub" };

let server: Server;
let port: number;
let incoming: IncomingMessage;
let taken: HttpRequest;
let names: { access: string | undefined; binding: string } | undefined;
let looksFirst: boolean;

beforeEach(async () => {
  names = cookieNames;
  looksFirst = false;
  server = createServer((request, response) => {
    incoming = request;
    // Somebody in front may have asked before.
    if (looksFirst) expect(request.headersDistinct["cookie"]).toBeDefined();
    const edge = { remoteAddress: undefined, forwarded: undefined, cookieNames: names };
    taken = takeRequest(request, pathOf(request.url ?? "") ?? "", edge);
    response.end();
  });
  port = await listen(server);
});
afterEach(() => shut(server));

async function take(cookie: string | string[], headers: Record<string, string> = {}): Promise<readonly unknown[]> {
  await ask(port, { path: "/hub", headers: { ...headers, cookie } });
  const { access, binding } = taken.cookies ?? {};
  return [access, binding].map((one) => (typeof one === "object" ? one.reveal() : one));
}

const leftovers = (): string => JSON.stringify([incoming.headers, incoming.rawHeaders, incoming.headersDistinct]);

describe("cookies of ours", () => {
  it.each([false, true])(
    "are lifted out, and nothing of them is left; the others stay (asked before: %j)",
    async (before) => {
      looksFirst = before;
      const cookie = "theme=dark; __Host-access=eyJ.secret1; lang=de; __Host-hubward-hub=secret2";
      expect(await take(cookie)).toEqual(["eyJ.secret1", "secret2"]);
      expect(leftovers()).not.toContain("secret");
      expect(incoming.headers.cookie).toBe("theme=dark; lang=de");
      expect(taken.header("cookie")).toBe("theme=dark; lang=de");
      expect(incoming.rawHeaders[incoming.rawHeaders.findIndex((name) => name.toLowerCase() === "cookie") + 1]).toBe(
        "theme=dark; lang=de",
      );
    },
  );

  it("are the whole header at times, which then is gone", async () => {
    expect(await take("__Host-access=secret1")).toEqual(["secret1", undefined]);
    expect(incoming.headers.cookie).toBeUndefined();
    expect(leftovers()).not.toContain("secret");
  });

  it("are found in each of several headers, and twice is too often", async () => {
    expect(await take(["a=1; __Host-access=secret1", "__Host-access=secret2; b=2"])).toEqual(["several", undefined]);
    expect(incoming.headers.cookie).toBe("a=1; b=2");
    expect(leftovers()).not.toContain("secret");
  });

  it("do not count beside a bearer that cannot be read, and are lifted out all the same", async () => {
    for (const authorization of ["Bearer", "Bearer a, Bearer b", "bearer\ta"]) {
      expect(await take("__Host-access=secret1; __Host-hubward-hub=secret2", { authorization })).toEqual([
        undefined,
        "secret2",
      ]);
      expect(leftovers()).not.toContain("secret");
    }
    expect(await take("__Host-access=secret1", { authorization: "Basic YTpi" })).toEqual(["secret1", undefined]);
  });

  it("are none where the path takes none", async () => {
    names = { access: undefined, binding: cookieNames.binding };
    expect(await take("__Host-access=x; __Host-hubward-hub=y")).toEqual([undefined, "y"]);
    expect(incoming.headers.cookie).toBe("__Host-access=x");
    names = undefined;
    expect(await take("__Host-access=x; __Host-hubward-hub=y")).toEqual([undefined, undefined]);
    expect(incoming.headers.cookie).toBe("__Host-access=x; __Host-hubward-hub=y");
  });
});
