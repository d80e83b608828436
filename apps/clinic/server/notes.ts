/** What a ward's people tell each other: written over a plain WebSocket, heard there and on the hub. */

import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { WardId } from "./patients.js";

/** A note as the ward is told of it. */
export interface WardNote {
  readonly noteId: string;
  readonly ward: WardId;
  readonly text: string;
  /** Subject of who wrote it. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export const noteTextSchema = z.string().trim().min(1).max(500);

/** The latest notes of each ward of each tenant, in memory. */
export interface NoteBook {
  add(tenant: string | undefined, note: Omit<WardNote, "noteId">): WardNote;
  /** Oldest first. */
  latest(tenant: string | undefined, ward: WardId): readonly WardNote[];
}

const maxKept = 50;

export function createNoteBook(): NoteBook {
  const pages = new Map<string, WardNote[]>();
  // Ward ids hold no space, so no two pages share a key.
  const keyOf = (tenant: string | undefined, ward: WardId): string => `${ward} ${tenant ?? ""}`;
  return {
    add(tenant, draft) {
      const note = Object.freeze({ noteId: randomUUID(), ...draft });
      const key = keyOf(tenant, draft.ward);
      pages.set(key, [...(pages.get(key) ?? []), note].slice(-maxKept));
      return note;
    },
    latest: (tenant, ward) => pages.get(keyOf(tenant, ward)) ?? [],
  };
}
