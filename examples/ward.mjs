// @ts-check
/**
 * What all examples have in common: a ward with its staff, a sign-in that issues access tokens, the policies, and a
 * hub. Nothing here knows a web framework.
 */

import { timingSafeEqual } from "node:crypto";
import { hasRole, hubward } from "@hubward/server";
import { jwt, publicKey } from "@hubward/server/jose";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { z } from "zod";

export const host = process.env["HOST"] ?? "127.0.0.1";
export const port = Number(process.env["PORT"] ?? 3000);

// --- The application's own data, for which you have a database ---

/** @type {ReadonlyMap<string, { readonly roles: readonly string[]; readonly department: string | null }>} */
const people = new Map([
  ["ada", { roles: ["doctor"], department: "icu" }],
  ["nina", { roles: ["nurse"], department: "icu" }],
  ["vera", { roles: ["visitor"], department: null }],
]);
/** Everybody's, in this demo; a real one is hashed, and each person's own. */
const password = Buffer.from("demo");

const patients = new Map([
  ["p1", { id: "p1", name: "Grace", ward: "icu" }],
  ["p2", { id: "p2", name: "Alan", ward: "icu" }],
  ["p3", { id: "p3", name: "Edsger", ward: "er" }],
]);

/** @param {string} ward */
export function patientsOf(ward) {
  return [...patients.values()].filter((patient) => patient.ward === ward).map(({ id, name }) => ({ id, name }));
}

// --- Signing in: a name and a password against a token that lives five minutes ---

const issuer = "https://login.ward.example";
const audience = "ward";
const keys = await generateKeyPair("ES256");

const signInBody = z.object({ name: z.string(), password: z.string() });

/**
 * The access token for the body of a sign-in request, or undefined when it is not right. It says who somebody is;
 * what they may do is looked up where it is asked.
 * @param {unknown} body
 */
export async function signIn(body) {
  const { data } = signInBody.safeParse(body);
  if (data === undefined || !people.has(data.name) || !isPassword(data.password)) return undefined;
  return new SignJWT()
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt" })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(data.name)
    .setIssuedAt()
    .setExpirationTime("5m")
    .sign(keys.privateKey);
}

/** @param {string} given */
function isPassword(given) {
  const bytes = Buffer.from(given);
  return bytes.length === password.length && timingSafeEqual(bytes, password);
}

// --- Hubward: one authenticator and one set of policies, for hubs and for HTTP routes ---

export const app = hubward({
  authenticator: jwt({ issuer, audience, keys: publicKey(await readPublicJwk()) }),
  principal: ({ subject }) => people.get(subject) ?? null,
});

async function readPublicJwk() {
  return { ...(await exportJWK(keys.publicKey)), kty: "EC" };
}

export const staff = app.policy("Staff", hasRole("doctor", "nurse"), { message: "staff only" });
const doctors = app.policy("Doctors", hasRole("doctor"), { message: "doctors only" });
export const ownWard = app.policy(
  "OwnWard",
  ({ principal }, /** @type {string} */ ward) => principal.department === ward,
  { message: "this ward needs a matching department" },
);

app
  .hub("/hubs/ward")
  .allow(staff)
  .methods((m) => ({
    Patients: m
      .args(z.string())
      .allow(ownWard, (ward) => ward)
      .handle((_call, ward) => patientsOf(ward)),
    Discharge: m
      .args(z.string())
      .allow(doctors)
      .handle((call, patientId) => {
        const isKnown = patients.delete(patientId);
        if (isKnown) call.toAll().emit("discharged", patientId);
        return isKnown;
      }),
  }));

// --- Starting and ending ---

/**
 * Says where the server listens, once it does.
 * @param {import("node:http").Server} server
 */
export function announce(server) {
  const tell = () => {
    const { address, port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    console.log(`The ward is open on http://${address}:${port}`);
  };
  if (server.listening) tell();
  else server.once("listening", tell);
}

/**
 * Runs `close` on Ctrl-C and when the process is told to end; the process ends when nothing is left open.
 * @param {() => Promise<unknown>} close
 */
export function onEnd(close) {
  /** @type {Promise<unknown> | undefined} */
  let ending;
  const end = () => {
    ending ??= close().catch((error) => {
      console.error(error);
      process.exitCode = 1;
    });
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
}

/**
 * Ends Hubward's connections, then the server.
 * @param {Pick<import("node:http").Server, "close">} server
 */
export async function closeServer(server) {
  await app.close();
  await new Promise((resolve) => server.close(resolve));
}
