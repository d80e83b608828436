/** What the environment says about the demo, checked before anything starts. */

import { isIP } from "node:net";

export interface ClinicConfig {
  /** 0 takes any free port. */
  readonly port: number;
  /** Address or name to listen on. */
  readonly host: string;
  /** Where browsers reach the demo. Undefined: `http://127.0.0.1:PORT`. */
  readonly publicOrigin: string | undefined;
  /** Life of an access token. */
  readonly accessTokenSeconds: number;
  /** Folder of the signing key and the refresh secret. */
  readonly dataDirectory: string;
  /** File of the login sessions, the remembered commands and the revocations. Undefined: kept in memory. */
  readonly database: string | undefined;
}

export const configDefaults = {
  port: 3000,
  host: "127.0.0.1",
  accessTokenSeconds: 300,
  dataDirectory: ".hubward",
} as const;

export type ConfigReading =
  | { readonly ok: true; readonly config: ClinicConfig }
  /** One line for each value that cannot be used. */
  | { readonly ok: false; readonly problems: readonly string[] };

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the environment. A variable that is set but empty counts as not set. */
export function readConfig(env: Environment): ConfigReading {
  const problems: string[] = [];

  function read<T>(name: string, fallback: T, parse: (text: string) => T | undefined, expected: string): T {
    const text = env[name] ?? "";
    if (text === "") return fallback;
    const value = parse(text);
    if (value !== undefined) return value;
    problems.push(`${name}: ${expected}`);
    return fallback;
  }

  const config: ClinicConfig = {
    port: read<number>("PORT", configDefaults.port, wholeNumber(0, 65_535), "a whole number from 0 to 65535"),
    host: read<string>("HOST", configDefaults.host, parseHost, "an IP address (IPv6 without brackets) or a host name"),
    publicOrigin: read<string | undefined>(
      "PUBLIC_ORIGIN",
      undefined,
      parseOrigin,
      "an origin as browsers write it, such as https://ward.example, without a path",
    ),
    accessTokenSeconds: read<number>(
      "ACCESS_TOKEN_SECONDS",
      configDefaults.accessTokenSeconds,
      wholeNumber(5, 3600),
      "a whole number from 5 to 3600",
    ),
    dataDirectory: read<string>("HUBWARD_DATA", configDefaults.dataDirectory, parsePath, "a path"),
    database: read<string | undefined>("CLINIC_DATABASE", undefined, parsePath, "a path"),
  };
  if (env["NODE_ENV"] === "production") {
    problems.push("NODE_ENV: the demo and its made-up people do not run in production");
  }
  return problems.length === 0 ? { ok: true, config } : { ok: false, problems };
}

/** Whether only this machine can reach what listens there. A name other than localhost could be anywhere. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith("127.");
  return host === "::1" || host.toLowerCase() === "localhost";
}

function wholeNumber(least: number, most: number): (text: string) => number | undefined {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? value : undefined;
  };
}

function parseHost(text: string): string | undefined {
  const isName =
    /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/.test(text);
  // What looks like an IPv4 address and is none must not go to a name server.
  const looksNumeric = /^[\d.]+$/.test(text);
  return isIP(text) !== 0 || (isName && !looksNumeric) ? text : undefined;
}

function parseOrigin(text: string): string | undefined {
  const looksRight = /^https?:\/\/(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d{1,5})?$/.test(text);
  return looksRight && URL.canParse(text) && new URL(text).origin === text ? text : undefined;
}

function parsePath(text: string): string | undefined {
  return text.includes("\0") ? undefined : text;
}
