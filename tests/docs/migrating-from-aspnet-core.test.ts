/**
 * The guide for who comes from ASP.NET Core: its C# compiles, and what it says of ASP.NET Core's options and of what a
 * hub can reach is what ASP.NET Core 10 itself says. Needs the .NET SDK, and no network.
 */

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hubDefaults, hubwardDefaults } from "@hubward/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildDotnet, missingDotnet, runDotnet } from "../support/dotnet.js";
import { readPage } from "./support/pages.js";
import { rowsUnder } from "./support/tables.js";

const guide = readPage("docs/migrating-from-aspnet-core.md");
const blocks = guide.blocks.filter(({ language }) => language === "cs");
const options = rowsUnder(guide.text, "ASP.NET Core", "its default", "Hubward", "its default");
const reached = rowsUnder(guide.text, "ASP.NET Core", "Hubward");

const missing = await missingDotnet();
if (missing !== undefined) console.warn(`SKIPPED: the C# of the migration guide is not compiled: ${missing}`);

interface Framework {
  /** Name of an option to its default: `30 s`, `off`, `32768`. */
  readonly defaults: Readonly<Record<string, string>>;
  readonly members: Readonly<Record<string, readonly string[]>>;
}

/** A block as a file of its own: statements in a method, with what a program has around it, then its types. */
function fileOf(text: string, number: number): string {
  const lines = text.split("\n");
  const types = lines.findIndex((line) => /^(?:\[|(?:public |sealed )*(?:class|record|interface) )/.test(line));
  const statements = types < 0 ? lines : lines.slice(0, types);
  return [
    `namespace Block${number} {`,
    "internal static class Statements {",
    "public static async Task Run<THub>(",
    "WebApplicationBuilder builder, WebApplication app, IHubContext<THub> hubContext, string connectionId",
    ") where THub : Hub {",
    ...statements,
    "} }",
    ...(types < 0 ? [] : lines.slice(types)),
    "}",
  ].join("\n");
}

/** What the guide says of a value, as `Program.cs` prints it. */
function plain(cell: string): string {
  const [said = ""] = cell.split(", ");
  const kib = /^(\d+) KiB$/.exec(said)?.[1];
  if (kib !== undefined) return String(Number(kib) * 1024);
  if (said === "all three") return "WebSockets, ServerSentEvents, LongPolling";
  return said.replace(/^([\d ]+) bytes$/, (_, digits: string) => digits.replaceAll(" ", ""));
}

const code = (cell: string): string | undefined => /^`([^`]+)`$/.exec(cell)?.[1];

describe.skipIf(missing !== undefined)("the migration guide, against ASP.NET Core 10", () => {
  let folder: string;
  let framework: Framework;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "hubward-guide-"));
    cpSync(join(import.meta.dirname, "dotnet"), folder, { recursive: true });
    for (const [index, { text }] of blocks.entries())
      writeFileSync(join(folder, `Block${index + 1}.cs`), fileOf(text, index + 1));
    expect(await buildDotnet(folder)).toBeUndefined();
    framework = JSON.parse(await runDotnet(join(folder, "bin/Release/net10.0/guide.dll"))) as Framework;
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("its C# compiles, and would not if it were wrong", async () => {
    expect(blocks.length).toBeGreaterThanOrEqual(3);
    writeFileSync(join(folder, "Wrong.cs"), fileOf("app.MapHubs<THub>();\n", 99));
    expect(await buildDotnet(folder)).toContain("CS1061");
  }, 120_000);

  test("its table has ASP.NET Core's own defaults", () => {
    const claimed = options.flatMap(([name = "", value = ""]) => {
      const option = code(name);
      return option === undefined ? [] : [[option, plain(value)] as const];
    });
    expect(claimed.length).toBeGreaterThanOrEqual(15);
    // `EnableDetailedErrors` that nobody set counts as false.
    const real = claimed.map(([name]) => [name, framework.defaults[name]?.replace("unset", "off")] as const);
    expect(claimed).toEqual(real);
  });

  test("everything of Context, Clients and Groups that it names exists", () => {
    const names = reached.flatMap(([cell = ""]) => {
      let owner = "";
      return [...cell.matchAll(/`(?:(Context|Clients|Groups)?\.(\w+)[^`]*)`/g)].map(([, named, member = ""]) => {
        owner = named ?? owner;
        return [owner, member] as const;
      });
    });
    expect(names.length).toBeGreaterThanOrEqual(15);
    expect(names.filter(([owner, member]) => !framework.members[owner]?.includes(member))).toEqual([]);
  });
});

test("the guide's table has Hubward's own defaults", () => {
  const defaults = { ...hubDefaults, ...hubwardDefaults };
  const seconds = (ms: number): string => `${ms / 1_000} s`;
  const wanted: Readonly<Record<string, string>> = {
    clientTimeoutMs: seconds(defaults.clientTimeoutMs),
    keepAliveMs: seconds(defaults.keepAliveMs),
    handshakeTimeoutMs: seconds(defaults.handshakeTimeoutMs),
    maxMessageBytes: String(defaults.maxMessageBytes),
    maxParallelInvocations: String(defaults.maxParallelInvocations),
    maxUploadItems: String(defaults.maxUploadItems),
    detailedErrors: defaults.hasDetailedErrors ? "on" : "off",
    maxReplayBytes: String(defaults.maxReplayBytes),
    authenticationRefresh: defaults.hasAuthenticationRefresh ? "on" : "off",
    statefulReconnect: defaults.hasStatefulReconnect ? "on" : "off",
    transports: [...defaults.transports].join(", "),
    maxStreams: `${defaults.maxStreams} each way`,
    maxGroupsPerConnection: String(defaults.maxGroupsPerConnection),
  };
  const said = options.flatMap(([, , name = "", value = ""]) => {
    const option = code(name);
    return option === undefined || option.startsWith("outbox.") ? [] : [[option, plain(value)] as const];
  });
  expect(Object.fromEntries(said)).toEqual(wanted);
});
