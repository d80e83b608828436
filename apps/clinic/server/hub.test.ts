import { HubConnectionState, type HubConnection } from "@microsoft/signalr";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, ending, failureOf, nextEvent, runClinic, type RunningClinic } from "./test/running-clinic.js";
import type { VitalSigns } from "./vital-signs.js";

let running: RunningClinic;

beforeAll(async () => {
  running = await runClinic();
});
afterAll(async () => {
  await running.end();
});

/** Resolves once the ward's monitors have sent at least one whole round to this connection. */
async function oneRound(connection: HubConnection, patients: number): Promise<VitalSigns[]> {
  return await new Promise((resolve) => {
    const readings: VitalSigns[] = [];
    connection.on("Vitals", (reading: VitalSigns) => {
      readings.push(reading);
      if (new Set(readings.map(({ patientId }) => patientId)).size === patients) resolve(readings);
    });
  });
}

describe("connecting", () => {
  test("without a token negotiate is a bare 401", async () => {
    const { status, headers, body } = await ask(running.url, "/hubs/clinical/negotiate?negotiateVersion=1", {
      method: "POST",
    });
    expect([status, headers["www-authenticate"], body]).toEqual([401, "Bearer", ""]);
    const connection = running.hub("");
    expect(await failureOf(connection.start())).toContain("401");
  });

  test("a visitor cannot stay and learns why", async () => {
    const connection = running.hub((await running.grant("visitor")).token);
    const ended = ending(connection);
    // The handshake and the end arrive together, so the start may itself be what fails.
    const started = await connection.start().then(
      () => undefined,
      (error: unknown) => error,
    );
    const error = started ?? (await ended);
    expect(String(error)).toContain("forbidden: only clinical staff and administrators may connect");
    expect(connection.state).toBe(HubConnectionState.Disconnected);
    const refusal = running.log.findLast(({ event }) => event === "connection.refused");
    expect(refusal).toMatchObject({ level: "warn", reason: "forbidden", subject: "visitor", tenant: "general" });
  });

  test.each([
    ["doctor-icu", ["doctor"], "icu"],
    ["doctor-er", ["doctor"], "er"],
    ["nurse-icu", ["nurse"], "icu"],
    ["nurse-er", ["nurse"], "er"],
    ["admin", ["admin"], null],
    ["doctor-annex", ["doctor"], "icu"],
  ])("%s is told who that is, and the log knows it", async (username, roles, department) => {
    const connection = await running.connect(username);
    const { expiresInSeconds, ...rest } = await connection.invoke<Record<string, unknown>>("WhoAmI");
    expect(rest).toEqual({ subject: username, roles, department });
    expect(expiresInSeconds).toBeGreaterThan(200);
    expect(expiresInSeconds).toBeLessThanOrEqual(300);
    const opened = running.log.findLast(({ event }) => event === "connection.opened");
    expect(opened).toMatchObject({ level: "info", subject: username, roles, connectionId: connection.connectionId });
    await connection.stop();
  });

  test("a foreign page's origin is refused, ours are not", async () => {
    const { token } = await running.grant("doctor-icu");
    const negotiate = async (origin: string): Promise<number> =>
      (
        await ask(running.url, "/hubs/clinical/negotiate?negotiateVersion=1", {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, origin },
        })
      ).status;
    expect(await negotiate("http://evil.example")).toBe(403);
    expect(await negotiate(`http://127.0.0.1:${running.port}`)).toBe(200);
    expect(await negotiate(`http://localhost:${running.port}`)).toBe(200);
  });
});

describe("wards", () => {
  test("a nurse sees every patient of the own ward, each with a whole reading", async () => {
    const connection = await running.connect("nurse-er");
    const round = oneRound(connection, 6);
    expect(await connection.invoke("SubscribeToWard", "er")).toBeNull();
    const readings = await round;
    expect(new Set(readings.map(({ ward }) => ward))).toEqual(new Set(["er"]));
    expect(readings[0]).toEqual({
      patientId: expect.stringMatching(/^general-er-\d$/),
      ward: "er",
      at: expect.any(Number),
      heartRate: expect.any(Number),
      spo2: expect.any(Number),
      systolic: expect.any(Number),
      diastolic: expect.any(Number),
      respiration: expect.any(Number),
      temperature: expect.any(Number),
      alarms: expect.any(Array),
    });
    await connection.stop();
  });

  test.each([
    ["doctor-icu", "er"],
    ["nurse-er", "icu"],
    ["doctor-annex", "er"],
  ])("%s is refused ward %s, and the connection lives on", async (username, ward) => {
    const connection = await running.connect(username);
    const failure = await failureOf(connection.invoke("SubscribeToWard", ward));
    expect(failure).toBe("forbidden: this ward needs a matching department");
    expect(await connection.invoke("WhoAmI")).toMatchObject({ subject: username });
    await connection.stop();
  });

  test("an administrator may watch both", async () => {
    const connection = await running.connect("admin");
    const round = oneRound(connection, 12);
    await connection.invoke("SubscribeToWard", "icu");
    await connection.invoke("SubscribeToWard", "er");
    expect(new Set((await round).map(({ ward }) => ward))).toEqual(new Set(["icu", "er"]));
    await connection.stop();
  });

  test("after unsubscribing nothing comes any more", async () => {
    const connection = await running.connect("admin");
    await connection.invoke("SubscribeToWard", "er");
    await nextEvent(connection, "Vitals");
    await connection.invoke("UnsubscribeFromWard", "er");
    await connection.invoke("SubscribeToWard", "icu");
    // The answer to the second call stands behind everything sent before it.
    const readings = await oneRound(connection, 6);
    expect(new Set(readings.map(({ ward }) => ward))).toEqual(new Set(["icu"]));
    await connection.stop();
  });

  test.each(["SubscribeToWard", "UnsubscribeFromWard"])(
    "%s says clearly that there is no such ward",
    async (method) => {
      const connection = await running.connect("admin");
      for (const ward of ["attic", "ICU", "__proto__"]) {
        expect(await failureOf(connection.invoke(method, ward))).toBe(
          "bad_room;action=fix-request: there is no ward of this name",
        );
      }
      await connection.stop();
    },
  );

  test("a ward that is no text is no argument", async () => {
    const connection = await running.connect("admin");
    for (const args of [[7], [null], [], ["icu", "er"], [""]]) {
      const failure = await failureOf(connection.invoke("SubscribeToWard", ...args));
      expect(failure).toContain("Failed to invoke 'SubscribeToWard' due to an error on the server.");
    }
    await connection.stop();
  });
});

test("the annex and the general hospital share a ward's name and nothing else", async () => {
  const [annex, general] = await Promise.all(["doctor-annex", "doctor-icu"].map((name) => running.connect(name)));
  const rounds = [oneRound(annex!, 3), oneRound(general!, 6)];
  await Promise.all([annex!.invoke("SubscribeToWard", "icu"), general!.invoke("SubscribeToWard", "icu")]);
  const [inAnnex, inGeneral] = await Promise.all(rounds);
  // Both have heard a whole round by now, so what would cross over has had its chance.
  expect(inAnnex!.every(({ patientId }) => patientId.startsWith("annex-icu-"))).toBe(true);
  expect(inGeneral!.every(({ patientId }) => patientId.startsWith("general-icu-"))).toBe(true);
  await Promise.all([annex!.stop(), general!.stop()]);
});

test("no token, ticket or cookie of any of this is in the log", async () => {
  const { token, cookie } = await running.grant("doctor-icu");
  const connection = running.hub(token);
  await connection.start();
  await connection.stop();
  const text = running.lines.join("");
  expect(text).not.toMatch(/eyJ[\w-]{10}/);
  expect(text).not.toContain(cookie.split("=")[1]);
  expect(text.toLowerCase()).not.toContain("access_token");
});

describe("the end", () => {
  test("of the credential closes the connection with what to do about it", async () => {
    const shortLived = await runClinic({ accessTokenSeconds: 5 });
    try {
      const connection = await shortLived.connect("doctor-icu");
      const ended = ending(connection);
      const { expiresInSeconds } = await connection.invoke<{ expiresInSeconds: number }>("WhoAmI");
      expect(expiresInSeconds).toBeLessThanOrEqual(5);
      expect(String(await ended)).toContain("token_expired;action=refresh");
    } finally {
      await shortLived.end();
    }
    const closed = shortLived.log.findLast(({ event }) => event === "connection.closed");
    expect(closed).toMatchObject({ reason: "token_expired", subject: "doctor-icu" });
  });

  test("of the demo tells the open connections and takes no new ones", async () => {
    const other = await runClinic();
    const connection = await other.connect("admin");
    const ended = ending(connection);
    const closing = other.clinic.close();
    expect(String(await ended)).toContain("going_away;action=retry-after");
    await closing;
    await expect(fetch(`${other.url}/healthz`)).rejects.toThrow();
    expect(other.clinic.close()).toBe(other.clinic.close());
    await other.end();
  });
});
