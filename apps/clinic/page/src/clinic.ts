/** The page's one place of wiring: session, connection, wards, patients, readings, orders and the log. */
import { effect, type ReadonlySignal, signal } from "@preact/signals";
import { createAdminApi } from "./admin-api.js";
import { type Administration, createAdministration } from "./administration.js";
import { createAuthApi, type Fetch } from "./auth-api.js";
import { type DemoPeople, fetchDemoPeople, fetchPatients, noDemoPeople } from "./clinic-api.js";
import type { Clock } from "./clock.js";
import { type ClinicalConnection, createClinicalConnection } from "./connection.js";
import { type Identity, parseIdentity, wardIds, wardNames } from "./hub-contract.js";
import { createOrders, type Orders } from "./orders.js";
import { createPatients, type Patients } from "./patients.js";
import { type Failure, readFailure } from "./reasons.js";
import { createRenewal, type RenewalPhase } from "./renewal.js";
import { createServerLog, type LogKind, type ServerLog } from "./server-log.js";
import { type CredentialLife, createSession, type Session, type SignInAnswer } from "./session.js";
import { createVitalsStore, type VitalsStore } from "./vitals-store.js";
import { createWardEvents } from "./ward-events.js";
import { createWards, type Wards } from "./wards.js";
import { describeFailure, formatCountdown } from "./wording.js";

/** The last thing the server refused, shown until it is dismissed. */
export interface Refusal {
  readonly subject: string;
  readonly failure: Failure;
}

export interface Clinic {
  readonly session: Session;
  readonly connection: ClinicalConnection;
  readonly wards: Wards;
  readonly patients: Patients;
  readonly vitals: VitalsStore;
  readonly orders: Orders;
  readonly log: ServerLog;
  readonly administration: Administration;
  /** Who the server says this is; undefined until it has said so. */
  readonly identity: ReadonlySignal<Identity | undefined>;
  /** The name typed at sign-in; undefined where the session was restored. */
  readonly signedInAs: ReadonlySignal<string | undefined>;
  /** The credential of the live connection, which may be older than the session's newest. */
  readonly connectionCredential: ReadonlySignal<CredentialLife | undefined>;
  /** How it is renewed in place. */
  readonly renewal: ReadonlySignal<RenewalPhase>;
  readonly refusal: ReadonlySignal<Refusal | undefined>;
  /** Signed out here, while the server could not be told. */
  readonly isSignOutUnsure: ReadonlySignal<boolean>;
  readonly demo: ReadonlySignal<DemoPeople>;
  dismissRefusal(): void;
  signIn(username: string, password: string): Promise<SignInAnswer>;
  signOut(): Promise<void>;
}

export interface ClinicOptions {
  readonly hubUrl: string;
  readonly clock: Clock;
  readonly fetch: Fetch;
  readonly random: () => number;
  readonly createId: () => string;
}

export function createClinic({ hubUrl, clock, fetch, random, createId }: ClinicOptions): Clinic {
  const session = createSession({ clock, random, auth: createAuthApi(fetch) });
  const log = createServerLog(() => new Date());
  const vitals = createVitalsStore(clock);
  const identity = signal<Identity | undefined>(undefined);
  const signedInAs = signal<string | undefined>(undefined);
  const connectionCredential = signal<CredentialLife | undefined>(undefined);
  const refusal = signal<Refusal | undefined>(undefined);
  const isSignOutUnsure = signal(false);
  const demo = signal(noDemoPeople);
  let hasChosenWards = false;

  function refuse(subject: string, failure: Failure): void {
    refusal.value = { subject, failure };
    log.add("refusal", `${subject}: ${describeFailure(failure)}`, failure.text);
  }

  const patients = createPatients({
    clock,
    random,
    fetch: (ward) => fetchPatients(fetch, session, ward),
    onRefused: (ward, failure) => refuse(`Patients of ${wardNames[ward]}`, failure),
  });

  const wards = createWards({
    ids: wardIds,
    clock,
    random,
    invoke: (method, ward) => connection.invoke(method, ward),
    onJoined(ward) {
      log.add("connection", `Watching ${wardNames[ward]}.`);
      patients.load(ward);
    },
    onLeft(ward) {
      patients.drop(ward);
      vitals.dropWard(ward);
    },
    onRefused: (ward, failure) => refuse(wardNames[ward], failure),
  });

  const orders = createOrders({
    clock,
    random,
    createId,
    invoke: (method, ...args) => connection.invoke(method, ...args),
    onOrdered({ drugName, patientId }, orderId) {
      // Usually the ward has heard of it already, and so has the log.
      if (orders.announced.peek().some((order) => order.orderId === orderId)) return;
      log.add("order", `Your order of ${drugName} for ${nameOf(patientId)} was accepted.`, orderId);
    },
    onRefused: ({ drugName, patientId }, failure) => refuse(`${drugName} for ${nameOf(patientId)}`, failure),
  });

  const renewal = createRenewal({
    session,
    clock,
    random,
    invoke: (method, ...args) => connection.invoke(method, ...args),
    listener: {
      renewed(leftMs) {
        const lifetimeMs = Math.max(leftMs, session.credential.peek()?.lifetimeMs ?? 0);
        connectionCredential.value = { expiresAt: clock.now() + leftMs, lifetimeMs };
        connection.presented(session.credential.peek()?.expiresAt ?? 0);
        log.add("credential", "The connection took the new credential and goes on.");
      },
      lapsed: (graceSeconds) =>
        log.add("credential", `The connection's credential has ended; it waits ${graceSeconds} s for a new one.`),
      failed: (failure) => log.add(logKindOf(failure), describeFailure(failure), failure.text),
    },
  });

  const wardEvents = createWardEvents({ clock, wards, patients, vitals, orders, log });

  const connection: ClinicalConnection = createClinicalConnection({
    url: hubUrl,
    session,
    clock,
    random,
    listener: {
      live(token) {
        connectionCredential.value = session.credential.peek();
        renewal.live(token);
        void askWhoIAm();
        wards.connected();
        orders.connected();
      },
      lost() {
        connectionCredential.value = undefined;
        renewal.lost();
        wards.disconnected();
      },
      failed: (failure) => log.add(logKindOf(failure), describeFailure(failure), failure.text),
      event: (name, payload) => wardEvents.receive(name, payload),
      notice: (payload) => renewal.notice(payload),
    },
  });

  const administration = createAdministration({
    clock,
    api: createAdminApi(fetch, session),
    onRefused: (_change, failure) => refuse("That change", failure),
  });

  async function askWhoIAm(): Promise<void> {
    try {
      const who = parseIdentity(await connection.invoke("WhoAmI"));
      if (who === undefined || connection.state.peek().kind !== "live") return;
      identity.value = who;
      log.add("connection", `Connected as ${who.subject}.`);
      const lifetimeMs = session.credential.peek()?.lifetimeMs ?? 0;
      if (who.expiresInSeconds !== undefined) {
        const leftMs = who.expiresInSeconds * 1_000;
        connectionCredential.value = { expiresAt: clock.now() + leftMs, lifetimeMs: Math.max(leftMs, lifetimeMs) };
      }
      chooseFirstWards(who.department);
    } catch (error) {
      const failure = readFailure(error, "failed");
      if (!failure.isLost) log.add(logKindOf(failure), describeFailure(failure), failure.text);
    }
  }

  /** The own ward first; whoever belongs to none is offered all. Once per sign-in: later it is the person's choice. */
  function chooseFirstWards(department: string | undefined): void {
    if (hasChosenWards) return;
    hasChosenWards = true;
    const own = wardIds.filter((ward) => department === undefined || ward === department);
    for (const ward of own) wards.want(ward);
  }

  function nameOf(patientId: string): string {
    return patients.find(patientId)?.name ?? patientId;
  }

  function clearPerson(): void {
    hasChosenWards = false;
    identity.value = undefined;
    signedInAs.value = undefined;
    refusal.value = undefined;
    wards.reset();
    patients.reset();
    vitals.clear();
    orders.reset();
    wardEvents.reset();
  }

  /** The connection lives exactly as long as somebody is signed in. */
  let wasActive = false;
  effect(() => {
    const { phase } = session.state.value;
    const isActive = phase === "active";
    if (isActive === wasActive) return;
    wasActive = isActive;
    // A session may end inside the stock client's own callbacks: let it finish its step first.
    queueMicrotask(() => {
      if (isActive !== wasActive) return;
      isSignOutUnsure.value = false;
      if (!isActive) clearPerson();
      if (isActive) connection.start();
      else void connection.stop();
    });
  });

  effect(() => {
    const credential = session.credential.value;
    if (credential === undefined) return;
    log.add("credential", `New credential, good for ${formatCountdown(credential.lifetimeMs)}.`);
    renewal.credentialChanged();
    // Credentials can be had again: no need to sit out the wait that their lack has caused.
    const state = connection.state.peek();
    const isWaiting = (state.kind === "closed" || state.kind === "reconnecting") && state.nextTryAt !== undefined;
    if (isWaiting && state.failure.name === "auth_unavailable") connection.reconnectNow();
  });

  effect(() => {
    const state = session.state.value;
    if (state.phase !== "active" || state.outage === undefined) return;
    log.add("credential", "The credential could not be renewed for now. It is tried again.", state.outage.failure.text);
  });

  void fetchDemoPeople(fetch).then((people) => {
    demo.value = people;
  });

  return {
    session,
    connection,
    wards,
    patients,
    vitals,
    orders,
    log,
    administration,
    identity,
    signedInAs,
    connectionCredential,
    renewal: renewal.phase,
    refusal,
    isSignOutUnsure,
    demo,
    dismissRefusal() {
      refusal.value = undefined;
    },
    async signIn(username, password) {
      log.clear();
      const answer = await session.signIn(username, password);
      if (answer.kind === "signed-in") signedInAs.value = username;
      return answer;
    },
    async signOut() {
      log.clear();
      const isTold = await session.signOut();
      if (session.state.peek().phase === "signed-out") isSignOutUnsure.value = !isTold;
    },
  };
}

function logKindOf({ condition }: Failure): LogKind {
  if (condition === "expired" || condition === "relogin") return "credential";
  return condition === "unavailable" ? "connection" : "refusal";
}
