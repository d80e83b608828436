/** Rooms: what may be published, by whom, and who may see who is there; forgetting it does not compile. */

import type { Call, CommandCall, Decision, Publishing, RoomDraft, Rooms } from "@hubward/server";
import { z } from "zod";
import { app, doctors, ownWard, staff, type Staff } from "./app.js";
import type { Equal, Expect, HasNoAny, IsNotAny } from "./expect.js";

const note = z.object({ text: z.string(), bed: z.coerce.number() });
const ward = app
  .group("rooms/{ward}/{bed}", { ward: z.string(), bed: z.string() })
  .allow(ownWard, (values) => values.ward);

const opened = ward.room((room) => {
  type _Room = [
    Expect<Equal<typeof room, RoomDraft<Staff, { readonly ward: string; readonly bed: string }>>>,
    Expect<IsNotAny<typeof room>>,
  ];
  return room
    .publish("note", note, (draft) =>
      draft
        .allow(staff)
        .allow(ownWard, (payload, values) => {
          type _ = [
            Expect<Equal<typeof payload, { text: string; bed: number }>>,
            Expect<Equal<typeof values.ward, string>>,
            Expect<Equal<keyof typeof values, "ward" | "bed">>,
            Expect<HasNoAny<typeof payload>>,
            Expect<HasNoAny<typeof values>>,
          ];
          return values.ward;
        })
        .handle((call, payload, values) => {
          type _ = [
            Expect<Equal<typeof call, Call<Staff>>>,
            Expect<Equal<typeof payload, { text: string; bed: number }>>,
            Expect<Equal<typeof values.bed, string>>,
          ];
          return payload.text;
        }),
    )
    .publish("order", z.string(), (draft) =>
      draft
        .members()
        .limit({ burst: 3, perSecond: 1 })
        .once()
        .handle((call, payload) => {
          type _ = [Expect<Equal<typeof call, CommandCall<Staff>>>, Expect<Equal<typeof payload, string>>];
          return call.commit(() => payload);
        }),
    )
    .presence((draft) =>
      draft
        .allow(staff)
        .allow(doctors)
        .describe((principal) => {
          type _ = [Expect<Equal<typeof principal, Staff>>, Expect<IsNotAny<typeof principal>>];
          return { subject: principal.subject, department: principal.department };
        }),
    );
});

// Opening it makes it no other group.
type _Opened = Expect<Equal<typeof opened, typeof ward>>;
opened({ ward: "icu", bed: "1" });

ward.room((room) => {
  // Who may publish it must be said.
  // @ts-expect-error nobody may yet
  room.publish("a", note, (draft) => draft);
  // @ts-expect-error and a handler alone lets nobody
  room.publish("b", note, (draft) => draft.handle(() => 1));
  // @ts-expect-error nor does that it takes effect once
  room.publish("c", note, (draft) => draft.once());
  // @ts-expect-error nothing was said
  room.publish("d", note, () => undefined);
  // @ts-expect-error rules are part of it
  room.publish("e", note);
  // @ts-expect-error so is a schema
  room.publish("f", (draft: { members(): Publishing }) => draft.members());
  // @ts-expect-error a type is no schema
  room.publish("g", {}, (draft) => draft.members());

  // Names of the server's own.
  // @ts-expect-error reserved
  room.publish("hubward.note", note, (draft) => draft.members());

  // A policy that judges something must be given it.
  // @ts-expect-error the ward is missing
  room.publish("h", note, (draft) => draft.allow(ownWard));
  // @ts-expect-error a ward is text
  room.publish("i", note, (draft) => draft.allow(ownWard, (payload) => payload.bed));
  // @ts-expect-error there is no such parameter
  room.publish("j", note, (draft) => draft.allow(ownWard, (_payload, values) => values.floor));
  // @ts-expect-error the payload has no such member
  room.publish("k", note, (draft) => draft.members().handle((_call, payload) => payload.nothing));

  // Presence is told by somebody's leave, too.
  // @ts-expect-error nobody may yet
  room.presence((draft) => draft);
  // @ts-expect-error to describe is not to allow
  room.presence((draft) => draft.describe(() => ({})));
  // @ts-expect-error nobody in particular is asked about
  room.presence((draft) => draft.allow(ownWard));
  return room;
});

// @ts-expect-error a group without a rule cannot be opened
app.group("bare", {}).room((room) => room);
// @ts-expect-error nothing came of it
ward.room(() => undefined);

// Policies are those of the scope's own people.
const partners = app.scope({
  authenticator: { authenticate: () => Promise.reject(new Error()) },
  principal: () => ({ company: "acme" }),
});
const ofAcme = partners.policy("OfAcme", ({ principal }) => principal.company === "acme");
ward.room((room) => {
  // @ts-expect-error a rule about partners says nothing of staff
  room.publish("l", note, (draft) => draft.allow(ofAcme));
  // @ts-expect-error here neither
  room.presence((draft) => draft.allow(ofAcme));
  return room;
});
// @ts-expect-error and not at the door
app.rooms("/l").allow(ofAcme);
// @ts-expect-error the door asks about nobody in particular
app.rooms("/m").allow(ownWard);

const mounted = app.rooms("/n", { chatDialect: true, queryToken: true, authTimeoutMs: 1_000 }).allow(staff);
type _Mounted = [Expect<Equal<typeof mounted, Rooms<Staff>>>, Expect<HasNoAny<Decision>>];
// @ts-expect-error no such option
app.rooms("/o", { chat: true });

// What the application chooses may be a room, too.
app
  .group("guests", {})
  .assigned()
  .room((room) => room.presence((draft) => draft.members()));
