/** Where the ward is mounted, and what is said there. */

export const HUB = "/hubs/ward";
export const ROOMS = "/rooms";
export const COOKIE = "ward-token";
/** The page that may connect. Cookies count where it is also the server's own origin. */
export const PAGE = "http://localhost:3000";
/** What anybody is told. */
export const EVENTS = ["note", "alarm", "order", "vitals"] as const;
