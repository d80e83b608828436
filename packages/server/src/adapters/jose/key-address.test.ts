import { describe, expect, test } from "vitest";
import { metadataAddress, readKeyAddress } from "./key-address.js";

describe("addresses of keys", () => {
  test.each(["https://login.example.com/jwks", "https://login.example.com:8443/a/b?p=policy", "https://10.0.0.1/keys"])(
    "%s is accepted",
    (address) => {
      expect(readKeyAddress(address, false).href).toBe(address);
      expect(readKeyAddress(new URL(address), false).href).toBe(address);
    },
  );

  test.each([
    "http://login.example.com/jwks",
    "http://localhost/jwks",
    "http://127.0.0.1/jwks",
    "file:///etc/passwd",
    'data:application/json,{"keys":[]}',
    "ftp://login.example.com/jwks",
    "blob:https://login.example.com/1",
    "javascript:alert(1)",
    "https://user@login.example.com/jwks",
    "https://user:password@login.example.com/jwks",
    "https://login.example.com/jwks#keys",
    "/jwks",
    "",
    "https://",
  ])("CVE-2026-102267, CVE-2026-48522: %s is refused, and the message does not quote it", (address) => {
    const read = (): URL => readKeyAddress(address, false);
    expect(read).toThrow(TypeError);
    expect(read).not.toThrow(/example|password|passwd/);
  });

  test.each(["http://localhost:1/", "http://127.0.0.1:1/", "http://127.1.2.3/", "http://[::1]:1/", "http://127.1/"])(
    "http is good enough for this machine where that is allowed: %s",
    (address) => {
      expect(readKeyAddress(address, true)).toBeInstanceOf(URL);
      expect(() => readKeyAddress(address, false)).toThrow(TypeError);
    },
  );

  test.each([
    "http://localhost.example.com/",
    "http://127.0.0.1.example.com/",
    "http://example.com/?localhost",
    "http://localhost@example.com/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:7f00:1]/",
    "file://localhost/etc/passwd",
  ])("and for no other: %s", (address) => {
    expect(() => readKeyAddress(address, true)).toThrow(TypeError);
  });
});

describe("OpenID Connect Discovery 4: where the metadata stands", () => {
  test.each([
    ["https://login.example.com", "https://login.example.com/.well-known/openid-configuration"],
    ["https://login.example.com/", "https://login.example.com/.well-known/openid-configuration"],
    ["https://id.example.com/realms/a", "https://id.example.com/realms/a/.well-known/openid-configuration"],
    ["https://id.example.com/realms/a/", "https://id.example.com/realms/a/.well-known/openid-configuration"],
  ])("%s", (issuer, address) => {
    expect(metadataAddress(issuer, false).href).toBe(address);
  });

  test.each([
    "https://a.example/?x",
    "https://a.example/#",
    "http://a.example",
    "a.example",
    "",
    "https://u:p@a.example",
  ])("%s is no issuer", (issuer) => {
    expect(() => metadataAddress(issuer, true)).toThrow(TypeError);
  });

  test("callers without types are told as well", () => {
    expect(() => metadataAddress(undefined as unknown as string, false)).toThrow(TypeError);
  });
});
