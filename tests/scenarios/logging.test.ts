/** Every attempt is logged, with who and why; no secret ever is. */

import { hasRole, HubError, telemetryLevels, type TelemetryEvent } from "@hubward/server";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { describe, expect, onTestFinished, test } from "vitest";
import { startChild } from "../support/child.js";
import { openWebSocket, upgrade } from "../support/raw-web-socket.js";
import { outcomeOf, runApp, type RunningApp } from "../support/running-app.js";
import { anything } from "../support/schemas.js";
import { ask, bearer } from "../support/server.js";
import { holdsJwt, holdsTicket } from "../support/tokens.js";

const HUB = "/hubs/clinical";

async function runClinic(): Promise<RunningApp<unknown>> {
  const clinic = await runApp(
    ({ claims }) => ({ roles: claims["roles"] as readonly string[], department: "canary-attribute" }),
    (app) => {
      const staff = app.policy("Staff", hasRole("doctor", "nurse"));
      const doctors = app.policy("Doctors", hasRole("doctor"));
      app
        .hub(HUB)
        .allow(staff)
        .methods((m) => ({
          Echo: m.args(anything).handle((_call, value) => value),
          Doctors: m
            .args(anything)
            .allow(doctors)
            .handle((_call, value) => value),
          Fail: m.args(anything).handle(() => {
            throw new HubError("on purpose");
          }),
          Crash: m.args(anything).handle(() => {
            throw new Error("the handler broke");
          }),
        }));
    },
  );
  return clinic as unknown as RunningApp<unknown>;
}

const principalOf = (subject: string, roles: readonly string[], sid?: string): unknown => ({
  tenant: undefined,
  issuer: "https://login.hubward.test/",
  subject,
  roles,
  sessionId: sid,
  tokenId: expect.any(String) as unknown,
});

/** Everything in a record that a sink could print, errors and what they hold included. */
function printed(event: TelemetryEvent): string {
  const texts: string[] = [];
  const visit = (value: unknown): void => {
    if (value instanceof Error) {
      texts.push(value.name, value.message, value.stack ?? "");
      visit(value.cause);
    }
    if (typeof value !== "object" || value === null) {
      texts.push(String(value));
      return;
    }
    for (const [name, member] of Object.entries(value)) {
      texts.push(name);
      visit(member);
    }
  };
  visit(event);
  return texts.join("\n");
}

describe("telemetry", () => {
  test("tells of each connection who it is, in which roles, by which session, and how it ended", async () => {
    const clinic = await runClinic();
    const { connection } = await clinic.connect(HUB, "ada", {
      roles: ["doctor", "on-call"],
      claims: { sid: "session-1" },
    });
    const id = connection.connectionId;
    clinic.clock.jump(5_000);
    await connection.stop();
    await clinic.telemetry.first(({ event }) => event === "connection.closed");
    expect(clinic.telemetry.items).toEqual([
      {
        event: "connection.opened",
        connectionId: id,
        hub: HUB,
        protocol: "json",
        principal: principalOf("ada", ["doctor", "on-call"], "session-1"),
        remoteAddress: "127.0.0.1",
      },
      { event: "connection.closed", connectionId: id, hub: HUB, reason: "normal", subject: "ada", ageMs: 5_000 },
    ]);
  });

  test("tells of each refused attempt why, and of whom where that is known", async () => {
    const clinic = await runClinic();
    const { port, issuer, telemetry } = clinic;
    const visitor = await issuer.token("vera", { roles: ["guest"], claims: { sid: "session-2" } });
    const nurse = await issuer.token("nina", { roles: ["nurse"] });
    const other = await issuer.token("otto", { roles: ["nurse"] });
    const post = (headers: Record<string, string>): Promise<unknown> =>
      ask(port, { method: "POST", path: `${HUB}/negotiate?negotiateVersion=1`, headers });
    const lastRefusal = (): unknown => telemetry.items.at(-1);
    const refusal = (reason: string, principal?: unknown, hint?: unknown): unknown => ({
      event: "connection.refused",
      connectionId: undefined,
      hub: HUB,
      reason,
      principal,
      remoteAddress: "127.0.0.1",
      hint,
    });

    await post({});
    expect(lastRefusal()).toEqual(refusal("invalid_token", undefined, "no credential was presented"));
    await post(bearer("x"));
    expect(lastRefusal()).toMatchObject({ event: "connection.refused", reason: "invalid_token", principal: undefined });
    await post({ ...bearer(nurse), origin: "https://evil.example" });
    expect(lastRefusal()).toMatchObject({
      reason: "origin_denied",
      hint: expect.stringContaining("allowedOrigins") as unknown,
    });
    await post(bearer(visitor));
    expect(lastRefusal()).toMatchObject({
      reason: "forbidden",
      principal: principalOf("vera", ["guest"], "session-2"),
    });
    await upgrade({ port, path: HUB, headers: bearer(visitor) });
    expect(lastRefusal()).toMatchObject({
      reason: "forbidden",
      principal: principalOf("vera", ["guest"], "session-2"),
    });

    const { body } = await ask(port, {
      method: "POST",
      path: `${HUB}/negotiate?negotiateVersion=1`,
      headers: bearer(nurse),
    });
    const { connectionToken } = JSON.parse(body) as { connectionToken: string };
    await upgrade({ port, path: `${HUB}?id=${connectionToken}`, headers: bearer(other) });
    expect(lastRefusal()).toMatchObject({ reason: "not_found", principal: { subject: "otto" } });
    const socket = await openWebSocket({ port, path: `${HUB}?id=${connectionToken}`, headers: bearer(nurse) });
    await upgrade({ port, path: `${HUB}?id=${connectionToken}`, headers: bearer(nurse) });
    expect(lastRefusal()).toMatchObject({ event: "connection.refused", principal: { subject: "nina" } });
    socket.socket.destroy();

    const refused = telemetry.items.filter(({ event }) => event === "connection.refused");
    expect(refused).toHaveLength(7);
    expect(telemetryLevels["connection.refused"]).toBe("warning");
  });

  test("holds no credential, no connection token, no argument, no claim and no attribute", async () => {
    const clinic = await runClinic();
    const { port, issuer, telemetry } = clinic;
    const token = await issuer.token("ada", { roles: ["nurse"], claims: { canary: "canary-claim" } });
    const { body } = await ask(port, {
      method: "POST",
      path: `${HUB}/negotiate?negotiateVersion=1`,
      headers: bearer(token),
    });
    const { accessToken, connectionToken } = JSON.parse(body) as { accessToken: string; connectionToken: string };
    const path = `${HUB}?id=${connectionToken}&access_token=${accessToken}`;
    const socket = await openWebSocket({ port, path });
    await socket.shakeHands();
    for (const method of ["Echo", "Doctors", "Fail", "Crash", "canary-method", 'Echo\n{"forged":true}']) {
      await socket.invoke(method, method, "canary-argument");
    }
    await upgrade({ port, path });
    await upgrade({ port, path: `${HUB}?id=${connectionToken}&access_token=${token}` });
    await ask(port, { method: "POST", path: `${HUB}/negotiate`, headers: bearer(`${token}x`) });
    await ask(port, { method: "POST", path: `${HUB}/negotiate`, headers: bearer(`${accessToken.slice(0, -1)}x`) });
    socket.sendText(`{"type":1,"target":"canary-target","arguments":{"canary-argument":1}}\x1e`);
    await telemetry.first(({ event }) => event === "connection.closed");

    expect(telemetry.items.length).toBeGreaterThan(8);
    const everything = telemetry.items.map(printed).join("\n");
    expect(everything).toContain("the handler broke");
    for (const secret of [token, accessToken, connectionToken, "canary-"]) expect(everything).not.toContain(secret);
    expect(holdsJwt(everything)).toBe(false);
    expect(holdsTicket(everything)).toBe(false);
  });
});

describe("the log of a server as it is out of the box", () => {
  test("is one line of JSON an event on standard error, and holds no secret of a whole day", async () => {
    const child = await startChild();
    const { port, issuer } = child;
    const url = `http://127.0.0.1:${port}/hub`;
    const secrets = new Set<string>();
    const tokenOf = async (subject: string, roles: readonly string[] = []): Promise<string> => {
      const token = await issuer.token(subject, { roles, claims: { sid: "session-1" } });
      secrets.add(token);
      return token;
    };
    const connection = new HubConnectionBuilder()
      .configureLogging(LogLevel.None)
      .withUrl(url, { accessTokenFactory: () => tokenOf("ada", ["doctor"]) })
      .build();
    onTestFinished(() => connection.stop());
    await connection.start();
    for (const method of ["Echo", "Throw", "ThrowLater", "Policy", "ResourceMapper", "canary-method"]) {
      await outcomeOf(connection.invoke(method, "canary-argument"));
    }

    const negotiated = await ask(port, {
      method: "POST",
      path: "/hub/negotiate?negotiateVersion=1",
      headers: bearer(await tokenOf("bob")),
    });
    const { accessToken, connectionToken } = JSON.parse(negotiated.body) as {
      accessToken: string;
      connectionToken: string;
    };
    secrets.add(accessToken).add(connectionToken);
    const socket = await openWebSocket({ port, path: `/hub?id=${connectionToken}&access_token=${accessToken}` });
    await socket.shakeHands();
    socket.sendText("canary-argument\x1e");
    await socket.closeFrame();
    socket.end();
    for (const query of [
      `access_token=${await tokenOf("eve")}`,
      `access_token=${accessToken}`,
      `id=${connectionToken}`,
    ]) {
      await upgrade({ port, path: `/hub?${query}` });
      await ask(port, { method: "POST", path: `/hub/negotiate?${query}` });
    }
    for (const subject of ["nobody", "breaks-mapping", "breaks-hub-policy", "breaks-authenticator", "evil\n{}\u2028"]) {
      await ask(port, { method: "POST", path: "/hub/negotiate", headers: bearer(await tokenOf(subject)) });
    }
    await connection.stop();
    expect(await child.stop()).toBe(0);

    const { items } = child.lines;
    const records = items.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    expect(
      records.every(({ level, event, time }) => [level, event, time].every((field) => typeof field === "string")),
    ).toBe(true);
    const opened = records.find(({ event }) => event === "connection.opened");
    expect(opened).toMatchObject({
      level: "info",
      connectionId: expect.stringMatching(/^[\w-]{22}$/) as unknown,
      principal: { subject: "ada", roles: ["doctor"], sessionId: "session-1" },
    });
    const refused = records.filter(({ event }) => event === "connection.refused");
    expect(refused.length).toBeGreaterThan(6);
    expect(refused.every(({ level, reason }) => level === "warning" && typeof reason === "string")).toBe(true);
    expect(records.filter(({ event }) => event === "application.failed").every(({ level }) => level === "error")).toBe(
      true,
    );

    const log = items.join("\n");
    for (const secret of secrets) expect(log).not.toContain(secret);
    expect(log).not.toContain("canary-");
    expect(holdsJwt(log)).toBe(false);
    expect(holdsTicket(log)).toBe(false);
  });
});
