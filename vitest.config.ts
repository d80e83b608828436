import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const notOurs = ["**/node_modules/**", "**/dist/**"];

/** Beside what they test, and leaving nothing behind: files share a process and the modules it has loaded. */
const units = ["packages/**/*.test.ts", "apps/clinic/page/**/*.test.ts"];

/** With sockets, processes or planted faults: each file has a process of its own. */
const worlds = ["apps/clinic/server/**/*.test.ts", "{tests,conformance,examples}/**/*.test.ts"];

/** In front of a screen, where credentials end in real time: one file after the other, when all else is done. */
const browser = ["tests/browser/**/*.test.ts"];

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
    // Vitest leaves one core to itself, which on two is half of them; it has next to nothing to do while tests run.
    maxWorkers: availableParallelism(),
    testTimeout: 20_000,
    hookTimeout: 60_000,
    reporters: ["default", "./scripts/closing-line-reporter.ts"],
    projects: [
      { extends: true, test: { name: "units", include: units, isolate: false, restoreMocks: true } },
      { extends: true, test: { name: "worlds", include: worlds, exclude: [...notOurs, ...browser] } },
      { extends: true, test: { name: "browser", include: browser, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
