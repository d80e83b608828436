/** What follows from an issuer's word on somebody: whom it is about, and what is to be done about their connections. */

/**
 * Whom an issuer speaks of. Names that it gives (`sub`, `sid`) are unique per issuer, so that they are enough without a
 * tenant, and it speaks of nobody but its own people.
 */
export type EventTarget =
  /** A login session (`sid`), in whatever tenant. */
  | { readonly type: "session"; readonly issuer: string; readonly sessionId: string }
  /** A person, in whatever tenant and in none. */
  | { readonly type: "subject"; readonly issuer: string; readonly subject: string }
  /** A person in one tenant. */
  | { readonly type: "identity"; readonly tenant: string; readonly issuer: string; readonly subject: string }
  /** The issuer's people in one tenant. */
  | { readonly type: "tenant"; readonly tenant: string; readonly issuer: string };

/**
 * What follows for connections: `revoke` ends what was authenticated until now, `recheck` judges it anew. `none`: the
 * issuer names nobody whom a hub could know, so the application must.
 */
export type SecurityAction =
  | { readonly kind: "revoke"; readonly target: EventTarget }
  | { readonly kind: "recheck"; readonly target: EventTarget }
  | { readonly kind: "none" };
