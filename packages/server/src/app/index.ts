/** @packageDocumentation The public face of `@hubward/server`. */

export { hubward } from "./application.js";
export { hubwardDefaults, type HubwardDefaults, type HubwardOptions, type ScopeOptions } from "./options.js";
export type { App, EveryTenant, PolicyOptions, Rooms, Scope, Tenant } from "./app.js";
export type {
  AssignedGroup,
  Group,
  GroupDraft,
  GroupEvent,
  GroupSchemas,
  GroupValues,
  GroupWhenSlow,
  PatternParameters,
} from "./group-builder.js";
export type {
  CommandPublication,
  GuardedPresence,
  GuardedPublication,
  Publishing,
  RoomDraft,
  Seeing,
  UnguardedPresence,
  UnguardedPublication,
} from "./room-builder.js";
export { roomsDefaults, type RoomsOptions } from "../rooms/rooms-settings.js";
export type { GuardedHub, Hub, HubDraft, ValidMethods } from "./hub-builder.js";
export type {
  ArgumentInputs,
  ArgumentOutputs,
  ArgumentSchemas,
  CommandMethod,
  GuardedMethod,
  HandledMethod,
  Method,
  StreamedMethod,
  StreamMethod,
  Streamable,
  UnguardedMethod,
  UploadInputs,
  UploadOutputs,
} from "./method-builder.js";
export type { HttpAuthentication, RequestWithHeaders } from "./http.js";
export type {
  AskedBy,
  DryRunOptions,
  IssuedBeforeTarget,
  ReauthenticationTarget,
  RevocableConnectionSummary,
  RevocationPreview,
  RevokeOptions,
  RevokeTarget,
  Revoking,
  SessionTarget,
  SubjectTarget,
  SuspendedTarget,
  TenantRevokeTarget,
  TokenTarget,
} from "./revocation-face.js";
export type { CarriedOut } from "./carry-out.js";
export type { EventTarget, SecurityAction } from "../core/auth/security-action.js";
export type { RevocationReceipt } from "../core/supervision/revocations.js";
export type { RevocationKind, RevocationReason, RevocationScope, RevocationTarget } from "../core/auth/revocation.js";
export { forwardedIdentity } from "./forwarded-identity.js";
export {
  forwardedIdentityDefaults,
  type ForwardedIdentityHeaders,
  type ForwardedIdentityOptions,
} from "./forwarded-identity-options.js";
export { forwardedToken } from "./forwarded-token.js";
export { hasClaim, hasRole } from "./rules.js";

export { anyOf, type Admission, type Policy, type PolicyContext } from "../core/auth/policy.js";
export type { CookieOptions, CookieRule } from "../core/auth/cookie-options.js";
export type { DpopVerifier } from "../core/auth/dpop.js";
export type { Authentication } from "../core/auth/authentication.js";
export type { Principal, PrincipalAttributes, PrincipalBase, PrincipalMapping } from "../core/auth/principal.js";
export type { LiveConnection } from "../core/connection/live-connection.js";
export type {
  DecidingPolicy,
  Decision,
  DecisionPoint,
  GroupDecision,
  HubDecision,
  MethodDecision,
  PresenceDecision,
  PublishDecision,
  RoomsDecision,
} from "../core/dispatch/decisions.js";
export type { HubFilter } from "../core/dispatch/filter.js";
export type { Departure } from "../core/dispatch/hooks.js";
export type {
  Call,
  CallGroups,
  ClientInvokeOptions,
  CommandCall,
  ConnectionTarget,
  EventArguments,
  EventName,
  PrincipalReference,
  Sender,
  Target,
  ValidEvents,
} from "../core/dispatch/call.js";
export type {
  GroupAddition,
  GroupMember,
  GroupRefusal,
  GroupRemoval,
  GroupSummary,
  GroupTarget,
  TenantGroups,
} from "../core/dispatch/tenant-groups.js";
export type { RecheckResult } from "../core/supervision/recheck-requests.js";
export type { RecheckSelector, TenantSelector } from "../core/supervision/recheck-selector.js";
export type { PrincipalIdProvider } from "../core/admission/admission.js";
export {
  limitDefaults,
  type HubLimitOptions,
  type LimitOptions,
  type ResolvedLimits,
} from "../core/limits/limit-options.js";
export type { Rate } from "../core/limits/token-bucket.js";
export { hubDefaults, type HubOptions, type HubSettings } from "../core/dispatch/hub-settings.js";
export type { GroupReference } from "../core/groups/group.js";
export type { ConnectionId } from "../core/ids.js";
export { ClientError, HubError, HubwardError } from "../core/errors.js";
export { refusalReply } from "../core/admission/refusal-reply.js";
export type { HttpReply } from "../core/http.js";
export type { Audit, AuditRecord } from "../core/audit.js";
export type { MembershipCause, PrincipalFields, Telemetry, TelemetryEvent, TelemetryLevel } from "../core/telemetry.js";
export { telemetryLevels } from "../core/telemetry.js";
export { auditFile } from "../platform/audit-file.js";
export {
  auditLines,
  auditLinesDefaults,
  type AuditLinesOptions,
  type AuditSink,
  type AuditWritable,
} from "../platform/audit-lines.js";
export { jsonLines } from "../platform/json-lines.js";
