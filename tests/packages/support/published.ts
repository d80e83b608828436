/** The published packages: what a user would find on the registry, and how it is packed. */

import { readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { run } from "./run.js";

export const root = join(import.meta.dirname, "../../..");

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

export interface PublishedPackage {
  readonly name: string;
  readonly folder: string;
  /** Everything that can be imported: `@hubward/server`, `@hubward/server/node`, … */
  readonly specifiers: readonly string[];
  /** Those among them that are for users of an optional peer: `@hubward/server/express`. */
  readonly peerSpecifiers: readonly string[];
}

export function publishedPackages(): readonly PublishedPackage[] {
  return readdirSync(join(root, "packages"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => ({ folder: join("packages", entry.name), manifest: manifestOf(join("packages", entry.name)) }))
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ folder, manifest }) => {
      const { name, exports, peerDependenciesMeta = {} } = manifest;
      const subpaths = Object.keys(exports).filter((subpath) => !subpath.endsWith(".json"));
      const peers = Object.keys(peerDependenciesMeta).map((peer) => `./${peer.replace("@types/", "")}`);
      const specifier = (subpath: string): string => name + subpath.slice(1);
      return {
        name,
        folder,
        specifiers: subpaths.map(specifier),
        peerSpecifiers: subpaths.filter((subpath) => peers.includes(subpath)).map(specifier),
      };
    });
}

/** Packs all of them as npm would publish them. Returns the tarball of each by its name. */
export async function packInto(folder: string): Promise<ReadonlyMap<string, string>> {
  const packages = publishedPackages();
  const folders = packages.map((one) => `./${one.folder}`);
  const packed = await run(
    "npm",
    ["pack", "--json", "--ignore-scripts", "--pack-destination", folder, ...folders],
    root,
  );
  const tarballs = JSON.parse(packed) as readonly { readonly name: string; readonly filename: string }[];
  return new Map(
    tarballs.map(({ name, filename }) => [name, join(folder, basename(filename.replace("@", "").replace("/", "-")))]),
  );
}

/** The version this repository itself uses. */
export function pinned(dependency: string): string {
  const { devDependencies } = manifestOf(".") as unknown as { readonly devDependencies: Record<string, string> };
  const version = devDependencies[dependency];
  if (version === undefined) throw new TypeError(`pinned: ${dependency} is not at the root`);
  return version;
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest;
}
