/** Events: declared names with declared arguments, wherever they are sent from. */

import type { ConnectionId, Target } from "@hubward/server";
import { z } from "zod";
import { app, doctors, ownWard, staff } from "./app.js";
import type { Equal, Expect, HasNoAny, IsNotAny } from "./expect.js";

interface Vitals {
  readonly heartRate: number;
}
type WardEvents = { vitals: [reading: Vitals]; cleared: []; moved: [patient: string, bed?: number] };

const ward = app.group("ward/{ward}", { ward: z.string() }).allow(ownWard, (values) => values.ward);
const typedWard = app
  .group("typed-ward/{ward}", { ward: z.string() })
  .events<WardEvents>()
  .allow(ownWard, (values) => values.ward);

const hub = app
  .hub<WardEvents>("/events")
  .allow(staff)
  .methods((m) => ({
    Speak: m.handle((call) => {
      const everyone = call.toAll();
      type _ = [
        Expect<Equal<typeof everyone, Target<WardEvents>>>,
        Expect<IsNotAny<Parameters<typeof everyone.emit>>>,
        Expect<HasNoAny<WardEvents>>,
      ];
      everyone.emit("vitals", { heartRate: 70 });
      everyone.emit("cleared");
      everyone.emit("moved", "patient");
      everyone.emit("moved", "patient", 3);
      call.toOthers().emit("cleared");
      call.toCaller().emit("vitals", { heartRate: 70 });
      call.toPrincipal({ subject: "ada" }).emit("cleared");
      call.to(ward({ ward: "icu" })).emit("vitals", { heartRate: 70 });
      call.to(typedWard({ ward: "icu" })).emit("cleared");
      call
        .to(ward({ ward: "icu" }))
        .except(call.connectionId)
        .emit("cleared");

      // @ts-expect-error no such event
      everyone.emit("vital", { heartRate: 70 });
      // @ts-expect-error the reading is missing
      everyone.emit("vitals");
      // @ts-expect-error a reading has a heart rate that is a number
      everyone.emit("vitals", { heartRate: "70" });
      // @ts-expect-error a reading has nothing else
      everyone.emit("vitals", { heartRate: 70, name: "Ada" });
      // @ts-expect-error one reading, not two
      everyone.emit("vitals", { heartRate: 70 }, { heartRate: 71 });
      // @ts-expect-error nothing goes with it
      everyone.emit("cleared", 1);
      // @ts-expect-error typed by the hub where the group declares nothing
      call.to(ward({ ward: "icu" })).emit("vital", { heartRate: 70 });
      // @ts-expect-error a connection is named by its id
      call.to(ward({ ward: "icu" })).except("x");
      // @ts-expect-error a principal is named by its subject
      call.toPrincipal("ada");
    }),
  }));

// From outside any call.
hub.toAll().emit("vitals", { heartRate: 70 });
hub.to(typedWard({ ward: "icu" })).emit("cleared");
app.to(typedWard({ ward: "icu" })).emit("moved", "patient", 1);
app
  .tenant("general")
  .to(typedWard({ ward: "icu" }))
  .emit("cleared");
hub.toConnection("x" as ConnectionId).emit("cleared");
// @ts-expect-error the hub's events
hub.toAll().emit("vital", { heartRate: 70 });
// @ts-expect-error the group's events
app.to(typedWard({ ward: "icu" })).emit("vital");
// @ts-expect-error and their arguments
app.to(typedWard({ ward: "icu" })).emit("vitals", { heartRate: null });
const inTenant = app.tenant("general").to(typedWard({ ward: "icu" }));
// @ts-expect-error in a tenant, too
inTenant.emit("moved", 1);

// Where nothing was declared, anything goes: but no more is known than that.
app.toAll().emit("anything", 1, "two", { three: 3 });
app.to(ward({ ward: "icu" })).emit("anything", 1);
type UndeclaredArguments = Parameters<ReturnType<typeof app.toAll>["emit"]>;
type _Undeclared = [Expect<IsNotAny<UndeclaredArguments>>, Expect<IsNotAny<UndeclaredArguments[1]>>];
app
  .hub("/undeclared")
  .allow(staff)
  .methods((m) => ({ Speak: m.handle((call) => call.toAll().emit("anything", 1)) }));
// @ts-expect-error a name is text
app.toAll().emit(1);

// An event's arguments are a list.
// @ts-expect-error not a value
app.hub<{ vitals: Vitals }>("/no-list");
// @ts-expect-error not a function
app.hub<{ vitals: (reading: Vitals) => void }>("/function");
// An interface does as well as a type.
interface EventsAsInterface {
  readonly vitals: readonly [reading: Vitals];
}
app
  .hub<EventsAsInterface>("/interface")
  .allow(doctors)
  .methods((m) => ({ Speak: m.handle((call) => call.toAll().emit("vitals", { heartRate: 70 })) }));

// Names that begin with `hubward.` are reserved.
// @ts-expect-error as an event's name
app.hub<{ "hubward.x": [] }>("/reserved-event");
// @ts-expect-error also among others
app.hub<{ fine: []; "hubward.notice": [] }>("/reserved-event-among-others");
// @ts-expect-error in a group, too
app.group("reserved", {}).events<{ "hubward.x": [] }>();
// @ts-expect-error and where nothing was declared
app.toAll().emit("hubward.notice");
