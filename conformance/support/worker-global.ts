/** Version 5 looks for `self` where the runtime has `fetch`; Node has none. To be imported before it. */

const global = globalThis as { self?: unknown };
global.self ??= globalThis;
