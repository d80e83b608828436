/** @packageDocumentation What tests of Hubward, of its ports and of applications on it need. */

export { createFakeClock, type FakeClock, type FakeClockOptions } from "./fake-clock.js";
export { MemorySocket, type RecordedClose } from "./memory-socket.js";
export { recordingTelemetry, type RecordingTelemetry } from "./recording-telemetry.js";
export { createSeededRandom } from "./seeded-random.js";
export { testAuthentication, type TestAuthenticationOptions } from "./test-authentication.js";

export {
  idempotencyStoreSuite,
  type CreateIdempotencyStore,
  type IdempotencyStoreCase,
  type IdempotencyStoreSettings,
} from "./suites/idempotency-store-suite.js";

export {
  revocationLogSuite,
  type OpenRevocationLog,
  type RevocationLogCase,
  type RevocationLogSettings,
} from "./suites/revocation-log-suite.js";
