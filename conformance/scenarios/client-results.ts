/** Calls of the server that a client answers. */

import { ClientError, HubwardError, type ConnectionId } from "@hubward/server";
import { expect } from "vitest";
import { text } from "../../tests/support/schemas.js";
import { createWorld, failure, type World } from "../support/world.js";
import type { Scenario } from "./scenario.js";

/** A hub whose methods ask clients. */
async function createAsking(): Promise<{ readonly world: World; readonly url: string }> {
  const world = await createWorld();
  const { app } = world;
  app
    .hub("/hubs/asking")
    .allow(app.policy("AskAnyone", () => true))
    .methods((m) => ({
      AskMe: m.args(text).handle(async (call, question) => {
        try {
          return await call
            .toCaller()
            .invoke("answer", [question], { result: text, timeoutMs: 5_000, signal: call.signal });
        } catch (error) {
          if (error instanceof ClientError) return `client: ${error.message}`;
          if (error instanceof HubwardError) return error.message;
          throw error;
        }
      }),
      AskThem: m
        .args(text, text)
        .handle((call, id, question) =>
          call.toConnection(id as ConnectionId).invoke("answer", [question], { result: text }),
        ),
    }));
  return { world, url: `http://127.0.0.1:${world.port}/hubs/asking` };
}

export const clientResults: readonly Scenario[] = [
  {
    name: "answers what a method asks",
    needs: ["client results"],
    async run(client) {
      const { world, url } = await createAsking();
      const party = await world.connect(client, {}, {}, url);
      party.connection.on("answer", (question: string) => `${question}!`);
      expect(await party.connection.invoke("AskMe", "who")).toBe("who!");
    },
  },
  {
    name: "answers late, out of order, and many at a time, though calls run one by one",
    needs: ["client results"],
    async run(client) {
      const { world, url } = await createAsking();
      const party = await world.connect(client, {}, {}, url);
      const open: ((value: string) => void)[] = [];
      party.connection.on(
        "answer",
        (question: string) =>
          new Promise<string>((resolve) => {
            open.push(() => resolve(question));
            // Only when all are asked, and the last one first.
            if (open.length === 30) for (const answer of open.toReversed()) answer("");
          }),
      );
      const calls = Array.from({ length: 30 }, (_, index) => party.connection.invoke("AskMe", `question ${index}`));
      expect(await Promise.all(calls)).toEqual(Array.from({ length: 30 }, (_, index) => `question ${index}`));
    },
  },
  {
    name: "answers with an error, with nothing, or with what does not fit",
    needs: ["client results"],
    async run(client) {
      const { world, url } = await createAsking();
      const party = await world.connect(client, {}, {}, url);
      const { connection } = party;
      expect(await connection.invoke("AskMe", "x")).toBe("client: Client didn't provide a result.");
      connection.on("answer", (): string => {
        throw new Error("not telling");
      });
      expect(await connection.invoke("AskMe", "x")).toMatch(/^client: .*not telling/);
      connection.off("answer");
      connection.on("answer", () => 42);
      expect(await connection.invoke("AskMe", "x")).toBe("bad_arguments;action=fix-request: the client's result");
    },
  },
  {
    name: "that answers too late is not waited for, and its answer harms nobody",
    needs: ["client results"],
    async run(client) {
      const { world, url } = await createAsking();
      const party = await world.connect(client, {}, {}, url);
      let answer: (value: string) => void = () => undefined;
      const asked = new Promise<void>((heard) => {
        party.connection.on("answer", () => {
          heard();
          return new Promise<string>((resolve) => (answer = resolve));
        });
      });
      const call = party.connection.invoke("AskMe", "x");
      await asked;
      world.clock.advance(5_000);
      expect(await call).toBe("upstream_timeout;action=retry-after");
      answer("too late");
      party.connection.off("answer");
      party.connection.on("answer", () => "in time");
      expect(await party.connection.invoke("AskMe", "x")).toBe("in time");
    },
  },
  {
    name: "is asked by somebody else's call, who hears when it goes away",
    needs: ["client results"],
    async run(client) {
      const { world, url } = await createAsking();
      const [asker, asked] = [await world.connect(client, {}, {}, url), await world.connect(client, {}, {}, url)];
      const id = asked.connection.connectionId;
      asked.connection.on("answer", (question: string) => `${question}?`);
      expect(await asker.connection.invoke("AskThem", id, "you")).toBe("you?");
      asked.connection.off("answer");
      const heard = new Promise<void>((resolve) => {
        asked.connection.on("answer", () => {
          resolve();
          return new Promise<string>(() => undefined);
        });
      });
      const unanswered = failure(asker.connection.invoke("AskThem", id, "you"));
      await heard;
      await asked.connection.stop();
      // The other's fate is the log's, not the asker's.
      const words = "An unexpected error occurred invoking 'AskThem' on the server.";
      expect((await unanswered).message).toBe(words);
      expect((await failure(asker.connection.invoke("AskThem", id, "you"))).message).toBe(words);
    },
  },
];
