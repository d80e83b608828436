/** Who may do what: policies by role, by claim, by code and about a resource, at once and later. */

import { describe, expect, test } from "vitest";
import { outcomeOf } from "../support/running-app.js";
import { until } from "../support/until.js";
import { HUB, runClinic } from "./clinic.js";

describe("a policy", () => {
  test("by role, by claim, by code, about a resource, at once and later, decides each call", async () => {
    const { clinic, entered } = await runClinic();
    const doctor = await clinic.connect(HUB, "doctor-icu", {
      claims: { scope: ["orders.read", "orders.all"], email_verified: true },
    });
    const nurse = await clinic.connect(HUB, "nurse-er", { claims: { scope: "orders.read", email_verified: false } });
    const admin = await clinic.connect(HUB, "admin");
    const calls: readonly (readonly [string, ...string[]])[] = [
      ["Open"],
      ["ByRole"],
      ["ByClaim"],
      ["ByPresence"],
      ["ByCodeLater"],
      ["ByResource", "icu"],
      ["ByResource", "er"],
      ["ByResourceLater", "icu"],
      ["ByResourceLater", "er"],
      ["All", "icu"],
      ["All", "er"],
      ["Any", "icu"],
      ["Any", "er"],
      ["Join", "icu"],
      ["Join", "er"],
    ];
    const verdicts: Record<string, readonly string[]> = {};
    for (const [method, ...args] of calls) {
      verdicts[[method, ...args].join(" ")] = await Promise.all(
        [doctor, nurse, admin].map(({ connection }) => outcomeOf(connection.invoke(method, ...args))),
      );
    }
    expect(verdicts).toEqual({
      Open: ['"Open"', '"Open"', '"Open"'],
      ByRole: ['"ByRole"', "forbidden: doctors only", "forbidden: doctors only"],
      ByClaim: ['"ByClaim"', "forbidden", "forbidden"],
      ByPresence: ['"ByPresence"', "forbidden", "forbidden"],
      ByCodeLater: ['"ByCodeLater"', "forbidden", "forbidden"],
      "ByResource icu": ['"ByResource"', "forbidden: another ward", "forbidden: another ward"],
      "ByResource er": ["forbidden: another ward", '"ByResource"', "forbidden: another ward"],
      "ByResourceLater icu": ['"ByResourceLater"', "forbidden", "forbidden"],
      "ByResourceLater er": ["forbidden", '"ByResourceLater"', "forbidden"],
      "All icu": ['"All"', "forbidden: doctors only", "forbidden: doctors only"],
      "All er": ["forbidden: another ward", "forbidden: doctors only", "forbidden: doctors only"],
      "Any icu": ['"Any"', "forbidden: another ward", '"Any"'],
      "Any er": ["forbidden: another ward", '"Any"', '"Any"'],
      "Join icu": ["null", "forbidden: another ward", "null"],
      "Join er": ["forbidden: another ward", "null", "null"],
    });
    const allowed = Object.entries(verdicts).flatMap(([call, outcomes]) =>
      outcomes.filter((outcome) => outcome.startsWith('"')).map(() => call.split(" ")[0]),
    );
    expect([...entered].sort()).toEqual(allowed.sort());
  });

  test("is asked before the input is read: nobody learns what arguments a forbidden method takes", async () => {
    const { clinic } = await runClinic();
    const nurse = await clinic.connect(HUB, "nurse-er");
    for (const args of [[], [1], ["icu", "too", "many"]]) {
      expect(await outcomeOf(nurse.connection.invoke("All", ...args))).toBe("forbidden: doctors only");
    }
    expect(await outcomeOf(nurse.connection.invoke("ByResource", 1))).toBe(
      "Failed to invoke 'ByResource' due to an error on the server.",
    );
  });

  test("that takes its time is worth nothing once the credential expired meanwhile", async () => {
    const { clinic, entered, gate } = await runClinic();
    const doctor = await clinic.connect(HUB, "doctor-icu", { lifetime: 20 });
    const pending = outcomeOf(doctor.connection.invoke("Gated"));
    await clinic.telemetry.first(({ event }) => event === "connection.opened");
    expect(await outcomeOf((await clinic.connect(HUB, "admin")).connection.invoke("Open"))).toBe('"Open"');
    clinic.clock.jump(20_000);
    gate.open();
    expect(await pending).toContain("token_expired;action=refresh");
    expect(entered).toEqual(["Open"]);
  });

  test("that takes its time is worth nothing once the caller is gone", async () => {
    const { clinic, entered, gate } = await runClinic();
    const doctor = await clinic.connect(HUB, "doctor-icu");
    const pending = outcomeOf(doctor.connection.invoke("Gated"));
    await doctor.connection.stop();
    await clinic.telemetry.first(({ event }) => event === "connection.closed");
    gate.open();
    await pending;
    const other = await clinic.connect(HUB, "admin");
    await other.connection.invoke("Open");
    expect(entered).toEqual(["Open"]);
  });

  test("is logged with its name when it refuses", async () => {
    const { clinic } = await runClinic();
    const nurse = await clinic.connect(HUB, "nurse-er");
    await outcomeOf(nurse.connection.invoke("All", "icu"));
    expect(clinic.telemetry.items.at(-1)).toEqual({
      event: "call.refused",
      count: 1,
      connectionId: nurse.connection.connectionId,
      hub: HUB,
      method: "All",
      reason: "forbidden",
      policy: "Doctors",
      subject: "nurse-er",
    });
  });
});

describe("a principal", () => {
  test("comes from the directory, and not from the token", async () => {
    const { clinic } = await runClinic();
    const nurse = await clinic.connect(HUB, "nurse-er", { roles: ["doctor", "admin"] });
    expect(await outcomeOf(nurse.connection.invoke("ByRole"))).toBe("forbidden: doctors only");
    expect(await nurse.connection.invoke("Department")).toBe("er");
    const opened = await clinic.telemetry.first(({ event }) => event === "connection.opened");
    expect(opened).toMatchObject({ principal: { subject: "nurse-er", roles: ["nurse"] } });
  });

  test("is a snapshot: looked up once a connection, and not changed by the directory's own objects", async () => {
    const { clinic, directory } = await runClinic();
    const roles = ["nurse"];
    directory.entries.set("mutable", { roles, department: "er" });
    const connection = (await clinic.connect(HUB, "mutable")).connection;
    roles.push("doctor");
    expect(await outcomeOf(connection.invoke("ByRole"))).toBe("forbidden: doctors only");
    expect(directory.lookUps).toBe(1);
    directory.entries.set("mutable", { roles: ["doctor"], department: "icu" });
    await connection.stop();
    await connection.start();
    expect(await outcomeOf(connection.invoke("ByRole"))).toBe('"ByRole"');
    expect(directory.lookUps).toBe(2);
  });

  test("whom the directory does not know may not connect, and one whom the hub does not want neither", async () => {
    const { clinic } = await runClinic();
    for (const subject of ["stranger", "visitor"]) {
      const { connection } = clinic.build(HUB, subject);
      expect(await outcomeOf(connection.start())).toBe("Server returned an error on close: forbidden");
    }
    await until(() => clinic.telemetry.items.length === 2);
    expect(clinic.telemetry.items.map((event) => "reason" in event && event.reason)).toEqual([
      "forbidden",
      "forbidden",
    ]);
  });

  test("who cannot be looked up is told to come back, not to sign in", async () => {
    const { clinic } = await runClinic();
    const { connection } = clinic.build(HUB, "unlucky");
    const told = await outcomeOf(connection.start());
    expect(told).toContain("503");
    expect(told).toContain('{"error":"auth_unavailable;action=retry-after;retry_after=1"}');
    expect(clinic.telemetry.items).toEqual([
      {
        event: "application.failed",
        where: "principal",
        connectionId: undefined,
        error: new Error("the directory is down"),
      },
      expect.objectContaining({ event: "connection.refused", reason: "auth_unavailable" }),
    ]);
  });
});
