/** Groups: a template, its parameters, and a rule without which it is of no use. */

import type { GroupReference } from "@hubward/server";
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
