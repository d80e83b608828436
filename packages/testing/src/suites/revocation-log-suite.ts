/**
 * What every log of revocations must show. Free of any test runner: each case rejects with an AssertionError when
 * the log breaks its contract.
 *
 *     for (const each of revocationLogSuite) test(each.name, () => each.run(openMyLog));
 */

import type { RevocationLogCase } from "./revocation-log/case.js";
import { closingCases } from "./revocation-log/closing-cases.js";
import { forgettingCases } from "./revocation-log/forgetting-cases.js";
import { listenerCases } from "./revocation-log/listener-cases.js";
import { readingCases } from "./revocation-log/reading-cases.js";

export type { OpenRevocationLog, RevocationLogCase, RevocationLogSettings } from "./revocation-log/case.js";

export const revocationLogSuite: readonly RevocationLogCase[] = [
  ...readingCases,
  ...listenerCases,
  ...forgettingCases,
  ...closingCases,
];
