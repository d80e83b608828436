/**
 * A server as a process of its own, from the build: for what would end a process. Its parent configures it by one
 * message, is told its port, and may open the authenticator's gate. Nothing here catches what escapes.
 */

import { createServer } from "node:http";
import { HubError, hubward } from "@hubward/server";
import { jwt, publicKey } from "@hubward/server/jose";
import { attach } from "@hubward/server/node";

const { jwk, issuer, audience, gated } = await new Promise((resolve) => process.once("message", resolve));

let open;
const gate = new Promise((resolve) => (open = resolve));
process.on("message", (message) => {
  if (message === "open") open();
  if (message === "stop") void app.close().then(() => process.exit(0));
});

const verifier = jwt({ issuer, audience, keys: publicKey(jwk) });
const authenticator = {
  async authenticate(credential) {
    if (gated) {
      process.send("authenticating");
      await gate;
    }
    const authentication = await verifier.authenticate(credential);
    if (authentication.subject === "breaks-authenticator") throw new Error("the authenticator broke");
    return authentication;
  },
};

const broken = () => {
  throw new Error("a part of the application broke");
};
const brokenLater = async () => {
  await new Promise((resolve) => setImmediate(resolve));
  throw new Error("a part of the application broke later");
};
const schema = (validate) => ({ "~standard": { version: 1, vendor: "test", validate } });
const anything = schema((value) => ({ value }));

const app = hubward({
  authenticator,
  principal({ subject, claims }) {
    if (subject === "breaks-mapping") throw new Error("the mapping broke");
    if (subject === "breaks-mapping-later") return brokenLater();
    if (subject === "odd-mapping") return { roles: "not a list" };
    if (subject === "nobody") return null;
    return { roles: claims.roles ?? [] };
  },
});
const anyone = app.policy("Anyone", ({ principal }) => {
  if (principal.subject === "breaks-hub-policy") throw new Error("the hub's policy broke");
  return principal.hasRole("visitor") ? brokenRoom : true;
});
const brokenRoom = false;
const brokenPolicy = app.policy("Broken", broken);
const brokenLaterPolicy = app.policy("BrokenLater", brokenLater);
const nullPolicy = app.policy("Null", () => Promise.reject(null));
const odd = app.policy("Odd", () => "yes");
const resource = app.policy("Resource", (_context, value) => value === "mine");
const brokenGroup = app.group("broken", {}).allow(brokenPolicy);
const brokenLaterGroup = app.group("broken-later", {}).allow(brokenLaterPolicy);
const room = app.group("room", {}).allow(anyone);

app
  .hub("/hub")
  .allow(anyone)
  .methods((m) => ({
    Echo: m.args(anything).handle((_call, value) => value),
    Throw: m.handle(broken),
    ThrowLater: m.handle(brokenLater),
    ThrowHubError: m.handle(() => Promise.reject(new HubError("on purpose"))),
    ThrowNothing: m.handle(() => Promise.reject()),
    ThrowNull: m.handle(() => {
      throw null;
    }),
    ThrowText: m.handle(() => Promise.reject("text")),
    ThrowFrozen: m.handle(() => Promise.reject(Object.freeze(Object.create(null)))),
    Policy: m.allow(brokenPolicy).handle(() => "in"),
    PolicyLater: m.allow(brokenLaterPolicy).handle(() => "in"),
    PolicyNull: m.allow(nullPolicy).handle(() => "in"),
    PolicyOdd: m.allow(odd).handle(() => "in"),
    ResourceMapper: m
      .args(anything)
      .allow(resource, (value) => value.deep.deeper)
      .handle(() => "in"),
    Schema: m.args(schema(broken)).handle(() => "in"),
    SchemaLater: m.args(schema(brokenLater)).handle(() => "in"),
    SchemaOdd: m.args(schema(() => undefined)).handle(() => "in"),
    Group: m.handle((call) => call.groups.join(brokenGroup())),
    GroupLater: m.handle((call) => call.groups.join(brokenLaterGroup())),
    OnceKey: m.once(broken).handle(() => "in"),
    OnceLater: m.once(() => "one").handle(brokenLater),
    OddResult: m.handle(() => ({ toJSON: broken })),
    Circular: m.handle(() => {
      const value = {};
      value.self = value;
      return value;
    }),
    BigInt: m.handle(() => 10n),
    Function: m.handle(() => () => 1),
    OddEvent: m.handle((call) => call.toCaller().emit("odd", { toJSON: broken })),
    Reserved: m.handle((call) => call.toCaller().emit("hubward.notice")),
    Join: m.handle((call) => call.groups.join(room())),
    LongAfter: m.handle(async (call) => {
      await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
      call.toAll().emit("said", "by nobody");
    }),
  }));

const server = createServer((_request, response) => response.end("an ordinary answer"));
attach(server, app);
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
