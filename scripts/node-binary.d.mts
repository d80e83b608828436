export const plainEnvironment: Readonly<Record<string, string>>;

/** Where the binary is, or why there is none. */
export type NodeBinary = { readonly path: string; readonly version: string } | { readonly missing: string };

/** @param version `22`, or `20.19` */
export function findNode(version: string): Promise<NodeBinary>;
