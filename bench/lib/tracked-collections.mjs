/**
 * Every Map and Set that Hubward makes, by the line that makes it: to see from outside whether one of them keeps what is
 * over. To be imported before anything else (`--import`); what lives is told by the garbage collector, so collect before asking.
 */

const own = /\/packages\/(?:server|wire)\/dist\/(?<place>[^?)]+:\d+):\d+/;
/** @type {Map<string, Set<WeakRef<Map<any, any> | Set<any>>>>} */
const made = new Map();
const NativeMap = Map;
const NativeSet = Set;
const registry = new FinalizationRegistry(({ place, reference }) => made.get(place)?.delete(reference));

function note(collection) {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 3;
  const caller = new Error("where").stack?.split("\n")[3] ?? "";
  Error.stackTraceLimit = stackTraceLimit;
  const place = own.exec(caller)?.groups?.["place"];
  if (place === undefined) return;
  const reference = new WeakRef(collection);
  const alike = made.get(place) ?? new NativeSet();
  made.set(place, alike.add(reference));
  registry.register(collection, { place, reference });
}

globalThis.Map = class extends NativeMap {
  constructor(...entries) {
    super(...entries);
    note(this);
  }
};
globalThis.Set = class extends NativeSet {
  constructor(...values) {
    super(...values);
    note(this);
  }
};

/** By place: how many live, and how much is in all of them together. @returns {Record<string, [number, number]>} */
export function countCollections() {
  const counts = {};
  for (const [place, references] of made) {
    let live = 0;
    let entries = 0;
    for (const reference of references) {
      const collection = reference.deref();
      if (collection === undefined) continue;
      live++;
      entries += collection.size;
    }
    if (live > 0) counts[place] = [live, entries];
  }
  return counts;
}
