/** Text that stays on the line it is written on. */

/** Control characters and line ends that JSON lets through and terminals and log viewers act on. */
const UNESCAPED_CONTROL = /[\u007f-\u009f\u2028\u2029]/;
const UNESCAPED_CONTROLS = new RegExp(UNESCAPED_CONTROL, "g");

/** JSON in which peer data cannot forge a line, nor act on a terminal. Still JSON, and the same value. */
export function oneLine(json: string): string {
  return UNESCAPED_CONTROL.test(json) ? json.replace(UNESCAPED_CONTROLS, escapeUnit) : json;
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
