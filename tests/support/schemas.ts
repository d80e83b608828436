/** Argument schemas for test hubs. */

import * as v from "valibot";

export const anything = v.unknown();
export const text = v.string();
export const wholeNumber = v.pipe(v.number(), v.integer());
/** A name of plain letters, for group parameters. */
export const word = v.pipe(v.string(), v.regex(/^[a-z]{1,20}$/));
