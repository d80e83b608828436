/** Bounds of one message. */

import { roomsLimitDefaults, type ReadLimits } from "@hubward/wire";
import type { RoomsPlace } from "./place.js";

export function limitsOf<P>({ settings }: RoomsPlace<P>): ReadLimits {
  return { ...roomsLimitDefaults, maxBytes: settings.maxMessageBytes };
}
