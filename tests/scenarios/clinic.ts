/** A clinic whose staff stands in a directory, with a method for every kind of policy. */

import { anyOf, hasClaim, hasRole } from "@hubward/server";
import { runApp, type RunningApp } from "../support/running-app.js";
import { text, word } from "../support/schemas.js";

interface Entry {
  readonly roles: readonly string[];
  readonly department: string | null;
}

/** A staff directory, as an application has one. */
function createDirectory(): {
  readonly entries: Map<string, Entry>;
  lookUps: number;
  find(subject: string): Promise<Entry | null>;
} {
  const entries = new Map<string, Entry>([
    ["doctor-icu", { roles: ["doctor"], department: "icu" }],
    ["nurse-er", { roles: ["nurse"], department: "er" }],
    ["admin", { roles: ["admin"], department: null }],
    ["visitor", { roles: [], department: null }],
  ]);
  return {
    entries,
    lookUps: 0,
    async find(subject) {
      this.lookUps++;
      await new Promise((resolve) => setImmediate(resolve));
      if (subject === "unlucky") throw new Error("the directory is down");
      return entries.get(subject) ?? null;
    },
  };
}

export const HUB = "/hubs/clinical";

/** `entered` holds the methods that were entered; `gate` is what the policy `Gated` waits for. */
export async function runClinic(): Promise<{
  clinic: RunningApp<unknown>;
  directory: ReturnType<typeof createDirectory>;
  entered: string[];
  gate: PromiseWithResolver;
}> {
  const directory = createDirectory();
  const entered: string[] = [];
  const gate = createGate();
  const clinic = await runApp(
    ({ subject }) => directory.find(subject),
    (app) => {
      const clinicalStaff = app.policy("ClinicalStaff", hasRole("doctor", "nurse"));
      const admin = app.policy("Admin", ({ principal }) => principal.hasRole("admin"));
      const doctors = app.policy("Doctors", hasRole("doctor"), { message: "doctors only" });
      const scoped = app.policy("Scoped", hasClaim("scope", "orders.write", "orders.all"));
      const verified = app.policy("Verified", hasClaim("email_verified"));
      const later = app.policy("Later", async ({ principal }) => {
        await new Promise((resolve) => setImmediate(resolve));
        return principal.department === "icu";
      });
      const gated = app.policy("Gated", async () => {
        await gate.promise;
        return true;
      });
      const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.department === ward, {
        message: "another ward",
      });
      const ownWardLater = app.policy("OwnWardLater", async ({ principal }, ward: string) => {
        await new Promise((resolve) => setImmediate(resolve));
        return principal.department === ward;
      });
      const anyWard = app.policy("AnyWard", ({ principal }, _ward: string) => principal.hasRole("admin"));
      const ward = app.group("ward/{ward}", { ward: word }).allow(anyOf(ownWard, anyWard), (values) => values.ward);
      app
        .hub(HUB)
        .allow(anyOf(clinicalStaff, admin))
        .methods((m) => {
          const enter = (method: string) => (): string => (entered.push(method), method);
          return {
            Open: m.handle(enter("Open")),
            ByRole: m.allow(doctors).handle(enter("ByRole")),
            ByClaim: m.allow(scoped).handle(enter("ByClaim")),
            ByPresence: m.allow(verified).handle(enter("ByPresence")),
            ByCodeLater: m.allow(later).handle(enter("ByCodeLater")),
            Gated: m.allow(gated).handle(enter("Gated")),
            ByResource: m
              .args(text)
              .allow(ownWard, (wardId) => wardId)
              .handle(enter("ByResource")),
            ByResourceLater: m
              .args(text)
              .allow(ownWardLater, (wardId) => wardId)
              .handle(enter("ByResourceLater")),
            All: m
              .args(text)
              .allow(doctors)
              .allow(later)
              .allow(ownWard, (wardId) => wardId)
              .handle(enter("All")),
            Any: m
              .args(text)
              .allow(anyOf(ownWard, anyWard), (wardId) => wardId)
              .handle(enter("Any")),
            Join: m.args(text).handle((call, wardId) => call.groups.join(ward({ ward: wardId }))),
            Department: m.handle(({ principal }) => principal.department),
          };
        });
    },
  );
  return { clinic: clinic as unknown as RunningApp<unknown>, directory, entered, gate };
}

interface PromiseWithResolver {
  readonly promise: Promise<void>;
  open(): void;
}

function createGate(): PromiseWithResolver {
  let open!: () => void;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}
