/** What a process that is killed in the middle leaves behind: real processes, SIGKILL, the same file again. */

import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { engines, newPath, start } from "../test/fixture.js";

interface Answer {
  readonly status?: number;
  readonly cookie?: string;
  readonly body?: string;
  readonly paused?: string;
  readonly ended?: string;
}

interface Process {
  ask(line: string): Promise<Answer>;
  tell(line: string): void;
  answer(): Promise<Answer>;
  kill(): Promise<void>;
}

describe.each(engines)("a process killed, on %s,", (engine) => {
  const secret = randomBytes(32).toString("base64url");

  async function run(path: string): Promise<Process> {
    const child = start("sign-in.mjs", engine, path, secret);
    const answer = async (): Promise<Answer> => JSON.parse(await child.line()) as Answer;
    expect(await answer()).toEqual({ ready: true });
    const ask = async (line: string): Promise<Answer> => {
      child.say(line);
      return await answer();
    };
    return { ask, answer, tell: (line) => child.say(line), kill: () => child.kill() };
  }

  const generationOf = (cookie: string | undefined): string | undefined => cookie?.split(".")[1];

  it("before a refresh was committed: the token is as good as before", async () => {
    const path = newPath();
    const first = await run(path);
    const { cookie } = await first.ask("login");
    first.tell("pause issue");
    expect(await first.ask(`refresh ${cookie}`)).toEqual({ paused: "issue" });
    await first.kill();

    const second = await run(path);
    const retried = await second.ask(`refresh ${cookie}`);
    expect([retried.status, generationOf(retried.cookie)]).toEqual([200, "1"]);
    expect((await second.ask(`refresh ${retried.cookie}`)).status).toBe(200);
  });

  it("after the commit and before the answer: the same token gets the successor that was lost, every time", async () => {
    const path = newPath();
    const first = await run(path);
    const { cookie } = await first.ask("login");
    first.tell("pause commit");
    expect(await first.ask(`refresh ${cookie}`)).toEqual({ paused: "commit" });
    await first.kill();

    const second = await run(path);
    const retried = await second.ask(`refresh ${cookie}`);
    expect([retried.status, generationOf(retried.cookie)]).toEqual([200, "1"]);
    expect((await second.ask(`refresh ${cookie}`)).cookie).toBe(retried.cookie);
    expect((await second.ask(`refresh ${retried.cookie}`)).status).toBe(200);
    expect((await second.ask(`refresh ${cookie}`)).status).toBe(409);
  });

  it(
    "at any moment of a refresh: no family is lost, and nobody is taken for a thief",
    { timeout: 60_000 },
    async () => {
      const path = newPath();
      let process = await run(path);
      let { cookie } = await process.ask("login");
      for (let round = 0; round < 6; round++) {
        process.tell(`refresh ${cookie}`);
        // Sometimes before it reads the line, sometimes long after it answered.
        await new Promise((resolve) => setTimeout(resolve, round * 2));
        await process.kill();
        process = await run(path);
        const retried = await process.ask(`refresh ${cookie}`);
        expect(retried.status).toBe(200);
        cookie = retried.cookie;
      }
      expect(generationOf(cookie)).toBe("6");
    },
  );

  it("after a logout was committed and before the application was told: it is told at the next sight", async () => {
    const path = newPath();
    const first = await run(path);
    const { cookie } = await first.ask("login");
    first.tell("pause told");
    expect(await first.ask(`logout ${cookie}`)).toEqual({ paused: "told" });
    await first.kill();

    const second = await run(path);
    expect(await second.ask(`refresh ${cookie}`)).toEqual({ ended: "logout" });
    expect((await second.answer()).status).toBe(401);
    expect((await second.ask(`logout ${cookie}`)).status).toBe(204);
  });

  it("leaves no token and no key in any of its files", async () => {
    const path = newPath();
    const process = await run(path);
    const answers = [await process.ask("login")];
    for (let count = 0; count < 3; count++) answers.push(await process.ask(`refresh ${answers.at(-1)?.cookie}`));
    await process.ask(`logout ${answers.at(-1)?.cookie}`);
    await process.kill();

    const tokens = answers.flatMap(({ cookie, body }) => {
      const { access_token: accessToken } = JSON.parse(body ?? "") as { access_token: string };
      const mac = String(cookie?.split(".")[2]);
      return [String(cookie?.split("=")[1]), mac, accessToken, accessToken.split(".")[2]];
    });
    expect(tokens.every((token) => token !== undefined && token.length >= 43)).toBe(true);
    const secrets = [...tokens, secret].flatMap((text) => [
      Buffer.from(String(text)),
      Buffer.from(String(text), "base64url"),
    ]);
    const files = readdirSync(dirname(path)).map((file) => readFileSync(join(dirname(path), file)));
    // What is there is looked at: the session's own data.
    expect(files.some((bytes) => bytes.includes("nurse-7"))).toBe(true);
    for (const bytes of files) expect(secrets.some((one) => bytes.includes(one))).toBe(false);
  });
});
