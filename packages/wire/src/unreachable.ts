/** The end of a switch over a closed union. */

/** Does not compile while a case is missing. @throws TypeError when a caller without types gets here anyway */
export function unreachable(_value: never): never {
  throw new TypeError("not a message");
}
