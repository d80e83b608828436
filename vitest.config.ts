import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import InListedOrder from "./scripts/in-listed-order.js";

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const notOurs = ["**/node_modules/**", "**/dist/**"];

/** Nothing but long waits: first, so that nobody waits for them at the end. */
const waits = ["tests/edge/idle-poll.test.ts"];

/** Where credentials end after real seconds: when all else is done, and few at a time. */
const realTime = [
  "tests/browser/{credential-life,no-token-in-urls,notes-renewal}.test.ts",
  "conformance/drills-in-real-time.test.ts",
];

/** In front of a screen: long, and half of it waiting for what a page shows, however late that is. */
const screens = ["tests/browser/**/*.test.ts"];

/** They change what a process has once: a module, a class of ours, the globals. Each file has a process of its own. */
const alone = ["tests/history/faults.test.ts", "conformance/ngx-signalr-websocket.test.ts"];

/** The stock clients of every version; the oldest need a global that Node lacks, so in processes of their own kind. */
const clients = ["conformance/**/*.test.ts"];

/** With sockets and processes, each on its own ports and ended with its test: files share a process as units do. */
const worlds = ["apps/clinic/server/**/*.test.ts", "{tests,examples}/**/*.test.ts"];

/** Beside what they test, and leaving nothing behind: files share a process and the modules it has loaded. */
const units = ["packages/**/*.test.ts", "apps/clinic/page/**/*.test.ts"];

const named = [...notOurs, ...waits, ...realTime, ...alone];

/** More than cores, for whoever waits for a screen, a socket, a process or a timer leaves its core to another. */
const workers = availableParallelism() + 2;

/** Tests run the sources; whatever starts as a process of its own (the demo, benches) runs the build. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@hubward\/wire$/, replacement: source("packages/wire/src/index.ts") },
      { find: /^@hubward\/server$/, replacement: source("packages/server/src/app/index.ts") },
      { find: /^@hubward\/server\/ports$/, replacement: source("packages/server/src/core/ports.ts") },
      {
        find: /^@hubward\/server\/(node|jose|express|fastify|hono)$/,
        replacement: source("packages/server/src/adapters/$1/index.ts"),
      },
      { find: /^@hubward\/sessions$/, replacement: source("packages/sessions/src/index.ts") },
      { find: /^@hubward\/sqlite$/, replacement: source("packages/sqlite/src/index.ts") },
      { find: /^@hubward\/testing$/, replacement: source("packages/testing/src/index.ts") },
    ],
  },
  test: {
    exclude: notOurs,
    maxWorkers: workers,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    reporters: ["default", "./scripts/closing-line-reporter.ts"],
    sequence: { sequencer: InListedOrder },
    projects: [
      { extends: true, test: { name: "waits", include: waits } },
      { extends: true, test: { name: "screens", include: screens, exclude: named, isolate: false } },
      { extends: true, test: { name: "alone", include: alone } },
      { extends: true, test: { name: "clients", include: clients, exclude: named, isolate: false } },
      {
        extends: true,
        test: { name: "worlds", include: worlds, exclude: [...named, ...screens], isolate: false },
      },
      { extends: true, test: { name: "units", include: units, isolate: false, restoreMocks: true } },
      {
        extends: true,
        test: { name: "real time", include: realTime, maxWorkers: 2, sequence: { groupOrder: 1 }, testTimeout: 60_000 },
      },
    ],
  },
});
