/** What ends a Node process that is not careful: a server as a process of its own, from the build, must live on. */

import { HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import { describe, expect, onTestFinished, test } from "vitest";
import { startChild, type Child } from "../support/child.js";
import { dial, openWebSocket, opcodes, upgradeHeaders } from "../support/raw-web-socket.js";
import { ask, bearer } from "../support/server.js";

const HUB = "/hub";

function build({ port, issuer }: Child, subject: string): HubConnection {
  const connection = new HubConnectionBuilder()
    .configureLogging(LogLevel.None)
    .withUrl(`http://127.0.0.1:${port}${HUB}`, { accessTokenFactory: () => issuer.token(subject) })
    .build();
  onTestFinished(() => connection.stop());
  return connection;
}

async function connect(child: Child, subject = "canary"): Promise<HubConnection> {
  const connection = build(child, subject);
  await connection.start();
  return connection;
}

/** It is there, serves, and ends in good order when asked to. */
async function assertAlive(child: Child, canary?: HubConnection): Promise<void> {
  expect(child.isAlive()).toBe(true);
  const connection = canary ?? (await connect(child));
  expect(await connection.invoke("Echo", "alive")).toBe("alive");
  expect((await ask(child.port, { path: "/ordinary" })).body).toBe("an ordinary answer");
  await connection.stop();
  expect(await child.stop()).toBe(0);
}

describe("the process lives on after", () => {
  test("peers that reset while they are being authenticated", async () => {
    const child = await startChild({ gated: true });
    const token = await child.issuer.token("ada");
    const lines = Object.entries({ ...upgradeHeaders(child.port), ...bearer(token) }).map((line) => line.join(": "));
    for (const request of [`GET ${HUB}`, `GET ${HUB}?id=unknown`, `POST ${HUB}/negotiate`]) {
      const before = child.messages.items.length;
      const socket = await dial(child.port);
      const head = request.startsWith("GET")
        ? lines
        : [`host: x`, `authorization: Bearer ${token}`, "content-length: 0"];
      socket.write(`${request} HTTP/1.1\r\n${head.join("\r\n")}\r\n\r\n`);
      await child.messages.take(before + 1);
      socket.resetAndDestroy();
      await new Promise<void>((resolve) => socket.once("close", () => resolve()));
    }
    expect(child.messages.items.filter((message) => message === "authenticating")).toHaveLength(3);
    child.openGate();
    await assertAlive(child);
  });

  test("an unmasked frame, and a peer that resets in the middle of one", async () => {
    const child = await startChild();
    for (const shakesHands of [false, true]) {
      const headers = bearer(await child.issuer.token("ada"));
      const socket = await openWebSocket({ port: child.port, path: HUB, headers });
      if (shakesHands) await socket.shakeHands();
      socket.sendFrame({ opcode: opcodes.text, payload: Buffer.from("x"), isMasked: false });
      expect((await socket.closeFrame()).code).toBe(1002);
      socket.end();
      const other = await openWebSocket({
        port: child.port,
        path: HUB,
        headers: bearer(await child.issuer.token("bob")),
      });
      other.socket.write(Buffer.from([0x81, 0xfe, 0xff]));
      other.socket.resetAndDestroy();
      await other.closed;
    }
    await assertAlive(child);
  });

  test("methods, policies, schemas, groups and results that break, at once or later", async () => {
    const child = await startChild();
    const connection = await connect(child, "ada");
    const unexpected = (name: string): string => `An unexpected error occurred invoking '${name}' on the server.`;
    const notInvoked = (name: string): string => `Failed to invoke '${name}' due to an error on the server.`;
    const unavailable = "auth_unavailable;action=retry-after;retry_after=1";
    const expected: Readonly<Record<string, string>> = {
      Throw: unexpected("Throw"),
      ThrowLater: unexpected("ThrowLater"),
      ThrowHubError: `${unexpected("ThrowHubError")} HubException: on purpose`,
      ThrowNothing: unexpected("ThrowNothing"),
      ThrowNull: unexpected("ThrowNull"),
      ThrowText: unexpected("ThrowText"),
      ThrowFrozen: unexpected("ThrowFrozen"),
      Policy: unavailable,
      PolicyLater: unavailable,
      PolicyNull: unavailable,
      PolicyOdd: "forbidden",
      Group: unavailable,
      GroupLater: unavailable,
      OnceKey: unavailable,
      OnceLater: unexpected("OnceLater"),
      OddResult: notInvoked("OddResult"),
      Circular: notInvoked("Circular"),
      BigInt: notInvoked("BigInt"),
      OddEvent: "null",
      Reserved: unexpected("Reserved"),
    };
    const withArgument: Readonly<Record<string, string>> = {
      ResourceMapper: unavailable,
      Schema: notInvoked("Schema"),
      SchemaLater: notInvoked("SchemaLater"),
      SchemaOdd: notInvoked("SchemaOdd"),
    };
    const textOf = (call: Promise<unknown>): Promise<string> =>
      call.then(JSON.stringify, ({ message }: Error) => message);
    const answers: Record<string, string> = {};
    for (const name of Object.keys(expected)) answers[name] = await textOf(connection.invoke(name));
    for (const name of Object.keys(withArgument)) answers[name] = await textOf(connection.invoke(name, 1));
    expect(answers).toEqual({ ...expected, ...withArgument });
    // The same without anybody who waits for an answer.
    for (const name of Object.keys(expected)) await connection.send(name);
    for (const name of Object.keys(withArgument)) await connection.send(name, 1);
    await assertAlive(child, connection);
  });

  test("mappings, hub policies and authenticators that break", async () => {
    const child = await startChild();
    for (const subject of [
      "breaks-mapping",
      "breaks-mapping-later",
      "odd-mapping",
      "breaks-hub-policy",
      "breaks-authenticator",
    ]) {
      const error = await build(child, subject).start().then(String, String);
      expect(error).toContain('{"error":"auth_unavailable;action=retry-after;retry_after=1"}');
    }
    expect(await build(child, "nobody").start().then(String, String)).toContain("forbidden");
    await assertAlive(child);
  });

  test("peers that leave while their calls run, and calls that go on without them", async () => {
    const child = await startChild();
    for (const name of ["LongAfter", "ThrowLater", "GroupLater", "PolicyLater"]) {
      const connection = await connect(child, "ada");
      void connection.invoke(name).catch(() => undefined);
      await connection.stop();
    }
    await assertAlive(child);
  });
});
