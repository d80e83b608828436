/** docs/rooms.md, followed to the letter: its programs, its lines, and what it says that they print. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browserSuite } from "../browser/support/chromium.js";
import { missingPython, python } from "../support/python.js";
import { enterRooms } from "../support/rooms-client.js";
import { readPage } from "./support/pages.js";
import { launchFor } from "./support/browser.js";
import { makeFolder, writeRunnable, type Folder } from "./support/programs.js";
import { runLine, startServer, type Running } from "./support/run.js";
import { hubSecret, tokenOf } from "./support/visitor.js";

const page = readPage("docs/rooms.md");
const lines = page.blocks.filter(({ language }) => language === "bash").flatMap(({ text }) => text.trim().split("\n"));

let folder: Folder;

beforeAll(async () => {
  folder = makeFolder();
  await writeRunnable(page, folder);
  for (const { language, file, text } of page.blocks) if (language === "python") folder.write(file ?? "", text);
  const token = readPage("docs/quick-start.md").blocks.find(({ file }) => file === "token.mjs");
  folder.write("token.mjs", token?.text ?? "");
  folder.write(".env", `HUB_SECRET=${hubSecret}\n`);
});
afterAll(() => folder?.remove());

/** The one line of the page that has this in it. */
function lineWith(text: string): string {
  const [line, another] = lines.filter((one) => one.includes(text));
  if (line === undefined || another !== undefined) throw new Error(`not one line with ${text}`);
  return line;
}

function printed(name: string): string {
  const block = page.blocks.find(({ output }) => output === name);
  if (block === undefined) throw new Error(`no output=${name}`);
  return block.text;
}

const start = (): Promise<Running> => startServer(lineWith("rooms.mjs"), { cwd: folder.path });

test("the line for a ticket gives one, and it opens a room", async () => {
  const { port } = await start();
  const answer = await runLine(lineWith("curl").replace("127.0.0.1:3000", `127.0.0.1:${port}`), folder.path);
  const { ticket } = JSON.parse(answer) as { readonly ticket: string };
  expect(answer.replace(ticket, "hwt_…").trim()).toBe(printed("ticket").trim());
  expect(ticket).toMatch(/^hwt_[\w-]{20,}$/);
});

test.each(["omar", "nina", "zoe"])("as %s, the client that stays prints what the page says", async (name) => {
  const { port } = await start();
  expect(await runLine(lineWith(`client.mjs "$(node --env-file=.env token.mjs ${name})`), folder.path, port)).toBe(
    printed(name),
  );
});

test("the client that stays comes back when its connection is lost, and its room is joined again", async () => {
  const { port } = await start();
  const source = readFileSync(join(folder.path, "client.mjs"), "utf8");
  const program = source
    .replace(
      "if (frame.id === 4) end();",
      "if (frame.id === 1) console.log(`in ${++joins}`);\n    if (frame.id === 4) joins === 1 ? lose() : end();",
    )
    .replace("const end = stay(", "let joins = 0;\nlet lose;\nconst end = stay(")
    .replace("const send =", "lose = () => socket.terminate();\n    const send =");
  writeFileSync(join(folder.path, "returning.mjs"), program);
  const output = await runLine(`node returning.mjs ${await tokenOf("omar")}`, folder.path, port);
  expect(output.match(/^in \d$/gm)).toEqual(["in 1", "in 2"]);
  expect(output.endsWith("over: done\n")).toBe(true);
});

const missing = missingPython();
if (missing !== undefined && process.env["CI"] !== "true") console.warn(`SKIPPED: docs/rooms.md in Python: ${missing}`);
describe.skipIf(missing !== undefined && process.env["CI"] !== "true")("in Python", () => {
  test.each([
    ["python", 'rooms.py "$(node'],
    ["nonsense", "rooms.py nonsense"],
  ])("%s: the client prints what the page says", async (name, part) => {
    const { port } = await start();
    const source = readFileSync(join(folder.path, "rooms.py"), "utf8").replace("localhost:3000", `127.0.0.1:${port}`);
    writeFileSync(join(folder.path, "here.py"), source);
    const line = lineWith(part).replace("python3 rooms.py", `${python} here.py`);
    expect(await runLine(line, folder.path)).toBe(printed(name));
  });
});

browserSuite("the page of docs/rooms.md", () => {
  test("comes in, sees who is there and who comes, and hears what is said", async () => {
    const { port } = await start();
    const token = await tokenOf("nina");
    const tab = await (await launchFor(port)).newPage();
    const urls: string[] = [];
    tab.on("websocket", (socket) => urls.push(socket.url()));
    await tab.goto("http://localhost:3000/");
    await tab.fill("input[name=token]", token);
    await tab.click("button");
    await tab.waitForFunction("document.querySelector('pre').textContent.includes('present')");
    const omar = await enterRooms(port, await tokenOf("omar"));
    await omar.ask({ type: "join", room: "ward/icu" });
    await tab.waitForFunction("document.querySelector('pre').textContent.includes('joined')");
    await omar.ask({ type: "publish", room: "ward/icu", event: "note", payload: "bed 4 is free" });
    await tab.waitForFunction("document.querySelector('pre').textContent.includes('bed')");
    expect(await tab.textContent("pre")).toBe("present: nina\njoined: omar\nomar: bed 4 is free\n");
    expect(urls).toEqual(["ws://localhost:3000/rooms"]);
  });
});
