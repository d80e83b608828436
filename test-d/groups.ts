/** Groups: a template, its parameters, and a rule without which it is of no use. */

import type {
  AssignedGroup,
  ConnectionId,
  GroupAddition,
  GroupMember,
  GroupReference,
  GroupRemoval,
  GroupSummary,
} from "@hubward/server";
import * as v from "valibot";
import { z } from "zod";
import { anyOf } from "@hubward/server";
import { app, doctors, ownPatient, ownWard, staff, type Staff } from "./app.js";
import type { Equal, Expect, HasNoAny, IsNotAny } from "./expect.js";

const wardDraft = app.group("hospital/{ward}/bed/{bed}", { ward: z.string(), bed: v.string() });

// Without a rule it cannot be named, joined or spoken to.
// @ts-expect-error nothing guards it
wardDraft({ ward: "icu", bed: "1" });
// @ts-expect-error not even to send
app.to(wardDraft);
// @ts-expect-error declaring its events does not guard it
wardDraft.events<{ moved: [] }>()({ ward: "icu", bed: "1" });

const bed = wardDraft.allow(ownWard, (values) => {
  type _ = [
    Expect<IsNotAny<typeof values>>,
    Expect<HasNoAny<typeof values>>,
    Expect<Equal<typeof values.ward, string>>,
    Expect<Equal<typeof values.bed, string>>,
    Expect<Equal<keyof typeof values, "ward" | "bed">>,
  ];
  return values.ward;
});

const one = bed({ ward: "icu", bed: "1" });
type _Reference = [Expect<IsNotAny<typeof one>>, Expect<Equal<typeof one, GroupReference<Staff>>>];

// @ts-expect-error a parameter is missing
bed({ ward: "icu" });
// @ts-expect-error no such parameter
bed({ ward: "icu", bed: "1", floor: "2" });
// @ts-expect-error its values are text
bed({ ward: "icu", bed: 1 });
// @ts-expect-error its values are required
bed();

// Schemas fit the template.
// @ts-expect-error the schema of a parameter is missing
app.group("missing/{ward}", {});
// @ts-expect-error no such parameter
app.group("extra/{ward}", { ward: z.string(), bed: z.string() });
// @ts-expect-error a group's values are text
app.group("numbers/{ward}", { ward: z.number() });

// A group without parameters is called without values.
const everyone = app.group("everyone", {}).allow(staff);
everyone();
// @ts-expect-error there is nothing to give it
everyone({ ward: "icu" });

// Rules.
app.group("wrong/{ward}", { ward: z.string() }).allow(
  ownPatient,
  // @ts-expect-error a ward is not a patient
  (values) => values.ward,
);
// @ts-expect-error the rule needs to be told which ward
app.group("resourceless/{ward}", { ward: z.string() }).allow(ownWard);
app
  .group("several/{ward}", { ward: z.string() })
  .allow(staff)
  .allow(anyOf(doctors, ownWard), ({ ward }) => ward);
// @ts-expect-error one of them needs to be told which ward
app.group("any/{ward}", { ward: z.string() }).allow(anyOf(doctors, ownWard));

// Joining.
app
  .hub("/groups")
  .allow(staff)
  .methods((m) => ({
    Join: m.args(z.string()).handle((call, ward) => {
      const joined = call.groups.join(bed({ ward, bed: "1" }));
      type _ = [Expect<Equal<typeof joined, Promise<void>>>];
      return joined;
    }),
    Leave: m.handle((call) => {
      const left = call.groups.leave(everyone());
      type _ = [Expect<Equal<typeof left, boolean>>];
      return left;
    }),
    Mistakes: m.handle((call) => {
      // @ts-expect-error a name is not a group
      void call.groups.join("ward/icu");
      // @ts-expect-error a template is not a group
      void call.groups.join(bed);
      // @ts-expect-error nothing guards it
      void call.groups.join(wardDraft);
    }),
  }));

// --- Members that the application chooses ---

type TeamEvents = { handover: [from: string, patients: number] };
const team = app.group("team/{team}", { team: z.string() }).events<TeamEvents>().assigned();
const night = team({ team: "night" });
type _Assigned = [
  Expect<Equal<typeof team, AssignedGroup<Staff, { readonly team: string }, TeamEvents>>>,
  Expect<Equal<typeof night, GroupReference<Staff, TeamEvents>>>,
  Expect<HasNoAny<typeof night.values>>,
];
// @ts-expect-error a rule beside the application's own choice would have to win or lose
team.allow(staff);
// @ts-expect-error its values are required
team();
app.to(night).emit("handover", "ada", 3);
// @ts-expect-error the group's events, from outside too
app.to(night).emit("handover", "ada");
// @ts-expect-error nobody declared this one
app.tenant("general").to(night).emit("handed");

// --- Peers that do not keep up ---

type VitalsEvents = { vitals: [bed: number, rate: number]; alarm: [bed: string] };
const vitals = app
  .group("vitals/{ward}", { ward: z.string() })
  .events<VitalsEvents>()
  .allow(ownWard, ({ ward }) => ward)
  .whenSlow({
    latest: (event, args) => {
      type _ = [
        Expect<Equal<typeof event, "vitals" | "alarm">>,
        Expect<HasNoAny<typeof args>>,
        Expect<Equal<typeof args, VitalsEvents["vitals"] | VitalsEvents["alarm"]>>,
      ];
      return event === "vitals" ? args[0] : undefined;
    },
  });
vitals({ ward: "icu" });
team.whenSlow("drop-oldest");
app
  .group("untyped", {})
  .allow(staff)
  .whenSlow({
    latest: (event, args) => {
      type _ = [Expect<Equal<typeof event, string>>, Expect<Equal<typeof args, readonly unknown[]>>];
      return event;
    },
  })
  .allow(staff);
// @ts-expect-error no such rule
team.whenSlow("drop-newest");
// @ts-expect-error a key is text or a number
team.whenSlow({ latest: () => ({}) });
// @ts-expect-error nothing guards it
wardDraft.whenSlow("close");

// --- From outside ---

declare const id: ConnectionId;
const added = app.groups.add({ connection: id }, night);
const removed = app.groups.remove({ subject: "ada", issuer: "https://login.example" }, bed({ ward: "icu", bed: "1" }));
const members = app.groups.members(night);
const listed = app.tenant("general").groups.list();
type _Outside = [
  Expect<Equal<typeof added, Promise<GroupAddition>>>,
  Expect<Equal<typeof removed, Promise<GroupRemoval>>>,
  Expect<Equal<typeof members, readonly GroupMember[]>>,
  Expect<Equal<typeof listed, readonly GroupSummary[]>>,
  Expect<Equal<ReturnType<typeof app.groups.count>, number>>,
  Expect<HasNoAny<Awaited<typeof added>>>,
  Expect<HasNoAny<(typeof members)[number]>>,
  Expect<HasNoAny<(typeof listed)[number]>>,
];
void app.tenant("general").groups.add({ subject: "ada" }, night);
// @ts-expect-error a connection is named by its id
void app.groups.add({ connection: "x" }, night);
// @ts-expect-error a principal is named by its subject
void app.groups.add("ada", night);
// @ts-expect-error one or the other
void app.groups.add({ connection: id, subject: "ada" }, night);
// @ts-expect-error somebody
void app.groups.add({}, night);
// @ts-expect-error a name is not a group
void app.groups.add({ subject: "ada" }, "team/night");
// @ts-expect-error a template is not a group
void app.groups.add({ subject: "ada" }, team);
// @ts-expect-error nothing guards it
void app.groups.add({ subject: "ada" }, wardDraft);
// @ts-expect-error what is listed is a copy, to be read
members.push(members[0]);
declare const summary: GroupSummary;
// @ts-expect-error each of them, too
summary.size = 0;
