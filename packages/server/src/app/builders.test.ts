import { describe, expect, it } from "vitest";
import { createApp, type Staff } from "../../test/app-fixture.js";
import { schemaOf, textSchema } from "../../test/hub-fixture.js";
import { anyOf, type App, type Policy } from "./index.js";

/** What a caller without types may pass. */
type Loose = (...args: readonly unknown[]) => { readonly [name: string]: Loose };

const ward = textSchema();

function setup(): { app: App<Staff>; staff: Policy<Staff>; ownWard: Policy<Staff, string> } {
  const { app } = createApp();
  return {
    app,
    staff: app.policy("Staff", ({ principal }) => principal.hasRole("nurse")),
    ownWard: app.policy("OwnWard", ({ principal }, name: string) => principal.department === name),
  };
}

describe("declaring policies", () => {
  it("gives a frozen value with its name and its constant text", () => {
    const { app } = setup();
    const policy = app.policy("Doctors", () => true, { message: "doctors only" });
    expect(policy).toMatchObject({ name: "Doctors", message: "doctors only" });
    expect(Object.isFrozen(policy)).toBe(true);
    expect(() => app.policy("", () => true)).toThrow(TypeError);
  });

  it.each([[undefined], [null], [{}], [() => true], [{ check: true }], ["Staff"]])(
    "refuses %j where a policy belongs, when it is said and not when it is first asked",
    (wrong) => {
      const { app, staff } = setup();
      const policy = wrong as unknown as Policy<Staff>;
      expect(() => app.hub("/hubs/a").allow(policy)).toThrow(TypeError);
      expect(() => app.hub("/hubs/a").methods((m) => ({ A: m.allow(policy).handle(() => 1) }))).toThrow(TypeError);
      expect(() => app.group("lobby", {}).allow(policy)).toThrow(TypeError);
      expect(() => anyOf(staff, policy)).toThrow(TypeError);
    },
  );
});

describe("declaring groups", () => {
  it.each<[string, string, object]>([
    ["a pattern that is none", "/ward", {}],
    ["a parameter without a schema", "ward/{ward}", {}],
    ["a schema without a parameter", "lobby", { ward }],
    ["another name", "ward/{ward}", { bed: ward }],
    ["a name of the prototype", "ward/{constructor}", {}],
    ["the same parameter twice", "ward/{a}/{a}", { a: ward }],
  ])("refuses %s", (_, pattern, schemas) => {
    const { app } = setup();
    expect(() => (app.group as unknown as Loose)(pattern, schemas)).toThrow(TypeError);
  });

  it("refuses a template that is declared already: the weaker rule would be the rule", () => {
    const { app, staff } = setup();
    app.group("ward/{ward}", { ward }).allow(staff);
    expect(() => app.group("ward/{ward}", { ward })).toThrow(TypeError);
    app.group("ward/{name}", { name: ward });
  });

  it("names a group by validated values, as a frozen reference", () => {
    const { app, ownWard } = setup();
    const upper = schemaOf((value) => ({ value: String(value).toUpperCase() }));
    const group = app.group("ward/{ward}", { ward: upper }).allow(ownWard, ({ ward: name }) => name);
    const reference = group({ ward: "icu" });
    expect(reference).toMatchObject({ template: { pattern: "ward/{ward}" }, values: { ward: "ICU" } });
    expect(Object.isFrozen(reference.values)).toBe(true);
    expect((group as unknown as Loose)({ ward: "er", extra: "x" })).toMatchObject({ values: { ward: "ER" } });
  });

  it("refuses values the schema refuses as bad_room, and a schema that answers later as a mistake", () => {
    const { app, staff } = setup();
    const group = app.group("ward/{ward}", { ward }).allow(staff);
    expect(() => group({ ward: 7 as unknown as string })).toThrow(expect.objectContaining({ reason: "bad_room" }));
    expect(() => (group as unknown as Loose)()).toThrow(expect.objectContaining({ reason: "bad_room" }));
    const later = schemaOf(async () => ({ value: "icu" }));
    const slow = app.group("slow/{ward}", { ward: later }).allow(staff);
    expect(() => slow({ ward: "icu" })).toThrow(TypeError);
  });

  it("without a rule cannot be named: there is nothing to call", () => {
    const { app } = setup();
    const draft = app.group("ward/{ward}", { ward });
    expect(typeof draft).toBe("object");
    expect(typeof draft.events()).toBe("object");
  });

  it("takes the application's own choice for a rule", () => {
    const { app } = setup();
    const team = app.group("team/{team}", { team: ward }).assigned();
    expect(team({ team: "night" }).template.requirements.map(({ policy }) => policy.name)).toEqual(["assigned"]);
    expect(() => app.group("team/{team}", { team: ward })).toThrow(TypeError);
  });

  it("adds rules to the very same group, for who named it before, too", () => {
    const { app, staff, ownWard } = setup();
    const group = app.group("ward/{ward}", { ward }).allow(staff);
    const before = group({ ward: "icu" });
    expect(group.allow(ownWard, ({ ward: name }) => name)).toBe(group);
    expect(before.template.requirements.map(({ policy }) => policy.name)).toEqual(["Staff", "OwnWard"]);
  });

  it("takes one rule for peers that do not keep up, for who named it before, too", () => {
    const { app, staff } = setup();
    const group = app.group("ward/{ward}", { ward }).allow(staff);
    const before = group({ ward: "icu" });
    expect(before.template.whenSlow).toBeUndefined();
    expect(group.whenSlow("drop-oldest").allow(staff)).toBe(group);
    expect(before.template.whenSlow).toBe("drop-oldest");
    expect(() => group.whenSlow("close")).toThrow(TypeError);
    const latest = (): string => "";
    const team = app.group("team", {}).assigned().whenSlow({ latest });
    expect(team().template.whenSlow).toEqual({ latest });
  });

  it.each([[undefined], [null], ["drop"], [{}], [{ latest: "bed" }], [{ latest: () => "", drop: true }], [() => ""]])(
    "refuses %j for such a rule",
    (rule) => {
      const { app, staff } = setup();
      const group = app.group("ward/{ward}", { ward }).allow(staff);
      expect(() => (group as unknown as { readonly whenSlow: Loose }).whenSlow(rule)).toThrow(TypeError);
      expect(group.whenSlow("close")).toBe(group);
    },
  );
});

describe("declaring hubs", () => {
  it.each(["", "hubs/a", "/", "/hubs/", "/hubs//a", "/hubs/a?b", "/hubs/a b", "/hubs/{a}", "/hubs/ä", "/hubs/a\n"])(
    "refuses the path %j",
    (path) => {
      expect(() => setup().app.hub(path)).toThrow(TypeError);
    },
  );

  it("refuses a path that is mounted already, in any case", () => {
    const { app, staff } = setup();
    const mount = (path: string) =>
      app
        .hub(path)
        .allow(staff)
        .methods(() => ({}));
    expect(mount("/hubs/Ward").path).toBe("/hubs/Ward");
    expect(() => mount("/hubs/ward")).toThrow(TypeError);
    expect(() => mount("/hubs/Ward")).toThrow(TypeError);
  });

  it("does not let a hub or a method exist that no policy guards, types or not", () => {
    const { app, staff, ownWard } = setup();
    const unguarded = (build: (m: Loose) => unknown) => () =>
      (app.hub("/hubs/open") as unknown as { methods: Loose }).methods((m: unknown) => build(m as Loose));
    type Builder = Readonly<Record<string, Loose>>;
    expect(unguarded((m) => ({ A: (m as unknown as Builder)["handle"]?.(() => 1) }))).toThrow(/no policy/);
    expect(unguarded((m) => ({ A: (m as unknown as Builder)["args"]?.(ward)["handle"]?.(() => 1) }))).toThrow(
      /no policy/,
    );
    app.hub("/hubs/a").methods((m) => ({ A: m.allow(staff).handle(() => 1) }));
    app.hub("/hubs/b").methods((m) => ({
      B: m
        .args(ward)
        .allow(ownWard, (name) => name)
        .handle(() => 1),
    }));
    expect(() =>
      (app.hub("/hubs/c") as unknown as { methods: (build: (m: Builder) => unknown) => unknown }).methods((m) => ({
        A: m["allow"]?.(staff)["handle"]?.(() => 1),
        B: m["handle"]?.(() => 1),
      })),
    ).toThrow(/B has no policy/);
  });

  it.each<[string, (m: Readonly<Record<string, Loose>>) => Record<string, unknown>]>([
    ["a reserved name", (m) => ({ "hubward.notice": m["handle"]?.(() => 1) })],
    ["a reserved name in another case", (m) => ({ "HubWard.x": m["handle"]?.(() => 1) })],
    ["two names that differ by case", (m) => ({ Order: m["handle"]?.(() => 1), order: m["handle"]?.(() => 1) })],
    [
      "two names that differ by case, the other way round",
      (m) => ({ order: m["handle"]?.(() => 1), Order: m["handle"]?.(() => 1) }),
    ],
    ["a builder that was not finished", (m) => ({ Order: m })],
    ["a plain function", () => ({ Order: () => 1 })],
    ["something that looks finished", () => ({ Order: Object.freeze({}) })],
    ["nothing", () => ({ Order: undefined })],
    ["an argument that is no schema", (m) => ({ Order: m["args"]?.({ parse: () => 1 })["handle"]?.(() => 1) })],
    ["an argument that is nothing", (m) => ({ Order: m["args"]?.(undefined)["handle"]?.(() => 1) })],
  ])("refuses a method that is %s", (_, build) => {
    const { app, staff } = setup();
    const guarded = app.hub("/hubs/ward").allow(staff) as unknown as { methods: (build: unknown) => unknown };
    expect(() => guarded.methods(build)).toThrow(TypeError);
    // The hub was not mounted by half.
    expect(app.endpoint.owns("/hubs/ward")).toBe(false);
  });

  it("refuses arguments that are named after a policy that uses them", () => {
    const { app, ownWard } = setup();
    expect(() =>
      app.hub("/hubs/ward").methods((m) => ({
        Order: m
          .args(ward)
          .allow(ownWard, (name) => name)
          .args(ward, ward)
          .handle(() => 1),
      })),
    ).toThrow(TypeError);
  });

  it("makes a new builder with every step, so that one can be kept and branched", async () => {
    const { app, tokenOf, connect } = createApp();
    const asked: string[] = [];
    const rule = (name: string) => app.policy(name, () => (asked.push(name), true));
    app
      .hub("/hubs/ward")
      .allow(rule("hub"))
      .methods((m) => {
        const base = m.allow(rule("base"));
        return { Plain: base.handle(() => "plain"), Extra: base.allow(rule("extra")).handle(() => "extra") };
      });
    const peer = await connect(tokenOf({}));
    asked.length = 0;
    await peer.call("Plain");
    expect(asked).toEqual(["hub", "base"]);
    await peer.call("Extra");
    expect(asked).toEqual(["hub", "base", "hub", "base", "extra"]);
  });

  it("takes a hook of each kind once, and only functions as hooks and filters, types or not", () => {
    const { app, staff } = setup();
    const guarded = app.hub("/hubs/ward").allow(staff) as unknown as Readonly<Record<string, Loose>>;
    for (const step of ["filter", "connected", "disconnected"])
      for (const wrong of [undefined, null, {}, "hook"]) expect(() => guarded[step]?.(wrong)).toThrow(TypeError);
    for (const step of ["connected", "disconnected"] as const) {
      const hub = app
        .hub("/hubs/ward")
        .allow(staff)
        [step](() => undefined);
      expect(() => hub[step](() => undefined)).toThrow(/given already/);
    }
  });

  it("makes a new hub with every step, so that one can be kept and branched", async () => {
    const { app, tokenOf, connect } = createApp();
    const passed: string[] = [];
    const base = app.hub("/hubs/ward").allow(app.policy("Staff", () => true));
    base.filter((_call, _args, next) => (passed.push("filter"), next()));
    base.connected(() => passed.push("connected"));
    base.methods((m) => ({ Plain: m.handle(() => "plain") }));
    await (await connect(tokenOf({}))).call("Plain");
    expect(passed).toEqual([]);
  });

  it("refuses streams of a command, and uploads that are no schemas, types or not", () => {
    const { app, staff } = setup();
    type Builder = Readonly<Record<string, Loose>>;
    const mount = (build: (m: Builder) => unknown) => () =>
      (app.hub("/hubs/ward").allow(staff) as unknown as { methods: Loose }).methods((m: unknown) => ({
        A: build(m as Builder),
      }));
    const id = (): string => "id";
    expect(mount((m) => m["once"]?.(id)["stream"]?.(() => []))).toThrow(TypeError);
    expect(
      mount((m) =>
        m["once"]?.(id)
          ["uploads"]?.(ward)
          ["handle"]?.(() => 1),
      ),
    ).toThrow(TypeError);
    expect(
      mount((m) =>
        m["uploads"]?.(ward)
          ["once"]?.(id)
          ["handle"]?.(() => 1),
      ),
    ).toThrow(TypeError);
    expect(mount((m) => m["uploads"]?.({ parse: () => 1 })["handle"]?.(() => 1))).toThrow(TypeError);
    expect(mount((m) => m["uploads"]?.(undefined)["stream"]?.(() => []))).toThrow(TypeError);
    expect(app.endpoint.owns("/hubs/ward")).toBe(false);
  });
});
