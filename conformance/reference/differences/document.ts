/** The intended differences as the page that people read: docs/signalr-differences.md. */

import { fileURLToPath } from "node:url";
import { format } from "prettier";
import { intended, type Intended } from "./intended.js";

export const documentPath: string = fileURLToPath(new URL("../../../docs/signalr-differences.md", import.meta.url));

const OPENING = `# Where Hubward's SignalR differs from ASP.NET Core's

What a SignalR client gets to see otherwise on the wire. Everything that is not on this page is the same, as far as
[\`conformance/reference\`](../conformance/reference/README.md) looks: it plays some 390 runs of raw HTTP, WebSockets,
server-sent events and long polling against ASP.NET Core SignalR 10.0.12 and against Hubward, and compares what comes line
by line. Each row stands for at least one line that differs there; a row that no longer holds fails the test that writes
this page. What differs for those who write hubs is in [SignalR, as Hubward speaks it](signalr.md).
`;

/** As it must stand in the file. */
export function renderDocument(): Promise<string> {
  const all: readonly Intended[] = Object.values(intended);
  const topics = [...new Set(all.map(({ topic }) => topic))];
  const sections = topics.map((topic) => {
    const rows = all.filter((each) => each.topic === topic);
    const lines = rows.map(
      ({ what, aspNetCore, hubward, why }) => `| ${[what, aspNetCore, hubward, why].join(" | ")} |`,
    );
    return [`## ${topic}`, "", "| | ASP.NET Core | Hubward | why |", "| --- | --- | --- | --- |", ...lines].join("\n");
  });
  return format([OPENING, ...sections].join("\n\n"), { parser: "markdown", printWidth: 120 });
}
