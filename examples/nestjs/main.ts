/** Hubward in a NestJS 11 application. */

import "reflect-metadata";
import { Logger, Module, type BeforeApplicationShutdown, type LogLevel } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";
import { attach } from "@hubward/server/node";
import type { NextFunction, Request, Response } from "express";
import { announce, app, host, onEnd, port } from "../ward.mjs";
import { RefusalFilter } from "./require-policy.js";
import { WardController } from "./ward.controller.js";

@Module({ controllers: [WardController] })
class WardModule implements BeforeApplicationShutdown {
  /** Before Nest closes the server, which waits for its WebSockets. */
  async beforeApplicationShutdown(): Promise<void> {
    await app.close();
  }
}

const levels: LogLevel[] = ["verbose", "debug", "log", "warn", "error", "fatal"];
const nest = await NestFactory.create<NestExpressApplication>(WardModule, { logger: levels });
nest.useGlobalFilters(new RefusalFilter());

// Sees every request but the hubs': those are taken before Nest.
const log = new Logger("Requests");
nest.use(({ method, originalUrl }: Request, response: Response, next: NextFunction) => {
  response.on("finish", () => log.verbose(`${method} ${originalUrl} ${response.statusCode}`));
  next();
});

const server = nest.getHttpServer();
attach(server, app);
await nest.listen(port, host);
announce(server);
onEnd(() => nest.close());
