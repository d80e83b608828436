/**
 * How long work on very many connections may hold the event loop before others have their turn. Milliseconds: an
 * answer that comes this much later is not felt, and what a slice itself costs is nothing beside it.
 */
export const MAX_SLICE_MS = 10;
