import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

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
    include: ["{packages,apps}/**/*.test.ts", "{tests,conformance,examples}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    reporters: ["default", "./scripts/closing-line-reporter.ts"],
  },
});
