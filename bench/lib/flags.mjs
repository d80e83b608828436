/** Command-line flags that both benches share in kind: positive numbers, choices out of a list, a time limit. */

import { parseArgs } from "node:util";

/**
 * Reads `process.argv`. Prints `help` and exits where it is asked for.
 *
 * @param {{ help: string, names: readonly string[] }} options `names`: flags that take a value, besides those of
 *   both benches
 */
export function readFlags({ help, names }) {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean" },
      quick: { type: "boolean", default: false },
      ...Object.fromEntries(
        [...names, "quiet-wait", "retries", "time-limit"].map((name) => [name, { type: "string" }]),
      ),
    },
  });
  if (values.help) {
    console.log(help);
    process.exit(0);
  }
  const amount = (name, fallback) => {
    if (values[name] === undefined) return fallback;
    const value = Number(values[name]);
    if (!(value > 0)) throw new RangeError(`--${name}: a number above 0`);
    return value;
  };
  return {
    /** Everything given, for the record. */
    given: values,
    isQuick: values.quick,

    /** A number above 0, or the fallback; a RangeError otherwise. */
    amount,

    /** What to do about other processes, for `runRounds`. */
    quiet: { waitMs: 1000 * amount("quiet-wait", 0), retries: amount("retries", 0) },

    /** Names separated by commas, each one of `known`; a RangeError otherwise. */
    choice(name, known, fallback) {
      const chosen = values[name]?.split(",") ?? fallback;
      const wrong = chosen.find((one) => !known.includes(one));
      if (wrong !== undefined) throw new RangeError(`--${name}: ${wrong} is none of ${known.join(", ")}`);
      return chosen;
    },
  };
}

/** Help for the flags that both benches have. */
export const commonHelp = `  --quiet-wait=n         wait before each run, up to n seconds, for other processes to be quiet
  --retries=n            repeat a run that others disturbed, up to n times; the least disturbed one counts
  --time-limit=n         seconds after which everything is given up, default 1800`;

/** Gives the whole program up after `seconds`: its children die with it. */
export function limitProgram(seconds) {
  setTimeout(() => {
    console.error(`given up after ${seconds} s`);
    process.exit(1);
  }, seconds * 1000).unref();
}
