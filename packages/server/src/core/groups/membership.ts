/** One connection in one group: who let it in, and when that was last judged. */

import type { Connection } from "../connection/connection.js";
import type { GroupKey, GroupReference } from "./group.js";

export interface Membership<P> {
  readonly connection: Connection<P>;
  readonly key: GroupKey;
  /** The group with the rule and the resource that granted it, to be judged again. */
  readonly reference: GroupReference<P>;
  /** The principal version it was last judged for; frames pass only while this is the connection's. */
  judgedVersion: number;
}
