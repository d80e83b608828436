import { describe, expect, test } from "vitest";
import { isLoopback, readConfig } from "./config.js";

const defaults = {
  port: 3000,
  host: "127.0.0.1",
  publicOrigin: undefined,
  accessTokenSeconds: 300,
  dataDirectory: ".hubward",
  database: undefined,
};

describe("readConfig", () => {
  test("an empty environment gives the defaults", () => {
    expect(readConfig({})).toEqual({ ok: true, config: defaults });
  });

  test("a variable that is set but empty counts as not set", () => {
    const env = { PORT: "", HOST: "", PUBLIC_ORIGIN: "", ACCESS_TOKEN_SECONDS: "", HUBWARD_DATA: "", NODE_ENV: "" };
    expect(readConfig(env)).toEqual({ ok: true, config: defaults });
  });

  test.each([
    [{ PORT: "0" }, { port: 0 }],
    [{ PORT: "65535" }, { port: 65_535 }],
    [{ HOST: "0.0.0.0" }, { host: "0.0.0.0" }],
    [{ HOST: "::1" }, { host: "::1" }],
    [{ HOST: "localhost" }, { host: "localhost" }],
    [{ PUBLIC_ORIGIN: "https://ward.example" }, { publicOrigin: "https://ward.example" }],
    [{ PUBLIC_ORIGIN: "http://ward.example:8080" }, { publicOrigin: "http://ward.example:8080" }],
    [{ PUBLIC_ORIGIN: "http://[::1]:3000" }, { publicOrigin: "http://[::1]:3000" }],
    [{ ACCESS_TOKEN_SECONDS: "5" }, { accessTokenSeconds: 5 }],
    [{ ACCESS_TOKEN_SECONDS: "3600" }, { accessTokenSeconds: 3600 }],
    [{ HUBWARD_DATA: "/var/lib/clinic" }, { dataDirectory: "/var/lib/clinic" }],
    [{ CLINIC_DATABASE: "/var/lib/clinic/clinic.db" }, { database: "/var/lib/clinic/clinic.db" }],
    [{ NODE_ENV: "development" }, {}],
  ])("%o is taken", (env, expected) => {
    expect(readConfig(env)).toEqual({ ok: true, config: { ...defaults, ...expected } });
  });

  test.each([
    ["PORT", "-1"],
    ["PORT", "65536"],
    ["PORT", "3000.5"],
    ["PORT", "0x10"],
    ["PORT", " 3000"],
    ["PORT", "http"],
    ["HOST", "[::1]"],
    ["HOST", "256.0.0.1"],
    ["HOST", "ward example"],
    ["HOST", "http://127.0.0.1"],
    ["PUBLIC_ORIGIN", "ward.example"],
    ["PUBLIC_ORIGIN", "https://ward.example/"],
    ["PUBLIC_ORIGIN", "https://ward.example/path"],
    ["PUBLIC_ORIGIN", "https://ward.example:443"],
    ["PUBLIC_ORIGIN", "https://Ward.example"],
    ["PUBLIC_ORIGIN", "https://*.example"],
    ["PUBLIC_ORIGIN", "https://name:word@ward.example"],
    ["PUBLIC_ORIGIN", "ftp://ward.example"],
    ["PUBLIC_ORIGIN", "null"],
    ["ACCESS_TOKEN_SECONDS", "4"],
    ["ACCESS_TOKEN_SECONDS", "3601"],
    ["ACCESS_TOKEN_SECONDS", "1e2"],
    ["HUBWARD_DATA", "a\0b"],
    ["NODE_ENV", "production"],
  ])("%s=%s is one line that names it", (name, value) => {
    const reading = readConfig({ [name]: value });
    const problems = reading.ok ? [] : reading.problems;
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name}: .+`));
    expect(problems[0]).not.toContain("\n");
  });

  test("every bad value is named, not only the first", () => {
    const reading = readConfig({ PORT: "x", ACCESS_TOKEN_SECONDS: "1" });
    expect(reading).toMatchObject({ ok: false, problems: [/^PORT: /, /^ACCESS_TOKEN_SECONDS: /].map(matching) });
  });
});

test("only addresses of this machine and the name localhost are loopback", () => {
  const loopback = ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"];
  expect(loopback.filter((host) => !isLoopback(host))).toEqual([]);
  const others = ["0.0.0.0", "::", "192.168.1.5", "ward.example", "127.0.0.1.ward.example", "localhost.example"];
  expect(others.filter(isLoopback)).toEqual([]);
});

function matching(pattern: RegExp): unknown {
  return expect.stringMatching(pattern);
}
