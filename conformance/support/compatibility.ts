/** The table of docs/compatibility.md: what the suite runs, counted from the plan that its tests are made of. */

import { DOTNET_CLIENT, dotnetCombinations, leftOut } from "../dotnet/plan.js";
import { playOf, scenarios } from "./matrix.js";
import { everyStockClient } from "./stock-clients.js";

const ENCODINGS = { json: "JSON", messagepack: "MessagePack" } as const;

/** `dotnetScenarios`: how many each combination plays, by transport. */
export function compatibilityTable(dotnetScenarios: (transport: string) => number): string {
  const rows = everyStockClient.map((client) => {
    const { run, without } = playOf(client, scenarios);
    const missing = [...without].map(([capability, count]) => `${capability} (${count})`).join(", ");
    return [
      client.library,
      client.transport,
      ENCODINGS[client.encoding],
      `${run.length} of ${scenarios.length}`,
      missing || "–",
      `${playOf(client).run.length}`,
    ];
  });
  const dotnet = dotnetCombinations.map(([transport, encoding]) => {
    const count = dotnetScenarios(transport);
    const names = Object.keys(leftOut);
    return [
      DOTNET_CLIENT,
      transport,
      ENCODINGS[encoding],
      `${count} of ${count + names.length}`,
      names.join(", "),
      `${count}`,
    ];
  });
  const head = ["client", "transport", "encoding", "scenarios passed", "left out", "in every run"];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...[...rows, ...dotnet].map(line)].join("\n");
}
