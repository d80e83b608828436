/**
 * Binds a connection to the browser that negotiated it. The URL of a stream holds its id and its ticket for as long as
 * it lives; over https a cookie, one for each browser and hub, makes a URL that leaked worth nothing by itself. Clients
 * that keep no cookies never show it, and it is asked of nobody who has not shown it.
 */

import { RESERVED_COOKIE_PREFIX } from "../core/auth/cookie-options.js";
import type { Digest } from "../core/digest.js";
import type { HttpRequest } from "../core/http.js";
import { joinKey, type IdentityKey } from "../core/ids.js";
import type { Random } from "../core/random.js";

/** What a connect attempt knows of its browser. */
export interface Binding {
  /** A hash of the cookie's value. */
  readonly browser: string;
  readonly identity: IdentityKey;
  /** Whether a later request has shown it: from then on each one must. */
  isShown: boolean;
}

export interface Bindings {
  /**
   * For a negotiate over https. A browser that has the cookie keeps it, so that its other connections do; another is
   * given one, if `mayIssue`. Nothing over http, where a browser would not take it.
   */
  bind(
    request: HttpRequest,
    hubPath: string,
    identity: IdentityKey,
    mayIssue: boolean,
  ): { readonly binding: Binding; readonly setCookie: string | undefined } | undefined;
  /** Whether this browser may use what its credential opens already; notes that it has shown its cookie. */
  allows(binding: Binding | undefined, request: HttpRequest): boolean;
}

/** A random part, and a proof that we gave it to an identity. */
const VALUE_PATTERN = /^([\w-]{22})\.([\w-]{43})$/;
const RANDOM_BYTES = 16;
const KEY_BYTES = 32;

/** One for each hub, however many connections, so that a browser's share of cookies is never used up by them. */
export function bindingCookieName(hubPath: string): string {
  return RESERVED_COOKIE_PREFIX + hubPath.slice(1).toLowerCase().replaceAll("/", ".");
}

/**
 * Tabs that negotiate at once, in a browser that has no cookie yet, are given one value each, and the browser keeps the
 * last: so a value counts, too, that was given to the same identity, which nobody else can have got one for.
 */
export function createBindings({ digest, random }: { readonly digest: Digest; readonly random: Random }): Bindings {
  const key = random.secret(KEY_BYTES);

  /** The inner hash has a fixed length, so that nothing can be appended to what was hashed. */
  function proofOf(part: string, identity: IdentityKey): string {
    return digest(joinKey([key, digest(joinKey([part, identity]))]));
  }

  function isGivenTo(identity: IdentityKey, value: string): boolean {
    const [, part = "", proof] = VALUE_PATTERN.exec(value) ?? [];
    return digest(proofOf(part, identity)) === digest(proof ?? "");
  }

  function newValue(identity: IdentityKey): string {
    const part = random.secret(RANDOM_BYTES);
    return `${part}.${proofOf(part, identity)}`;
  }

  return {
    bind(request, hubPath, identity, mayIssue) {
      const shown = shownValue(request);
      if (request.isSecure !== true || (shown === undefined && !mayIssue)) return undefined;
      const value = shown ?? newValue(identity);
      const setCookie = `${bindingCookieName(hubPath)}=${value}; Path=/; Secure; HttpOnly; SameSite=Strict`;
      return {
        binding: { browser: digest(value), identity, isShown: false },
        setCookie: shown === undefined ? setCookie : undefined,
      };
    },
    allows(binding, request) {
      if (binding === undefined) return true;
      const value = shownValue(request);
      if (value === undefined) return !binding.isShown;
      if (digest(value) !== binding.browser && !isGivenTo(binding.identity, value)) return !binding.isShown;
      binding.isShown = true;
      return true;
    },
  };
}

function shownValue({ cookies }: HttpRequest): string | undefined {
  const cookie = cookies?.binding;
  const value = typeof cookie === "object" ? cookie.reveal() : "";
  return VALUE_PATTERN.test(value) ? value : undefined;
}
