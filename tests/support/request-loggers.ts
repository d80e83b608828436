/** The request loggers people use, on plain node:http, writing into lists. */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import morgan from "morgan";
import { pinoHttp } from "pino-http";

export interface LoggedServer {
  readonly lines: string[];
  /** URLs of upgrades that some listener was shown. */
  readonly upgrades: string[];
}

/** Mounts morgan and pino-http, each with a route of its own that answers, and a listener that notes upgrades. */
export function mountLoggers(server: Server, route: string): LoggedServer {
  const lines: string[] = [];
  const upgrades: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  const morganLog = morgan("combined", { stream, immediate: false });
  const pinoLog = pinoHttp({ level: "trace" }, stream);
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    pinoLog(request, response);
    morganLog(request, response, () => {
      if (request.url?.startsWith(route) === true && !response.writableEnded) response.end("an ordinary answer");
    });
  });
  server.on("upgrade", (request: IncomingMessage) => void upgrades.push(request.url ?? ""));
  return { lines, upgrades };
}
