/** A user's server and its stock client in one process: what they said to each other, as one line of JSON. */

import { createServer } from "node:http";
import { hubward } from "@hubward/server";
import { jwt, sharedSecret } from "@hubward/server/jose";
import { attach } from "@hubward/server/node";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { SignJWT } from "jose";

const secret = new Uint8Array(32).fill(7);
const issuer = "https://login.example/";
const audience = "https://hub.example";

const app = hubward({
  authenticator: jwt({ issuer, audience, keys: sharedSecret(secret) }),
  principal: () => ({ roles: ["nurse"] }),
  telemetry: () => undefined,
});
const nurses = app.policy("Nurses", ({ principal }) => principal.hasRole("nurse"));
app
  .hub("/hub")
  .allow(nurses)
  .methods((m) => ({
    Greet: m.handle((call) => {
      call.toCaller().emit("greeted", call.principal.subject);
      return "hello";
    }),
  }));

const server = createServer();
attach(server, app);
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const token = await new SignJWT({})
  .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
  .setIssuer(issuer)
  .setAudience(audience)
  .setSubject("anna")
  .setIssuedAt()
  .setExpirationTime("5m")
  .sign(secret);

const connection = new HubConnectionBuilder()
  .configureLogging(LogLevel.Error)
  .withUrl(`http://127.0.0.1:${server.address().port}/hub`, { accessTokenFactory: () => token })
  .build();
const greeted = new Promise((resolve) => connection.on("greeted", resolve));
await connection.start();
const answer = await connection.invoke("Greet");
const event = await greeted;
await connection.stop();
await app.close();
server.close();
console.log(JSON.stringify({ version: process.version, answer, event }));
