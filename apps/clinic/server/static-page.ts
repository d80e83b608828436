/**
 * Hands out the built page: its document at `/`, and the files that carry a hash of their content in their name; and the
 * notes page, whose few files nothing builds.
 */

import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";

export type StaticPage = (path: string) => Promise<Response>;

const contentTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/** One plain name: no folder, nothing encoded, no leading dot, so there is no way out of the folder. */
const assetPattern = /^\/assets\/([A-Za-z0-9_-][A-Za-z0-9_.-]{0,199})$/;

/** Files are read when asked for: a build may add some while the demo runs. */
export function createStaticPage(directory: string): StaticPage {
  return async (path) => {
    if (path === "/" || path === "/index.html") return await send(join(directory, "index.html"), "no-store");
    const asset = assetPattern.exec(path)?.[1];
    if (asset === undefined) return notFound();
    return await send(join(directory, "assets", asset), "public, max-age=31536000, immutable");
  };
}

/** By the path they are asked for: nothing else of the folder is handed out. */
const notesFiles: ReadonlyMap<string, string> = new Map([
  ["/notes", "index.html"],
  ["/notes/notes.js", "notes.js"],
  ["/notes/notes.css", "notes.css"],
]);

export function createNotesPage(directory: string): StaticPage {
  return async (path) => {
    const file = notesFiles.get(path);
    return file === undefined ? notFound() : await send(join(directory, file), "no-store");
  };
}

async function send(file: string, cacheControl: string): Promise<Response> {
  const contentType = contentTypes[extname(file)];
  const bytes = contentType === undefined ? undefined : await readIfThere(file);
  if (bytes === undefined) return notFound();
  return new Response(new Uint8Array(bytes), {
    headers: { "content-type": contentType ?? "", "cache-control": cacheControl },
  });
}

export function notFound(): Response {
  return new Response("Not found\n", {
    status: 404,
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  });
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "EISDIR" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
