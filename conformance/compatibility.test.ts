/** docs/compatibility.md says what the suite runs. `HUBWARD_TABLE=write` writes the table anew. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { leftOut } from "./dotnet/plan.js";
import { compatibilityTable } from "./support/compatibility.js";
import { shares } from "./support/matrix.js";
import { everyStockClient } from "./support/stock-clients.js";

const page = new URL("../docs/compatibility.md", import.meta.url);
const reference = JSON.parse(readFileSync(new URL("dotnet/reference-results.json", import.meta.url), "utf8")) as {
  readonly results: Readonly<Record<string, unknown>>;
};
const MARKS = /(?<=<!-- table -->\n\n)[^]*(?=\n\n<!-- end of table -->)/;

/** The formatter pads cells; that is no difference. */
const unpadded = (table: string): string => table.replace(/ +\|/g, " |").replace(/-+/g, "-");

test("the page's table is what the suite runs", () => {
  const wanted = compatibilityTable(
    (transport) =>
      Object.keys(reference.results).filter(
        (name) => !(name in leftOut) && (transport === "WebSockets" || !name.startsWith("stateful reconnect")),
      ).length,
  );
  if (process.env["HUBWARD_TABLE"] === "write")
    writeFileSync(
      page,
      readFileSync(page, "utf8").replace(MARKS, () => wanted),
    );
  expect(unpadded(MARKS.exec(readFileSync(page, "utf8"))?.[0] ?? "")).toBe(unpadded(wanted));
});

test("every version is run by a test file", () => {
  const shared = Object.values(shares).flat();
  expect(new Set(everyStockClient.map(({ version }) => version))).toEqual(new Set(shared));
  const folder = new URL("./", import.meta.url);
  const files = readdirSync(folder).filter((name) => /^stock-clients-.*\.test\.ts$/.test(name));
  const played = files.map((name) => /playShare\("([^"]+)"\)/.exec(readFileSync(new URL(name, folder), "utf8"))?.[1]);
  expect(played.toSorted((a, b) => String(a).localeCompare(String(b)))).toEqual(
    Object.keys(shares).toSorted((a, b) => a.localeCompare(b)),
  );
});
