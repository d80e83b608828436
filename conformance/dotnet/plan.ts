/** What the .NET client is run over, and which of its scenarios are not compared. */

export const DOTNET_CLIENT = "Microsoft.AspNetCore.SignalR.Client 10.0.14";

export const dotnetCombinations = [
  ["WebSockets", "json"],
  ["WebSockets", "messagepack"],
  ["ServerSentEvents", "json"],
  ["LongPolling", "json"],
  ["LongPolling", "messagepack"],
] as const;

export const leftOut: Readonly<Record<string, string>> = {
  "two uploads":
    "fails in the client itself, with ASP.NET Core as well: its CancellationTokenSource is disposed of too early",
};
