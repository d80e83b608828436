/** What Hubward's servers share, whatever protocol they are measured in. */

/** A Standard Schema by hand, so that no validation library is measured. */
export const schemaOf = (isValid, name) => ({
  "~standard": {
    version: 1,
    vendor: "bench",
    validate: (value) => (isValid(value) ? { value } : { issues: [{ message: name }] }),
  },
});

/** Every call is counted, none is refused: what is measured calls more often than anybody may. */
export const unreachable = { burst: 10_000_000, perSecond: 10_000_000 };
