/**
 * Builds the page into `apps/clinic/dist/page`, which the demo's server hands out as it is: `npx vite build page`.
 */
import { preact } from "@preact/preset-vite";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [preact()],
  base: "/",
  publicDir: false,
  build: {
    outDir: "../dist/page",
    // A running demo serves this folder: a build only adds files, and names carry a hash of their content.
    emptyOutDir: false,
    target: ["chrome123", "edge123", "firefox121", "safari17.5"],
    // The page runs under `default-src 'self'`: nothing may be inlined into the document.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
});
