/** Renders results: markdown on standard output, JSON in `bench/results/`, which git ignores. */

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows
 */
export function renderTable(head, rows) {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join("\n");
}

/** @param {number} value */
export function formatNumber(value) {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1000) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 100 ? 1 : 2);
}

/** @param {{ median: number, least: number, most: number } | null} ratio "0.93 (0.90–0.97)" */
export function formatRatio(ratio) {
  if (!ratio) return "–";
  return `${ratio.median.toFixed(2)} (${ratio.least.toFixed(2)}–${ratio.most.toFixed(2)})`;
}

/**
 * @typedef {object} Target
 * @property {string} name
 * @property {number} most the ratio that may not be exceeded
 * @property {{ median: number, least: number, most: number } | null} measured null: not measured in this run
 */

/**
 * @param {readonly Target[]} targets
 * @param {boolean} isQuick a smoke run judges nothing
 */
export function renderTargets(targets, isQuick) {
  const verdict = ({ most, measured }) => {
    if (!measured) return "not measured";
    if (isQuick) return "not judged";
    return measured.median <= most ? "met" : "MISSED";
  };
  return renderTable(
    ["target", "at most", "measured: median (least–most)", "verdict"],
    targets.map((target) => [target.name, target.most.toFixed(2), formatRatio(target.measured), verdict(target)]),
  );
}

/**
 * Writes a run's record.
 *
 * @param {string} name "fanout" or "connect"
 * @param {object} record
 * @returns {string} the file's path
 */
export function writeRecord(name, record) {
  const folder = new URL("../results/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  const file = new URL(`${name}-${new Date().toISOString().replaceAll(":", "-")}.json`, folder);
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
  return fileURLToPath(file);
}
