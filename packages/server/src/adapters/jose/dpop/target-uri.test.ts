import fc from "fast-check";
import { expect, test } from "vitest";
import { normalizeTargetUri } from "./target-uri.js";

const same = "https://hub.example/hubs/a~b%2Fc/negotiate";

test.each([
  same,
  "HTTPS://HUB.example/hubs/a~b%2Fc/negotiate",
  "https://hub.example:443/hubs/a~b%2Fc/negotiate",
  "https://hub.example/hubs/a%7Eb%2fc/negotiate",
  "https://hub.example/hubs/%61~b%2Fc/negotiate",
  "https://hub.example/hubs/./x/../a~b%2Fc/negotiate",
  "https://hub.example/hubs/a~b%2Fc/negotiate?negotiateVersion=1",
  "https://hub.example/hubs/a~b%2Fc/negotiate#here",
  "https://hub.example/hubs/a~b%2Fc/negotiate?#",
])("is the same address: %s", (address) => {
  expect(normalizeTargetUri(address)).toBe(same);
});

test.each([
  "http://hub.example/hubs/a~b%2Fc/negotiate",
  "https://hub.example:8443/hubs/a~b%2Fc/negotiate",
  "https://hub.example./hubs/a~b%2Fc/negotiate",
  "https://hub.example/hubs/a~b%2Fc/negotiate/",
  "https://hub.example/hubs/a~b/c/negotiate",
  "https://hub.example/hubs/A~b%2Fc/negotiate",
  "https://hub.example//hubs/a~b%2Fc/negotiate",
])("is another address: %s", (address) => {
  const normalized = normalizeTargetUri(address);
  expect(normalized).toBeTypeOf("string");
  expect(normalized).not.toBe(same);
});

test.each([
  "",
  "/hubs/negotiate",
  "hub.example/negotiate",
  "https://",
  "wss://hub.example/",
  "file:///etc/passwd",
  "javascript:alert(1)",
  "https://a:b@hub.example/",
  "https://hub.example/a b",
  "https://hub.example/a\nb",
  " https://hub.example/",
  "https:\\\\hub.example\\",
  "https://hüb.example/",
  `https://hub.example/${"x".repeat(2048)}`,
])("is no address: %j", (address) => {
  expect(normalizeTargetUri(address)).toBeUndefined();
});

test("normalising twice changes nothing, and nothing throws", () => {
  fc.assert(
    fc.property(fc.oneof(fc.webUrl({ withQueryParameters: true, withFragments: true }), fc.string()), (address) => {
      const once = normalizeTargetUri(address);
      if (once !== undefined) expect(normalizeTargetUri(once)).toBe(once);
    }),
  );
});
