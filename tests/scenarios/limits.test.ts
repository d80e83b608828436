/** Who calls, knocks or connects too often, over real sockets: told so, ended when it goes on, and nobody else notices. */

import { describe, expect, test } from "vitest";
import { outcomeOf, runApp, type RunningApp, type RunOptions } from "../support/running-app.js";
import { until } from "../support/until.js";

const HUB = "/hubs/ward";
const LIMITED = "rate_limited;action=retry-after;retry_after=1";

function runWard(options: RunOptions = {}): Promise<RunningApp<unknown>> {
  return runApp(
    () => ({ roles: [] }),
    (app) => {
      const all = app.policy("All", () => true);
      app
        .hub(HUB)
        .allow(all)
        .methods((m) => ({
          Ping: m.handle(() => "pong"),
          Print: m.limit({ burst: 1, perSecond: 0.1 }).handle(() => 1),
        }));
    },
    options,
  ) as Promise<RunningApp<unknown>>;
}

async function knock({ port }: RunningApp<unknown>, token: string): Promise<[number, string | null, string]> {
  const response = await fetch(`http://127.0.0.1:${port}${HUB}/negotiate?negotiateVersion=1`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
  });
  return [response.status, response.headers.get("retry-after"), await response.text()];
}

describe("a stock client that calls too often", () => {
  test("hears rate_limited with the time to come back, and its calls pass again then", async () => {
    const ward = await runWard();
    const { connection } = await ward.connect(HUB, "eager");
    const outcomes = await Promise.all(Array.from({ length: 80 }, () => outcomeOf(connection.invoke("Ping"))));
    expect(outcomes).toEqual([...Array<string>(50).fill('"pong"'), ...Array<string>(30).fill(LIMITED)]);
    ward.clock.advance(1_000);
    expect(await outcomeOf(connection.invoke("Ping"))).toBe('"pong"');
    expect(await outcomeOf(connection.invoke("Print"))).toBe("1");
    expect(await outcomeOf(connection.invoke("Print"))).toBe("rate_limited;action=retry-after;retry_after=10");
  });

  test("and goes on ends with the same reason and comes back by itself; another connection is unaffected", async () => {
    const ward = await runWard();
    const [flooder, other] = [await ward.connect(HUB, "flooder"), await ward.connect(HUB, "other")];
    const ends: string[] = [];
    flooder.connection.onreconnecting((error) => ends.push(error?.message ?? "none"));
    const flood = Promise.all(Array.from({ length: 2_000 }, () => outcomeOf(flooder.connection.invoke("Ping"))));
    expect(await outcomeOf(other.connection.invoke("Ping"))).toBe('"pong"');
    const outcomes = await flood;
    expect(outcomes.filter((outcome) => outcome === '"pong"')).toHaveLength(50);
    expect(outcomes.filter((outcome) => outcome === LIMITED).length).toBeLessThanOrEqual(200);
    await until(() => ends.length > 0);
    expect(ends[0]).toContain("rate_limited;action=retry-after");
    expect(await outcomeOf(other.connection.invoke("Ping"))).toBe('"pong"');
    const lines = ward.telemetry.items.filter(({ event }) => event === "call.refused");
    expect(lines.length).toBeLessThanOrEqual(3);
  });
});

describe("at the doors", () => {
  test("credentials that are none are 429 after a while, with a time to come back, and genuine ones pass then", async () => {
    const ward = await runWard({ limits: { authentication: { burst: 3, perSecond: 1 } } });
    const good = await ward.issuer.token("nurse");
    for (let count = 0; count < 3; count++) expect((await knock(ward, "not-a-token"))[0]).toBe(401);
    expect(await knock(ward, "not-a-token")).toEqual([429, "1", `{"error":"${LIMITED}"}`]);
    expect((await knock(ward, good))[0]).toBe(429);
    ward.clock.advance(1_000);
    expect([(await knock(ward, good))[0], (await knock(ward, good))[0]]).toEqual([200, 200]);
  });

  test("behind a trusted proxy each client is counted by itself", async () => {
    const ward = await runWard({
      limits: { authentication: { burst: 1, perSecond: 1 } },
      attachOptions: { trustedProxies: ["127.0.0.1"] },
    });
    const from = async (address: string): Promise<number> =>
      (
        await fetch(`http://127.0.0.1:${ward.port}${HUB}/negotiate?negotiateVersion=1`, {
          method: "POST",
          headers: { authorization: "Bearer nothing", "x-forwarded-for": address },
        })
      ).status;
    expect([await from("192.0.2.1"), await from("192.0.2.1"), await from("192.0.2.2")]).toEqual([401, 429, 401]);
  });

  test("one connection more than a principal may have tells a stock client why", async () => {
    const ward = await runWard({ limits: { maxConnectionsPerPrincipal: 2 } });
    await ward.connect(HUB, "busy");
    const { connection } = await ward.connect(HUB, "busy");
    const third = ward.build(HUB, "busy");
    expect(await outcomeOf(third.connection.start())).toContain("connection_limit;action=retry-after;retry_after=30");
    await ward.connect(HUB, "somebody else");
    await connection.stop();
    await until(() => ward.telemetry.items.some(({ event }) => event === "connection.closed"));
    expect(await outcomeOf(ward.build(HUB, "busy").connection.start())).toBe("undefined");
  });
});
