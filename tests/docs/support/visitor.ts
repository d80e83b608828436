/** Whoever tries what a page started: tokens as its sign-in would issue them, the stock client, plain requests. */

import { HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import { SignJWT } from "jose";
import { onTestFinished } from "vitest";

/** `HUB_SECRET` of every program here. */
export const hubSecret = Buffer.alloc(32, "for tests only, and known to all").toString("base64url");

/** A token as token.mjs of the quick start makes it. */
export function tokenOf(subject: string, claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
    .setIssuer("https://login.example")
    .setAudience("ward")
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime("15m")
    .sign(Buffer.from(hubSecret, "base64url"));
}

/** A stock client, not started. Ended with the test. */
export function clientOf(url: string, token: string, headers: Readonly<Record<string, string>> = {}): HubConnection {
  const connection = new HubConnectionBuilder()
    .configureLogging(LogLevel.None)
    .withUrl(url, { accessTokenFactory: () => token, headers: { ...headers } })
    .build();
  onTestFinished(() => connection.stop());
  return connection;
}

export async function connect(...args: Parameters<typeof clientOf>): Promise<HubConnection> {
  const connection = clientOf(...args);
  await connection.start();
  return connection;
}

/** Status and body of a GET. */
export async function get(url: string, token?: string): Promise<string> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(url, { headers });
  return `${response.status} ${await response.text()}`;
}
