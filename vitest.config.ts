import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Without network or state of the process: files share a process and the modules it has loaded. */
const units = ["packages/**/*.test.ts", "apps/clinic/page/**/*.test.ts"];

/** With sockets, browsers, processes or planted faults: each file has a process of its own. */
const worlds = ["apps/clinic/server/**/*.test.ts", "{tests,conformance,examples}/**/*.test.ts"];

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
    exclude: ["**/node_modules/**", "**/dist/**"],
    // Vitest leaves one core to itself, which on two is half of them; it has next to nothing to do while tests run.
    maxWorkers: availableParallelism(),
    testTimeout: 20_000,
    hookTimeout: 60_000,
    reporters: ["default", "./scripts/closing-line-reporter.ts"],
    projects: [
      { extends: true, test: { name: "units", include: units, isolate: false, restoreMocks: true } },
      { extends: true, test: { name: "worlds", include: worlds } },
    ],
  },
});
