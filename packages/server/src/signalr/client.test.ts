import { describe, expect, it } from "vitest";
import { requestOf } from "../../test/http-fixture.js";
import { clientKind } from "./client.js";

describe("what a client says about itself", () => {
  it.each<[string, Record<string, string>, boolean, boolean]>([
    [
      "a browser",
      {
        "x-signalr-user-agent": "Microsoft SignalR/10.0 (10.0.11; Unknown OS; Browser; Unknown Runtime Version)",
        "user-agent": "Mozilla/5.0",
      },
      true,
      false,
    ],
    ["Node", { "user-agent": "Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.20.2)" }, true, false],
    [".NET", { "user-agent": "Microsoft SignalR/8.0 (8.0.1; Windows NT; .NET; .NET 8.0.1)" }, true, true],
    ["Java", { "user-agent": "Microsoft SignalR/8.0 (8.0.1; Linux; Java; 17)" }, true, true],
    [
      "a runtime that only sounds like .NET",
      { "user-agent": "Microsoft SignalR/8.0 (8.0.1; Linux; .NETish; 1)" },
      true,
      false,
    ],
    ["a client of 2019 and before", { "user-agent": "node-fetch" }, false, false],
    ["nobody", {}, false, false],
    ["somebody who quotes it", { "user-agent": "curl (like Microsoft SignalR/8.0; .NET)" }, false, false],
    [
      "a browser whose page adds what it may not set",
      { "user-agent": "Mozilla/5.0 Microsoft SignalR/8.0 (; .NET;)" },
      false,
      false,
    ],
  ])("%s", (_, headers, isStock, isNoScript) => {
    const follows = { isStock, sendsHeadersOnly: isNoScript, takesCodeForFailure: isNoScript };
    expect(clientKind(requestOf({ headers }))).toEqual(follows);
  });
});
